"""Progress and remarks: plain lines on stderr, so that stdout is the results' alone."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
