"""A child's dataclasses are the library's in everything that its modules use."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import light_dataclasses as light

ROOT = Path(__file__).parents[2]
KINDS = ("plain", "default", "factory", "not compared")
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


def made(library: Any, kinds: list[str], **options: bool) -> type[Any]:
    """A class with fields of these kinds, those with defaults last."""
    annotations: dict[str, str] = {}
    space: dict[str, Any] = {"__annotations__": annotations, "__module__": __name__, "__doc__": "What it is."}
    for number, kind in enumerate(sorted(kinds, key=lambda kind: kind in ("default", "factory"))):
        annotations[f"f{number}"] = "int"
        if kind == "not compared":
            space[f"f{number}"] = library.field(compare=False)
        elif kind == "factory":
            space[f"f{number}"] = library.field(default_factory=lambda: 8)
        elif kind == "default":
            space[f"f{number}"] = 7
    if len(kinds) % 2:
        space["__post_init__"] = lambda self: self.f0 == 3 and 1 / 0
    made: type[Any] = library.dataclass(slots=True, **options)(type("Made", (), space))
    return made


def outcome(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What it returns, or the kind of what it raises."""
    try:
        return call(*args, **named)
    except Exception as error:  # noqa: BLE001
        return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=5).filter(lambda kinds: set(kinds) != {"not compared"}),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 3), max_size=6),
    st.dictionaries(st.sampled_from(["f0", "f1", "f2", "f9"]), st.integers(0, 3), max_size=3),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
)
def test_the_same_as_the_librarys(
    kinds: list[str], frozen: bool, order: bool, args: list[int], named: dict[str, int], other: list[int]
) -> None:
    said = []
    for library in (dataclasses, light):
        cls = made(library, kinds, frozen=frozen, order=order)
        one, two = outcome(cls, *args, **named), outcome(cls, *other[: len(kinds)])
        same_hash = outcome(hash, one) == outcome(hash, two)
        said.append(
            [
                (cls.__name__, cls.__doc__, cls.__slots__, cls.__match_args__, cls.__hash__ is None),
                (repr(one), repr(two)),
                [outcome(compare, one, it) for compare in COMPARISONS for it in (two, 5)],
                same_hash >= (one == two),
                outcome(setattr, one, "f0", 9),
                outcome(delattr, one, "f0"),
                outcome(getattr, one, "f0"),
            ]
        )
    assert said[0] == said[1]


def test_a_class_keeps_what_it_defines() -> None:
    @light.dataclass(frozen=True, slots=True)
    class Named:
        name: str = "a"

        def __repr__(self) -> str:
            return self.name

        def __str__(self) -> str:
            return f"<{self.name}>"

        @property
        def size(self) -> int:
            return len(self.name)

    assert (repr(Named()), str(Named()), Named().size) == ("a", "<a>", 1)
    assert Named.__qualname__.endswith("Named")


@pytest.mark.parametrize("options", [{}, {"slots": False}, {"slots": True, "kw_only": True}])
def test_what_is_not_there_raises(options: dict[str, bool]) -> None:
    with pytest.raises(TypeError):
        light.dataclass(**options)


def test_fields_that_are_inherited_and_class_variables_raise() -> None:
    base = made(light, ["plain"])
    for cls in (type("Heir", (base,), {"__annotations__": {"f1": "int"}}), type("Heir", (base,), {})):
        with pytest.raises(TypeError):
            light.dataclass(slots=True)(cls)
    with pytest.raises(TypeError):
        light.dataclass(slots=True)(type("Constant", (), {"__annotations__": {"f0": "ClassVar[int]"}}))


def test_a_child_loads_them_in_the_librarys_place() -> None:
    """As `python -m consumer` does; and who asks later gets the library's own."""
    look = """
import json, os, runpy, sys
os._exit = lambda code: print(json.dumps([code, sorted(sys.modules)]))
runpy.run_module("consumer", run_name="__main__")
from dataclasses import asdict
"""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", look], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 78  # no settings
    assert {"consumer.light_dataclasses", "msgspec", "obstore"} <= set(modules)
    assert {"dataclasses", "inspect", "typing_extensions"} & set(modules) == set()
