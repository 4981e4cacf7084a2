"""`./run_benchmarks.sh`: runs the benchmarks that are named, prints their tables, writes JSON and the documents'."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from articles.commands import table
from articles.errors import UserError
from benchmarks import child, render
from benchmarks.bench import Result
from benchmarks.process import can_measure
from benchmarks.say import say

BENCHMARKS: Final = {
    "child": "CPU a record and file size of a shard's child, against the straightforward build",
    "fleet": "100 children at once: how long until all have answered, and how much memory each takes",
    "memory": "the peak of a child's memory, by file size, records a call and records in all",
    "end-to-end": "a whole worker with 1 to 8 shards, against one on async-kinesis: records a second, CPU a record",
    "jvm": "the daemon's heap and garbage collectors: memory, CPU and speed of each",
    "start": "a worker's first records, and its next ones after it was killed: seconds",
    "commands": "`articles average`, `verify` and `files` over 10,000 objects, against listing alone",
    "training": "the training reader against LitData, MosaicML, HF datasets, WebDataset and fastavro, local and in S3",
    "export": "a shuffled export on one machine: speed, memory, size of each profile, against a plain PySpark job",
}
NAMED_ONLY: Final = ("training", "export")
"""What is compared with takes 5 GB of disk; an export's source and scratch folder take 10."""
DOCS: Final = Path(__file__).resolve().parent.parent / "docs"


def main() -> int:
    """0 after measuring, whether or not goals were met; 2 when something could not be measured."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # children end and folders go, as after Ctrl-C
    args = _arguments()
    if args.list:
        print("\n".join(f"{name:<10} {what}" for name, what in BENCHMARKS.items()))
        return 0
    try:
        if not can_measure():
            raise UserError("CPU time and memory of another process are read from /proc, which only Linux has")
        if args.profile:
            with tempfile.TemporaryDirectory(prefix="articles-benchmark-") as folder:
                print(child.profile(Path(folder)))
            return 0
        found = {name: _run(name, args.quick) for name in args.names or _unnamed()}
        if args.docs:
            for name, group in found.items():
                render.write(page_of(name), name, group, by_side=name == "training")
    except UserError as error:
        say(f"run_benchmarks.sh: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    results = [result for group in found.values() for result in group]
    text = json.dumps([result.to_json() for result in results], indent=2, ensure_ascii=False) + "\n"
    if args.json == Path("-"):
        sys.stdout.write(text)
        return 0
    print("\n".join(table.lines(render.HEADS, [render.cells(result) for result in results], render.NUMBERS)))
    if args.json:
        args.json.write_text(text, "utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run_benchmarks.sh",
        description="Measures the consumer against what people would write, both sides in turns.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:<10} {what}" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (all but training)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there, - for standard output")
    parser.add_argument("--docs", action="store_true", help="put tables and plots into docs/")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds: a look, not a measurement")
    parser.add_argument("--profile", action="store_true", help="instead: where the child's CPU time goes")
    parser.add_argument("--list", action="store_true", help="the benchmarks, one a line")
    args = parser.parse_args()
    unknown: Sequence[str] = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; they are {', '.join(BENCHMARKS)}")
    return args


def page_of(name: str) -> Path:
    return DOCS / (f"{name}.md" if name in NAMED_ONLY else "performance.md")


def _unnamed() -> list[str]:
    return [name for name in BENCHMARKS if name not in NAMED_ONLY]


def _run(name: str, quick: bool) -> list[Result]:
    began = time.monotonic()
    say(f"{name}: {BENCHMARKS[name]}")
    with tempfile.TemporaryDirectory(prefix="articles-benchmark-") as folder:
        results: list[Result] = importlib.import_module(f"benchmarks.{name.replace('-', '_')}").run(Path(folder), quick)
    say(f"  done in {time.monotonic() - began:.0f} s")
    return results


if __name__ == "__main__":
    sys.exit(main())
