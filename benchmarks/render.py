"""Results as tables and plots: Markdown and SVG, put where the documents show them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from articles.errors import UserError
from benchmarks.bench import Result

HEADS: Final = ("what", "unit", "ours", "other", "against", "ratio", "goal", "met")
NUMBERS: Final = (2, 3, 5)
WIDTH, NAMES, BARS, ROW, GAP = 900, 330, 480, 18, 10
COLOURS: Final = {"ours": "#1f77b4", "plain": "#c0504d", "native": "#6aa84f"}
OTHER_COLOUR: Final = "#999999"
ONE_SCALE: Final = {"MiB peak"}
"""Units whose bars are all drawn to one scale: how a peak grows is what they show."""


def cells(result: Result) -> Sequence[str]:
    """As they stand in a table's row, under HEADS."""
    met = "" if result.met is None else "yes" if result.met else "no"
    ours, other = number(result.ours), number(result.other)
    goal = str(result.goal or "")
    return (result.name, result.unit, ours, other, result.against, f"{result.ratio:.2f}", goal, met)


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(results: Iterable[Result]) -> str:
    rule = ["---:" if column in NUMBERS else "---" for column in range(len(HEADS))]
    rows = [HEADS, rule, *(cells(result) for result in results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def svg(results: Sequence[Result]) -> str:
    """A group of bars for each measure, as long as they are against the group's largest."""
    groups: dict[tuple[str, str], dict[str, float]] = {}
    for result in results:
        bars = groups.setdefault((result.name, result.unit), {"ours": result.ours})
        bars[result.against] = result.other
    parts: list[str] = []
    y = GAP
    for (name, unit), bars in groups.items():
        alike = groups.items() if unit in ONE_SCALE else [((name, unit), bars)]
        longest = max(value for key, others in alike if key[1] == unit for value in others.values()) or 1.0
        parts.append(_text(8, y + 13, f"{name} ({unit})"))
        for side, value in bars.items():
            y += ROW
            length = BARS * value / longest
            shade = COLOURS.get(side, OTHER_COLOUR)
            parts.append(_text(NAMES - 8, y + 13, side, "end"))
            parts.append(f'<rect x="{NAMES}" y="{y + 1}" width="{length:.1f}" height="{ROW - 2}" fill="{shade}"/>')
            parts.append(_text(NAMES + length + 6, y + 13, number(value)))
        y += ROW + GAP
    size = f'viewBox="0 0 {WIDTH} {y}"'
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">'
    return "\n".join([frame, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def write(page: Path, name: str, results: Sequence[Result], by_side: bool = False) -> None:
    """Put a benchmark's table between its two marks on the page, and its plot beside the page. With `by_side` the table
    has a column for each side, and a second one says which goals are met. Raises UserError."""
    text = page.read_text("utf-8")
    begin, end = f"<!-- {name}: made by run_benchmarks.sh -->", f"<!-- {name}: end -->"
    before, mark, rest = text.partition(begin)
    _, other_mark, after = rest.partition(end)
    if not mark or not other_mark:
        raise UserError(f"{page} has no place for {name}: the lines {begin} and {end}")
    plot = page.with_suffix("") / f"{name}.svg"
    plot.parent.mkdir(exist_ok=True)
    with_goals = [result for result in results if result.goal]
    plot.write_text(svg(with_goals if by_side else results), "utf-8")
    tables = [matrix(results), markdown(with_goals)] if by_side else [markdown(results)]
    shown = f"![{name}]({plot.parent.name}/{plot.name})"
    made = "\n\n".join([*tables, f"{machine()}.", shown])
    page.write_text(f"{before}{begin}\n{made}\n{end}{after}", "utf-8")


def matrix(results: Iterable[Result]) -> str:
    """A row for each measure, a column for each side."""
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for result in results:
        row = rows.setdefault((result.name, result.unit), {"ours": result.ours})
        row[result.against] = result.other
    sides = list(dict.fromkeys(side for row in rows.values() for side in row))
    lines: list[Sequence[str]] = [("what", "unit", *sides), ("---", "---", *("---:" for _ in sides))]
    for (name, unit), row in rows.items():
        lines.append((name, unit, *(number(row[side]) if side in row else "" for side in sides)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
