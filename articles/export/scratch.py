"""The folder on a local disk in which an export works. Its name follows from the export: whoever goes on finds it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from articles.errors import UserError


@contextmanager
def scratch(folder: Path, fingerprint: str) -> Iterator[Path]:
    """Below `folder`, for one process at a time; it stays where the work is not finished."""
    own = _own(folder, fingerprint)
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        if own.stat().st_uid != os.getuid():
            raise UserError(f"the scratch folder {own} belongs to somebody else: give another --scratch")
        with (own / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f"another process is at the same export, in {own}: wait for it, or end it") from error
            yield own
        shutil.rmtree(own, ignore_errors=True)  # the work is done; another process may be tidying, too
    except OSError as error:
        raise UserError(f"the scratch folder {own}: {error}; --scratch takes another one") from error


def tidy(folder: Path, fingerprint: str) -> None:
    """Of an export that is finished: whoever finished it may have been killed before its folder was gone. That another
    process is in there, or the folder is not ours, is no error then."""
    with suppress(UserError, OSError):
        if _own(folder, fingerprint).exists():
            with scratch(folder, fingerprint):
                pass


def check_space(folder: Path, needed: int) -> None:
    """Raises UserError."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {free:,} bytes free, and the records take about {needed:,} uncompressed: give a --scratch "
            "with more room"
        )


def _own(folder: Path, fingerprint: str) -> Path:
    return folder / f"articles-export-{fingerprint[:16]}"
