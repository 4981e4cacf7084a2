"""Compiled code, built with sanitizers, passes its tests without a byte out of place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "articles" / "training" / "_native.c"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PROGRAM = """
import importlib.util, sys
import articles.training, pytest
spec = importlib.util.spec_from_file_location("articles.training._native", sys.argv[1])
articles.training._native = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/training/test_opening.py"]))
"""


@pytest.mark.slow
def test_no_byte_out_of_place(tmp_path: Path) -> None:
    headers = sysconfig.get_paths()["include"]
    if not shutil.which("gcc") or not Path(headers, "Python.h").exists() or sys.platform != "linux":
        pytest.skip("needs gcc's sanitizers, and Python's headers")
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if not Path(library := runtime.stdout.strip()).is_file():
        pytest.skip("needs gcc's sanitizers")
    built = tmp_path / "_native.so"
    strict = ("-Wall", "-Wextra", "-Werror", "-g", "-O1", *SANITIZERS)
    subprocess.run(["gcc", *strict, "-shared", "-fPIC", f"-I{headers}", SOURCE, "-o", built], check=True)
    options = "detect_leaks=0:allocator_may_return_null=1"  # the interpreter itself leaks at its end
    env = {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": options, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, built], cwd=ROOT, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert " passed" in done.stdout
