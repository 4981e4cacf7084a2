"""`./run_tests.sh simulate` as its user meets it."""

from __future__ import annotations

import json

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import adoption_that_forgets_to_drop


def test_its_last_line_has_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "5", "--schedules", "3"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("3 schedules, ")
    assert " 0 lost, 0 repeated" in last


def test_the_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "5", "--schedules", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schedules"] == 3
    assert said["records"] > 0
    assert (said["lost"], said["repeated"], said["failed_seed"]) == (0, 0, None)


def test_several_processes_run_the_same_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    for processes in ("1", "2"):
        assert main(["--seed", "40", "--schedules", "60", "--json", "--processes", processes]) == 0
    one, two = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    del one["seconds"], two["seconds"]
    assert one == two


def test_seconds_bound_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "5", "--seconds", "0.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schedules"] > 0


def test_a_failing_seed_is_printed_small_with_its_history_and_the_command_that_replays_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adoption_that_forgets_to_drop(monkeypatch)
    assert main(["--seed", "0", "--schedules", "100"]) == 1
    printed = capsys.readouterr()
    assert " 0 lost, 1 repeated" in printed.out
    assert "is stored again" in printed.err
    assert " adopted key=" in printed.err  # the history
    replays = [line.split() for line in printed.err.splitlines() if "run_tests.sh simulate" in line]
    assert [main(words[2:]) for words in replays] == [1, 1]
    assert "--acts" in replays[-1]


@pytest.mark.parametrize(
    "wrong", [["--schedules", "0"], ["--schedules", "x"], ["--acts", "1"], ["--seed", "1", "--acts", "99"]]
)
def test_wrong_options_are_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(wrong)
    assert leaving.value.code == 2
    assert "simulate: error: " in capsys.readouterr().err
