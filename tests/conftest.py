"""What every test runs in: no account of anybody's, no clock of the tests' own, and the long ones first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import settings

# Examples may be slow on a busy machine. In CI the same examples every time: a change fails for what it changes.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

END_TO_END = Path(__file__).parent / "end_to_end"

# At import, so that fixtures of any scope and the processes that they start have it too.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a file's emulator stay in one process; whatever takes long starts first."""
    for item in items:
        if END_TO_END in item.path.parents:
            item.add_marker("end_to_end")
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: (not item.get_closest_marker("end_to_end"), not item.get_closest_marker("slow")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    began = os.environ.get("ARTICLES_TESTS_BEGAN")
    if began:
        seconds = time.time() - float(began)
        terminalreporter.write_line(f"run_tests.sh: {seconds:.0f} s in all, with set-up, ruff and mypy")
