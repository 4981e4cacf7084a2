"""The worked example of `docs/schema.md`, applied to a copy of the packages that lives beside them: `articles_v2`, …"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_DIFF: Final = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMPORT: Final = re.compile(r"^(\s*(?:from|import) )(articles|consumer|tests)\b", re.MULTILINE)
_TEST_KITS: Final = ("tests/fakes.py", "tests/consumer/kit.py", "tests/training/kit.py", "tests/articles/builder.py")


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


class Version2:
    """Modules of version 2: `module("articles.verify")`."""

    def __init__(self, folder: Path) -> None:
        paths = [path for name in ("articles", "consumer") for path in (ROOT / name).rglob("*.py")]
        sources = {
            str(path.relative_to(ROOT)): path.read_text("utf-8")
            for path in [*paths, *(ROOT / kit for kit in _TEST_KITS)]
        }
        for path, source in applied(sources, (ROOT / "docs/schema.md").read_text("utf-8")).items():
            top, _, rest = path.partition("/")
            target = folder / f"{top}_v2" / rest
            target.parent.mkdir(parents=True, exist_ok=True)
            if top == "tests":
                source = source.replace("WordCount", "WordsAndSentences")
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
