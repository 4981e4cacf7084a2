"""What becomes of measurements: ratios, goals, tables, plots, the page that shows them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from articles.errors import UserError
from benchmarks import render
from benchmarks.__main__ import BENCHMARKS, DOCS, page_of
from benchmarks.bench import Goal, Result, interleaved

FASTER = Result("child", "µs", 30.0, 120.0, "plain", Goal(3.5))
NATIVE = Result("child", "µs", 30.0, 15.0, "native", Goal(1.8, at_least=False), inverse=True)
SMALL = Result("fleet", "MB", 11.0, 41.0, "plain", Goal(12.0, at_least=False, of="ours"))


@pytest.mark.parametrize("result,ratio,met", [(FASTER, 4.0, True), (NATIVE, 2.0, False), (SMALL, 41 / 11, True)])
def test_a_goal_bounds_the_ratio_or_our_own_figure(result: Result, ratio: float, met: bool) -> None:
    assert (result.ratio, result.met) == (ratio, met)
    assert {"name", "ours", "other", "ratio", "unit", "goal", "met"} <= result.to_json().keys()


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def run(side: str) -> int:
        order.append(side)
        return len(order)

    assert interleaved(["a", "b"], run, 2, "what") == {"a": [3, 5], "b": [4, 6]}
    assert order == ["a", "b"] * 3


def test_a_plot_has_a_bar_for_each_side_once() -> None:
    root = ET.fromstring(render.svg([FASTER, NATIVE]))
    bars = [float(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars == [render.BARS / 4, render.BARS, render.BARS / 8]


def test_the_page_gets_new_tables_and_keeps_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- child: made by run_benchmarks.sh -->\nold\n<!-- child: end -->\nafter\n")
    render.write(page, "child", [FASTER])
    first = page.read_text()
    assert "| child | µs | 30 | 120 | plain | 4.00 | ≥ 3.5 | yes |" in first
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    assert "old" not in first
    assert (tmp_path / "performance" / "child.svg").exists()
    render.write(page, "child", [FASTER])
    assert page.read_text() == first
    with pytest.raises(UserError, match="no place for fleet"):
        render.write(page, "fleet", [SMALL])


def test_many_sides_have_a_column_each_and_what_has_a_goal_a_second_table(tmp_path: Path) -> None:
    page = tmp_path / "training.md"
    page.write_text("<!-- t: made by run_benchmarks.sh -->\n<!-- t: end -->\n")
    both = [
        Result("rate", "/s", 8.0, 2.0, "a", Goal(3), inverse=True),
        Result("rate", "/s", 8.0, 4.0, "b", inverse=True),
    ]
    render.write(page, "t", [*both, Result("lost", "samples", 0.0, 0.0, "b", Goal(0, False, "ours"))], by_side=True)
    lines = page.read_text().splitlines()
    assert lines[1:5] == [
        "| what | unit | ours | a | b |",
        "| --- | --- | ---: | ---: | ---: |",
        "| rate | /s | 8 | 2 | 4 |",
        "| lost | samples | 0 |  | 0 |",
    ]
    assert "| rate | /s | 8 | 2 | a | 4.00 | ≥ 3 | yes |" in lines
    assert "| lost | samples | 0 | 0 | b | 0.00 | ours ≤ 0 | yes |" in lines
    assert not any(line.startswith("| rate | /s | 8 | 4 | b") for line in lines)


def test_the_page_has_a_place_for_every_benchmark() -> None:
    assert all(f"<!-- {name}: made by run_benchmarks.sh -->" in page_of(name).read_text("utf-8") for name in BENCHMARKS)


def test_the_scripts_help_names_every_benchmark() -> None:
    script = (DOCS.parent / "run_benchmarks.sh").read_text("utf-8")
    assert [what for name, what in BENCHMARKS.items() if f"  {name:<10} {what}" not in script] == []
