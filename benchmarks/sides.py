"""The children that are compared, each with the command that starts it and what it finds in its environment."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.say import say
from consumer import certificates
from consumer.launcher import CHILD

HERE: Final = Path(__file__).resolve().parent
BUCKET: Final = "benchmarks"


@dataclass(frozen=True, slots=True)
class Side:
    name: str
    command: Sequence[str]


OURS: Final = Side("ours", [sys.executable, *shlex.split(CHILD)])
PLAIN: Final = Side("plain", [sys.executable, "-P", str(HERE / "plain_consumer.py")])
KCLPY: Final = Side("floor: kclpy, nothing done", [sys.executable, "-P", str(HERE / "floor_kclpy.py")])
LINES: Final = Side("floor: lines read", [sys.executable, "-P", str(HERE / "floor_lines.py")])


def native() -> Side | None:
    """The child in Rust, built where there is a cargo; None, and said, where there is none."""
    folder = HERE / "native_child"
    cargo = shutil.which("cargo")
    if cargo is None:
        say("  there is no cargo on the PATH: the native child is left out")
        return None
    try:
        crate = _locked_crate(cargo, folder)
        _cargo(cargo, crate, "build", "--release", "--locked")
    except subprocess.CalledProcessError as error:
        say(f"  the native child could not be built and is left out: {error.stderr.strip().splitlines()[-1]}")
        return None
    return Side("native", [str(crate / "target" / "release" / "native_child")])


def _cargo(cargo: str, crate: Path, *command: str) -> None:
    subprocess.run([cargo, *command, "--quiet"], cwd=crate, check=True, capture_output=True, text=True, timeout=600)


def _locked_crate(cargo: str, folder: Path) -> Path:
    """A copy of the crate with its lock: `crates.lock` has versions and checksums, and leaves to cargo which registry
    they come from."""
    crate = folder / "target" / "crate"
    shutil.copytree(folder / "src", crate / "src", dirs_exist_ok=True)
    shutil.copy(folder / "Cargo.toml", crate)
    lock = crate / "Cargo.lock"
    if not lock.exists():
        _cargo(cargo, crate, "generate-lockfile")
    source = next(line for line in lock.read_text().splitlines() if line.startswith("source = "))
    lock.write_text((folder / "crates.lock").read_text().replace("checksum = ", f"{source}\nchecksum = "))
    return crate


def environment(endpoint_url: str, prefix: str, state_dir: Path, **settings: str) -> dict[str, str]:
    """What the launcher hands to a child; the other sides read their part of it."""

    def keep(name: str, text: str) -> str:
        (state_dir / name).write_text(text)
        return str(state_dir / name)

    return {
        **certificates.to_environment({}, keep),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(HERE.parent),
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "STREAM_NAME": "benchmark",
        "APPLICATION_NAME": "benchmark",
        "WORKER_ID": "worker-1",
        "BUCKET": BUCKET,
        "PREFIX": prefix,
        "START_AT": "TRIM_HORIZON",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STATE_DIR": str(state_dir),
        "STREAM_ARN": "arn:aws:kinesis:us-east-1:000000000000:stream/benchmark",
        "STREAM_CREATED": "1700000000",
        "STREAM_RETENTION_HOURS": "24",
        "SHARDS_FILE": str(state_dir / "shards.json"),
    } | settings
