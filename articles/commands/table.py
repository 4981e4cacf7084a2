"""Plain tables and the names of shards, as the commands print them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from articles.chain import ShardName


def lines(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Iterable[str]:
    """Aligned columns, `numbers` to the right, integers with thousands separators."""
    texts = [list(heads), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    for row in texts:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def labels(shards: Iterable[ShardName]) -> Mapping[ShardName, str]:
    """Shard ids alone where they tell the shards apart, else with their stream, and its creation if need be."""
    shards = list(shards)
    if len({(shard.stream, shard.created) for shard in shards}) <= 1:
        return {shard: shard.shard for shard in shards}
    if len({(shard.stream, shard.shard) for shard in shards}) == len(shards):
        return {shard: f"{shard.stream}/{shard.shard}" for shard in shards}
    return {shard: f"{shard.stream}@{shard.created}/{shard.shard}" for shard in shards}


def size(count: int) -> str:
    """Bytes for people: 512 B, 3.4 KiB, 64.0 MiB."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def count(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
