"""What a child's modules use of `dataclasses`, in its place while they load.

The library's own loads `inspect` with all that it needs, and compiles up to ten methods a class: 14 of the 54 ms that a
child takes to start, and 2 of its 12 MB. Here one is compiled, and the others are closures over `attrgetter`.
`tests/consumer/test_light_dataclasses.py` holds the two against each other. What is not here raises at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, eq, ge, gt, le, lt
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")
_ORDER: Final = (lt, le, gt, ge)


class FrozenInstanceError(AttributeError):
    pass


class _Field:
    def __init__(self, default_factory: Callable[[], Any] | None, compare: bool) -> None:
        self.default_factory = default_factory
        self.compare = compare


def field(*, default_factory: Callable[[], Any] | None = None, compare: bool = True) -> Any:
    return _Field(default_factory, compare)


def dataclass(*, slots: bool, frozen: bool = False, order: bool = False) -> Callable[[type[T]], type[T]]:
    """Slots are not a choice. Raises TypeError for fields that are inherited and for class variables."""
    if not slots:
        raise TypeError("only with slots")
    return lambda cls: _made(cls, frozen, order)


def _made(cls: type[T], frozen: bool, order: bool) -> type[T]:
    if any("__match_args__" in vars(base) for base in cls.__mro__) or "ClassVar" in str(cls.__annotations__):
        raise TypeError(f"{cls.__qualname__}: only with fields of its own, and no class variables")
    names = tuple(cls.__annotations__)
    space = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    given = {name: space.pop(name) for name in names if name in space}
    fields = {name: value for name, value in given.items() if isinstance(value, _Field)}
    values = attrgetter(*(name for name in names if name not in fields or fields[name].compare))
    space |= {"__slots__": names, "__match_args__": names, "__eq__": _compared(eq, values)}
    space["__hash__"] = (lambda self: hash(values(self))) if frozen else None
    space.setdefault("__repr__", _repr)
    if order:
        space |= {f"__{compare.__name__}__": _compared(compare, values) for compare in _ORDER}
    if frozen:
        space |= {"__setattr__": _refuse, "__delattr__": _refuse}
    metaclass: Any = type(cls)
    made = metaclass(cls.__name__, cls.__bases__, space)
    made.__init__ = _init(made, given)
    return made  # type: ignore[no-any-return]


def _init(cls: Any, given: dict[str, Any]) -> Any:
    """Sets slots by their descriptors: what is frozen is so for everybody else."""
    known: dict[str, Any] = {"missing": object()}
    arguments, lines = ["self"], []
    for name in cls.__slots__:
        known[f"set_{name}"] = vars(cls)[name].__set__
        argument = value = name
        default = given.get(name)
        if isinstance(default, _Field):
            if default.default_factory is not None:
                known[f"new_{name}"] = default.default_factory
                argument, value = f"{name}=missing", f"new_{name}() if {name} is missing else {name}"
        elif name in given:
            known[f"default_{name}"] = default
            argument = f"{name}=default_{name}"
        arguments.append(argument)
        lines.append(f"set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(arguments)}): {'; '.join(lines)}", known)  # noqa: S102 - of our own classes' names
    return known["__init__"]


def _compared(compare: Callable[[Any, Any], bool], values: Callable[[Any], Any]) -> Callable[[Any, Any], bool]:
    def method(self: Any, other: Any) -> bool:
        return compare(values(self), values(other)) if other.__class__ is self.__class__ else NotImplemented

    return method


def _repr(self: Any) -> str:
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
    return f"{self.__class__.__qualname__}({fields})"


def _refuse(self: Any, name: str, value: object = None) -> NoReturn:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot assign to or delete field {name!r}")
