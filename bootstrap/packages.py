"""Installs a lock with pip: exact versions, every file held against its hash, in the user's own registry."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bootstrap.command import run
from bootstrap.errors import SetUpError
from bootstrap.progress import Progress
from consumer import jars

PIP: Final = ("-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL: Final = ("install", "--require-hashes", "--no-deps", "--no-compile", "--progress-bar", "off")
BINARY: Final = ("--only-binary", ":all:")
# What comes as source only. Its build gets the setuptools that is locked, not the newest there is.
SOURCES: Final = {"runtime": "amazon-kclpy", "readers": "pyspark"}
AGAIN: Final = "Then run this again: what is done is kept."
NETWORK: Final = f"Check the network and pip's settings (`pip config list` shows them). {AGAIN}"
ADVICE: Final = {
    "DO NOT MATCH THE HASHES": "What was delivered is not what was locked: do not install it by other means. "
    "Empty pip's cache (`pip cache purge`); if it happens again, ask whoever runs the package mirror.",
    "Retrying": NETWORK,
    "No matching distribution found": "Either pip cannot reach its registry (`pip config list` shows its settings), or "
    "that has no ready-made package for this Python on this machine: Python 3.11 to 3.13 on Linux and macOS have all.",
    "missing_jars": "The daemon's jars could not all be downloaded. Check the network; where there is a mirror of "
    f"Maven Central, name its address in KCL_MVN_REPO_SEARCH_URL. {AGAIN}",
    "No space left": f"The disk is full: this needs about 700 MB, and 5 GB more where PyTorch is asked for. {AGAIN}",
}


def advice_for(told: str) -> str:
    """What to do about the last lines that pip printed."""
    known = (advice for sign, advice in ADVICE.items() if sign in told)
    return next(known, NETWORK)


class Packages:
    """Those of one virtual environment."""

    def __init__(self, venv: Path, locks: Path, progress: Progress) -> None:
        self._python = venv / "bin" / "python"
        self._venv = venv
        self._locks = locks
        self._progress = progress

    def text(self, *names: str) -> str:
        """The locks themselves: whatever changes in them, the packages are to be installed again."""
        return "\n".join((self._locks / f"{name}.lock").read_text("utf-8") for name in names)

    def site(self) -> Path:
        """The folder of installed packages. Raises SetUpError when the environment is no longer whole."""
        for folder in sorted(self._venv.glob("lib/python3*/site-packages")):
            return folder
        raise SetUpError(f"{self._venv} holds no packages", "Remove it and run this again.")

    def install(self, name: str) -> str:
        if name in SOURCES:
            self._install("build")
        self._install(name)
        self._compile()
        return ""

    def install_runtime(self) -> str:
        """With the daemon's jars, which must be those of our list."""
        self._install("build")
        try:
            self._install("runtime")
        except SetUpError as error:
            if "missing_jars" not in str(error):
                raise
            self._progress.say("not all jars arrived; trying once more")
            self._install("runtime")
        self._check_jars()
        self._compile()
        return ""

    def _install(self, name: str) -> None:
        source = SOURCES.get(name)
        options = (*BINARY, "--no-binary", source, "--no-build-isolation", "--use-pep517") if source else BINARY
        lock = self._locks / f"{name}.lock"
        # A folder of our own for what is built: what an interrupted run left goes, and the jars can be counted.
        building = self._venv / "building"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        said = [""]
        self._progress.detail = lambda: _jars_there(building) or said[0]
        run(
            f"pip install -r bootstrap/requirements/{name}.lock",
            [self._python, *PIP, *INSTALL, *options, "--requirement", lock],
            advice_for,
            {"TMPDIR": str(building)},
            _keep_names(said),
        )
        shutil.rmtree(building, ignore_errors=True)

    def _check_jars(self) -> None:
        problems = jars.problems(self.site() / "amazon_kclpy" / "jars")
        if not problems:
            return
        # Neither this installation nor the wheel that pip keeps of it may be taken for good by the next run.
        run("pip uninstall", [self._python, *PIP, "uninstall", "--yes", "amazon-kclpy"], "")
        with contextlib.suppress(SetUpError):  # a pip without a cache has nothing to remove
            run("pip cache", [self._python, *PIP, "cache", "remove", "amazon_kclpy"], "")
        raise SetUpError(
            "the daemon's jars are not those of consumer/jars.sha256",
            "They were removed; run this again, which downloads them anew. "
            "If it happens again, something between here and Maven Central changes files: do not use them.",
            tuple(problems),
        )

    def _compile(self) -> None:
        """In parallel, which pip cannot; afterwards every start is quick, also from a read-only file system. Packages
        bring files for newer Pythons that do not compile here: nothing imports those."""
        self._progress.detail = lambda: "compiling"
        compile_all = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0)"
        run("compileall", [self._python, "-I", "-c", compile_all, self.site()], AGAIN)


def _jars_there(building: Path) -> str:
    there = sum(1 for _ in building.glob("pip-install-*/amazon-kclpy_*/amazon_kclpy/jars/*.jar"))
    return f"jar {there} of {len(jars.LIST.read_text('ascii').splitlines())}" if there else ""


def _keep_names(said: list[str]) -> Callable[[str], None]:
    def keep(line: str) -> None:
        verb, _, name = line.partition(" ")
        if verb in ("Collecting", "Installing"):
            said[0] = name.split("==")[0] if verb == "Collecting" else "installing"

    return keep
