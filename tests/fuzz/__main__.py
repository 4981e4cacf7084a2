"""`./run_tests.sh fuzz`: mutate payloads, led by coverage, until something does not hold or the time is over."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LIMITS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=1024")
SHOWN_BYTES = 2000


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run_tests.sh fuzz",
        description="Feed the decoder with mutated payloads (atheris), and hold it against a strict reference.",
    )
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="how long (default 60)")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="keep what was learned there, and go on from it")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the mutations (default: another each time)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found = Path(folder) / "found"
        corpus = args.corpus or Path(folder) / "corpus"
        for made in (found, corpus):
            made.mkdir(parents=True, exist_ok=True)
        said = run(corpus, found, args.seconds, args.seed)
        executions = re.findall(r"(?m)^#(\d+)\s", said) or ["0"]
        findings = sorted(found.iterdir())
        for finding in findings:
            print(f"{finding.name}: {finding.read_bytes()[:SHOWN_BYTES]!r}")
    done = re.search(r"(?m)^Done \d+ runs in (\d+) second", said)
    if findings or not done:
        print(
            f"fuzz: a payload breaks a law after {int(executions[-1]):,} payloads; the first byte is a packer's number"
        )
        print("      (tests/fuzz/target.py). Mend it, and add the payload to tests/fuzz/corpus.py")
        return 1
    print(f"fuzz: {int(executions[-1]):,} payloads in {done.group(1)} s, every law held")
    return 0


def run(corpus: Path, found: Path, seconds: int, seed: int) -> str:
    """What libFuzzer said, which is passed on as it comes."""
    words = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-dict={Path(__file__).parent / 'json.dict'}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        *LIMITS,
    ]
    target = [sys.executable, "-P", "-m", "tests.fuzz.target", str(corpus), *words]
    said: list[str] = []
    with subprocess.Popen(target, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace") as running:
        assert running.stderr
        for line in running.stderr:
            said.append(line)
            sys.stderr.write(line)
    return "".join(said)


if __name__ == "__main__":
    sys.exit(main())
