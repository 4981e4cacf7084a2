"""The examples as a user runs them: processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TRAIN = str(ROOT / "examples" / "train_summarizer.py")
COMPARE = str(ROOT / "examples" / "compare_runs.py")


def start(*arguments: str, folder: Path, path: Path = ROOT) -> subprocess.Popen[str]:
    """`path` is where else modules are looked for."""
    environment = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    both: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, **both)


def run(*arguments: str, folder: Path, path: Path = ROOT) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    with start(*arguments, folder=folder, path=path) as process:
        printed, _ = process.communicate(timeout=200)
        return process.returncode, printed
