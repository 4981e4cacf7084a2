"""What one version of a schema may change of the one before."""

from __future__ import annotations

from typing import Any


def breaches(older: dict[str, Any], newer: dict[str, Any]) -> list[str]:
    """Changes that are not promised to be compatible; none where nullable fields were added at the end."""
    found = [f"the record's {name} changed" for name in ("type", "name", "namespace") if older[name] != newer[name]]
    before, after = older["fields"], newer["fields"]
    names = [field["name"] for field in after]
    for place, field in enumerate(before):
        name = field["name"]
        if name not in names:
            found.append(f"{name} is gone: removed or renamed")
        elif names.index(name) != place:
            found.append(f"{name} has moved")
        elif [field.get(key) for key in ("type", "default")] != [after[place].get(key) for key in ("type", "default")]:
            found.append(f"{name} has another type or default")
    known = {field["name"] for field in before}
    for field in after:
        if field["name"] not in known:
            kind = field["type"]
            if not (
                isinstance(kind, list) and len(kind) == 2 and kind[0] == "null" and field.get("default", 0) is None
            ):
                found.append(f'{field["name"]} is new and not ["null", …] with the default null')
    return found
