"""`./run_kcl.sh demo`: the whole pipeline on this machine, with the real daemon, and the proof that it worked.

    [--records 1000] [--shards 4] [--workers 2] [--input FILE] [--keep] [--save FOLDER] [--json]

Exit status: 0 only if every record put is stored exactly once (or is a dead letter), the average is the producer's
own, exactly, and every worker stored at least one file; 1 otherwise; 2 when it could not run; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from articles.errors import StoreError, UserError
from local.demo_report import failure, print_report
from local.demo_run import Demo, Options
from local.demo_view import view_on
from local.interrupts import Interrupts
from local.populate import positive

# The demo must never see the user's own AWS account, nor settings that are meant for a real worker.
FOREIGN = ("AWS_", "BUCKET", "PREFIX", "STREAM_NAME", "APPLICATION_NAME", "WORKER_ID", "STATE_DIR", "START_AT", "FILE_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name in PROXIES:
            del os.environ[name]
    with Interrupts() as interrupts:
        try:
            return run(options, interrupts)
        except KeyboardInterrupt:
            print("interrupted; everything is cleaned up", file=sys.stderr)
            return 130
        except BrokenPipeError:  # whoever read us has left, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (UserError, StoreError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 2


def run(options: Options, interrupts: Interrupts) -> int:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="articles-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        view = view_on(sys.stderr if options.json else sys.stdout)
        demo = Demo(options, folder, view, interrupts, stack)
        try:
            result = demo.run()
        finally:
            view.close()
        why = failure(result)
        if options.json:
            print(json.dumps(result.to_json()), flush=True)
        else:
            print_report(result, why)
            if options.save:
                saved = options.save / result.prefix
                print(f"the bucket's files are in {saved}; for training on them: articles catalog build {saved}")
        if options.keep:
            print(look_around(demo), file=sys.stderr if options.json else sys.stdout, flush=True)
            demo.keep_running()
        return 1 if why else 0


def look_around(demo: Demo) -> str:
    """Commands that work while the demo keeps running; with the environment of the emulator."""
    script = Path(sys.executable).with_name("articles")
    command = shlex.quote(str(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m articles"
    exports = "\n".join(f"  export {name}={value}" for name, value in demo.environment.items())
    return (
        "\nThe emulator and the workers go on. In another terminal:\n\n"
        f"{exports}\n\n"
        f"  {command} files\n  {command} average --by worker\n  {command} verify --deep\n"
        f"  {command} populate --records 500 --seed 2\n\n"
        f"Logs of the workers: {demo.folder}/worker-*.log\nCtrl-C ends it all and cleans up."
    )


def parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="run_kcl.sh demo", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--records", type=positive, metavar="N", help="articles to put (1000, or all of --input)")
    parser.add_argument("--shards", type=positive, default=4, metavar="N", help="of the stream (%(default)s)")
    parser.add_argument("--workers", type=positive, default=2, metavar="N", help="daemons (%(default)s)")
    parser.add_argument("--input", metavar="FILE", help="real articles: JSON lines, also gzipped, '-' for stdin")
    parser.add_argument("--seed", type=int, default=1, help="of the generated articles (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C, to look around")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="copy the bucket to a new folder, to read it later")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(arguments)
    if args.workers > args.shards:
        parser.error(f"--workers {args.workers}: a shard is read by one worker at a time; give as many --shards")
    try:
        if args.save:
            args.save.mkdir(parents=True, exist_ok=True)
        if args.save and any(args.save.iterdir()):
            parser.error(f"--save {args.save}: it is not empty; name a new folder")
    except OSError as error:
        parser.error(f"--save {args.save}: {error.strerror}; name a new folder")
    records = args.records or (None if args.input else 1000)
    return Options(records, args.shards, args.workers, args.input, args.seed, args.keep, args.json, args.save)


if __name__ == "__main__":
    sys.exit(main())
