"""`./run_benchmarks.sh`: runs the benchmarks that are named, prints their tables, and writes JSON where asked."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from articles.commands import table
from articles.errors import UserError
from benchmarks import child
from benchmarks.bench import Result
from benchmarks.say import say

BENCHMARKS = {
    "child": "CPU a record and file size of a shard's child, against the straightforward build",
    "fleet": "100 children at once: how long until all have answered, and how much memory each takes",
    "memory": "the peak of a child's memory, by file size, records a call and records in all",
    "commands": "`articles average`, `verify` and `files` over 10,000 objects, against listing alone",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="run_benchmarks.sh",
        description="Measures the consumer against what people would write, both sides in turns.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:<10} {what}" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (all)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there, - for standard output")
    parser.add_argument("--list", action="store_true", help="the benchmarks' names alone, one a line")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds: a look, not a measurement")
    parser.add_argument("--profile", action="store_true", help="instead: where the child's CPU time goes")
    args = parser.parse_args()
    if args.list:
        print("\n".join(BENCHMARKS))
        return 0
    unknown = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; they are {', '.join(BENCHMARKS)}")
    results: list[Result] = []
    try:
        if args.profile:
            with tempfile.TemporaryDirectory(prefix="articles-benchmark-") as folder:
                print(child.profile(Path(folder)))
            return 0
        for name in args.names or BENCHMARKS:
            began = time.monotonic()
            say(f"{name}: {BENCHMARKS[name]}")
            with tempfile.TemporaryDirectory(prefix="articles-benchmark-") as folder:
                results += importlib.import_module(f"benchmarks.{name}").run(Path(folder), args.quick)
            say(f"  done in {time.monotonic() - began:.0f} s")
    except UserError as error:
        say(f"run_benchmarks.sh: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    rows = [
        (r.name, r.unit, f"{r.ours:.4g}", f"{r.other:.4g}", r.against, f"{r.ratio:.2f}", str(r.goal or ""), _verdict(r))
        for r in results
    ]
    heads = ("benchmark", "unit", "ours", "other", "against", "ratio", "goal", "met")
    if args.json != Path("-"):
        print("\n".join(table.lines(heads, rows, (2, 3, 5))))
    if args.json:
        text = json.dumps([result.to_json() for result in results], indent=2, ensure_ascii=False) + "\n"
        sys.stdout.write(text) if args.json == Path("-") else args.json.write_text(text, "utf-8")
    return 0


def _verdict(result: Result) -> str:
    return "" if result.met is None else "yes" if result.met else "no"


if __name__ == "__main__":
    sys.exit(main())
