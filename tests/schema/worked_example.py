"""The worked example of `docs/schema.md`, applied to a copy of the packages that lives beside them: `articles_v2`, …"""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_DIFF: Final = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMPORT: Final = re.compile(r"^(\s*(?:from|import) )(articles|consumer|tests)\b", re.MULTILINE)
PACKAGES: Final = ("articles", "consumer")
_TEST_KITS: Final = ("tests/fakes.py", "tests/consumer/kit.py")


def hunks(document: str) -> Iterator[tuple[str, str, str]]:
    """(file, what stands there, what stands there afterwards) of each change."""
    for diff in _DIFF.findall(document):
        for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
            name, _, changes = part.partition("\n")
            for change in re.split(r"^@@\n", changes, flags=re.MULTILINE):
                lines = [line or " " for line in change.splitlines()]
                yield name, _text(lines, "-"), _text(lines, "+")


def _text(lines: list[str], sign: str) -> str:
    return "\n".join(line[1:] for line in lines if line[0] in (" ", sign))


def applied(sources: dict[str, str], document: str) -> dict[str, str]:
    """The sources by path, with every change of the document made. Raises ValueError for one that does not fit."""
    changed = dict(sources)
    for path, before, after in hunks(document):
        if changed[path].count(before) != 1:
            raise ValueError(f"docs/schema.md: {path} holds {changed[path].count(before)} times:\n{before}")
        changed[path] = changed[path].replace(before, after)
    return changed


def version_2() -> dict[str, str]:
    """The sources of the packages, by path, with the example in them."""
    paths = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths}
    return applied(sources, (ROOT / "docs/schema.md").read_text("utf-8"))


def write(folder: Path) -> None:
    """Version 2 as it would be checked out: what a worker needs."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, source in version_2().items():
        (folder / path).write_text(source, "utf-8")
    (folder / "properties").symlink_to(ROOT / "properties")


class Version2:
    """Modules of version 2 under names of their own: `module("articles.verify")`, with the tests' kits."""

    def __init__(self, folder: Path) -> None:
        kits = {kit: (ROOT / kit).read_text("utf-8").replace("WordCount", "WordsAndSentences") for kit in _TEST_KITS}
        for path, source in (version_2() | kits).items():
            top, _, rest = path.partition("/")
            target = folder / f"{top}_v2" / rest
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_IMPORT.sub(r"\1\2_v2", source), "utf-8")
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        self._folder = folder

    def module(self, name: str) -> Any:
        top, _, rest = name.partition(".")
        return importlib.import_module(f"{top}_v2.{rest}" if rest else f"{top}_v2")

    def close(self) -> None:
        sys.path.remove(str(self._folder))
        for name in [name for name in sys.modules if re.match(r"(articles|consumer|tests)_v2\b", name)]:
            del sys.modules[name]
