from collections.abc import Sequence
from typing import Any

def open_groups(
    groups: tuple[tuple[Any, ...], ...], fields: tuple[str, ...], places: bytes, /
) -> list[Sequence[dict[str, Any]] | None]: ...
