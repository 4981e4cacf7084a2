"""A command of the set-up is quiet, keeps its last words for the error, and ends when we do."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bootstrap.command import KEPT_LINES, run, surroundings
from bootstrap.errors import SetUpError


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def test_lines_are_handed_on_as_they_come() -> None:
    lines: list[str] = []
    run("name", python("print('one'); print(); print('two')"), "advice", on_line=lines.append)
    assert lines == ["one", "two"]


def test_a_failure_keeps_the_last_lines_and_says_what_to_do() -> None:
    with pytest.raises(SetUpError) as raised:
        run(
            "pip install",
            python("import sys; [print(f'line {n}.') for n in range(99)]; sys.exit(3)"),
            lambda told: told[-8:] + "!",
        )
    assert raised.value.lines == tuple(f"line {n}." for n in range(99 - KEPT_LINES, 99))
    assert raised.value.advice == "line 98.!"
    assert str(raised.value).startswith("`pip install` failed with status 3:\n    line 84.\n")


def test_a_program_that_is_not_there_is_a_set_up_error() -> None:
    with pytest.raises(SetUpError, match=r"/no/such does not start: No such file or directory\nadvice"):
        run("name", ["/no/such"], "advice")


def test_an_interruption_ends_the_command(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            "name",
            python(
                f"import os, pathlib, signal; pathlib.Path({str(pid)!r}).write_text(str(os.getpid()));"
                "print('ready', flush=True); signal.pause()"
            ),
            "advice",
            on_line=interrupt,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIG_DFL)


def test_a_users_registry_is_honoured_and_what_would_mislead_pip_is_not() -> None:
    kept = surroundings(
        {"PIP_INDEX_URL": "mirror", "PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PYTHONPATH": "x", "HOME": "/home/me"}
    )
    assert kept["PIP_INDEX_URL"] == "mirror"
    assert kept["HOME"] == "/home/me"
    assert kept["PIP_USER"] == "0"
    assert not {"PIP_TARGET", "PYTHONPATH"} & kept.keys()


def test_node_trusts_what_the_user_says_or_else_what_the_machine_trusts(tmp_path: Path) -> None:
    certificates = tmp_path / "ca.pem"
    certificates.touch()
    assert surroundings({"SSL_CERT_FILE": str(certificates)})["NODE_EXTRA_CA_CERTS"] == str(certificates)
    assert surroundings({"SSL_CERT_FILE": "x", "NODE_EXTRA_CA_CERTS": "mine"})["NODE_EXTRA_CA_CERTS"] == "mine"
