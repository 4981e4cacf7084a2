"""Reads from the daemon's jars which properties it knows. The daemon ignores a misspelt key without a word.

    python -m consumer.jar_keys > consumer/known_keys.py

Class files are read directly (JVM specification, chapter 4), so that no JDK is needed.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumer.java import jars_folder

_CONFIG: Final = "software/amazon/kinesis/multilang/config/MultiLangDaemonConfiguration"
_NESTED: Final = {"fanoutConfig": "software/amazon/kinesis/multilang/config/FanoutConfigBean"}
_DAEMON: Final = "software/amazon/kinesis/multilang/MultiLangDaemonConfig"
_CLIENTS: Final = ("kinesisClient", "dynamoDbClient", "cloudWatchClient")
_BUILDERS: Final = (
    "software/amazon/awssdk/awscore/client/builder/AwsClientBuilder",
    "software/amazon/awssdk/core/client/builder/SdkClientBuilder",
)
_SCALARS: Final = ("Ljava/net/URI;", "Ljava/lang/Boolean;", "Lsoftware/amazon/awssdk/regions/Region;")
_PUBLIC: Final = 0x0001


@dataclass(frozen=True, slots=True)
class Member:
    """A field or method of a class file; `constant` is a static String field's value."""

    name: str
    descriptor: str
    public: bool
    constant: str | None


def known_keys(jars: Path) -> list[str]:
    """Every key that the daemon reads from a properties file, sorted."""
    classes = _Classes(jars)
    keys = {m.constant for m in classes.fields(_DAEMON) if m.name.startswith("PROP_") and m.constant}
    keys |= set(_setters(classes, _CONFIG))
    for bean, name in _NESTED.items():
        keys |= {f"{bean}.{key}" for key in _setters(classes, name)}
    for client in _CLIENTS:
        keys |= {
            f"{client}.{method.name}"
            for builder in _BUILDERS
            for method in classes.methods(builder)
            if any(method.descriptor.startswith(f"({scalar})") for scalar in _SCALARS)
        }
    # Documented with a capital; the daemon takes any case of this one name.
    return sorted(key.replace("awsCredentialsProvider", "AwsCredentialsProvider") for key in keys)


def _setters(classes: _Classes, name: str) -> Iterator[str]:
    for method in classes.methods(name):
        if method.public and method.name.startswith("set") and method.descriptor.endswith(")V"):
            yield method.name[3].lower() + method.name[4:]


class _Classes:
    def __init__(self, jars: Path) -> None:
        self._jars = sorted(jars.glob("*.jar"))

    def fields(self, name: str) -> list[Member]:
        return _members(self._read(name))[0]

    def methods(self, name: str) -> list[Member]:
        return _members(self._read(name))[1]

    def _read(self, name: str) -> bytes:
        for jar in self._jars:
            with zipfile.ZipFile(jar) as archive:
                if f"{name}.class" in archive.NameToInfo:
                    return archive.read(f"{name}.class")
        raise FileNotFoundError(f"no jar holds {name}")


# Bytes of a constant pool entry by its tag.
_SIZES: Final = {
    5: 8,
    6: 8,
    15: 3,
    **dict.fromkeys((7, 8, 16, 19, 20), 2),
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
}


def _members(code: bytes) -> tuple[list[Member], list[Member]]:
    texts: dict[int, str] = {}
    strings: dict[int, int] = {}
    (count,) = struct.unpack_from(">H", code, 8)
    at, index = 10, 1
    while index < count:
        tag = code[at]
        if tag == 1:  # Utf8
            (length,) = struct.unpack_from(">H", code, at + 1)
            texts[index] = code[at + 3 : at + 3 + length].decode("utf-8", "replace")
            at += 3 + length
        else:
            if tag == 8:  # String
                (strings[index],) = struct.unpack_from(">H", code, at + 1)
            at += 1 + _SIZES[tag]
        index += 2 if tag in (5, 6) else 1  # long and double take two places
    (interfaces,) = struct.unpack_from(">H", code, at + 6)
    at += 8 + 2 * interfaces
    found: list[list[Member]] = []
    for _ in ("fields", "methods"):
        (size,) = struct.unpack_from(">H", code, at)
        at += 2
        members = []
        for _ in range(size):
            access, name, descriptor, attributes = struct.unpack_from(">HHHH", code, at)
            at += 8
            constant = None
            for _ in range(attributes):
                attribute, length = struct.unpack_from(">HI", code, at)
                if texts[attribute] == "ConstantValue":
                    (value,) = struct.unpack_from(">H", code, at + 6)
                    constant = texts.get(strings.get(value, 0))
                at += 6 + length
            members.append(Member(texts[name], texts[descriptor], bool(access & _PUBLIC), constant))
        found.append(members)
    return found[0], found[1]


def module_text(keys: list[str]) -> str:
    """The source of `consumer/known_keys.py`."""
    lines = "".join(f'        "{key}",\n' for key in keys)
    return (
        '"""Properties that the daemon reads. Generated from its jars: see `consumer/jar_keys.py`."""\n\n'
        "from typing import Final\n\n"
        f"KNOWN_KEYS: Final = frozenset(\n    {{\n{lines}    }}\n)\n"
    )


if __name__ == "__main__":
    sys.stdout.write(module_text(known_keys(jars_folder())))
