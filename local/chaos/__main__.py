"""`./run_kcl.sh chaos`: the real daemon, several workers and a continuous load under attack, and the proof that every
record was stored once.

    [--seconds 120] [--seed S] [--workers 3] [--json]

Workers are killed, frozen, sent away and joined, shards split and merge, and a proxy before S3 and DynamoDB refuses,
loses, damages, delays and cuts. Then faults and load end, all that was put must be stored, and `articles verify --deep`
holds it against the ledger. Exit status: 0 only if nothing is lost or stored twice and every invariant held; 1
otherwise; 2 when it could not run; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from articles.errors import StoreError, UserError
from local.chaos.consumers import CONSUMERS
from local.chaos.decks import allowed
from local.chaos.report import summary
from local.chaos.run import Chaos, Options
from local.chaos.view import Teller
from local.demo import FOREIGN, PROXIES
from local.interrupts import Interrupts
from local.populate import positive


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name in PROXIES:
            del os.environ[name]
    with Interrupts() as interrupts:
        try:
            return run(args, interrupts)
        except BrokenPipeError:  # whoever read us has left, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (UserError, StoreError) as error:
            print(f"chaos: {error}", file=sys.stderr)
            return 2


def run(args: argparse.Namespace, interrupts: Interrupts) -> int:
    seed = random.randrange(1 << 32) if args.seed is None else args.seed
    options = Options(args.seconds, seed, args.workers, args.shards, args.rate, tuple(args.only or ()), args.consumer)
    allowed(options.only)
    folder = Path(args.logs or tempfile.mkdtemp(prefix="articles-chaos-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: give --logs a folder of its own")
    kept = f"logs, ledger and history are in {folder}"
    keep = True
    stream = sys.stderr if args.json else sys.stdout
    teller = Teller(stream, folder / "history.txt")
    try:
        teller.say(f"seed {seed}")
        with ExitStack() as stack:
            result = Chaos(options, folder, teller, interrupts, stack).run()
        (folder / "result.json").write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
        keep = not result.ok or bool(args.logs)
        teller.end(summary(result), shown=not args.json)
        if args.json:
            print(json.dumps(result.to_json()), flush=True)
        if keep:
            print(kept, file=stream)
        return 0 if result.ok else 1
    except KeyboardInterrupt:
        print(f"interrupted after {teller.so_far()}; every process has ended; {kept}", file=sys.stderr)
        return 130
    except (UserError, StoreError):
        print(kept, file=sys.stderr)
        raise
    finally:
        teller.close()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    said = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(prog="run_kcl.sh chaos", description=said[0], epilog=said[-1])
    parser.add_argument("--seconds", type=positive, default=120, metavar="N", help="of faults (%(default)s)")
    parser.add_argument("--seed", type=int, metavar="S", help="of what is drawn (by chance; it is printed)")
    parser.add_argument("--workers", type=positive, default=3, metavar="N", help="daemons (%(default)s)")
    parser.add_argument("--shards", type=positive, default=4, metavar="N", help="at the start (%(default)s)")
    parser.add_argument("--rate", type=positive, default=40, metavar="R", help="records a second (%(default)s)")
    parser.add_argument("--only", action="append", metavar="KIND", help="draw this kind of act alone; again for more")
    parser.add_argument(
        "--consumer", choices=sorted(CONSUMERS), default="articles", help="or, to compare, the benchmarks' plain one"
    )
    parser.add_argument("--logs", metavar="DIR", help="keep logs, ledger and history there (else only on failure)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(arguments)
    if args.workers > args.shards:
        parser.error(f"--workers {args.workers}: a shard is read by one worker at a time; give as many --shards")
    return args


if __name__ == "__main__":
    sys.exit(main())
