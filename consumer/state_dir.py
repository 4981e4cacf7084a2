"""A worker's state directory, and the locks that keep a second worker from running under the same id.

Two live workers under one id take each other's leases without an end and without a word. The lock is held by file
descriptors that stay open when the launcher becomes the daemon, and goes when the daemon does, however it ends.
Losing the directory loses nothing: where it cannot be made or written, a worker runs without.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from articles.errors import UserError
from consumer.settings import Settings

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StateDir:
    """`path` is None where there is no directory; `write` then keeps files in memory."""

    path: Path | None

    def write(self, name: str, text: str, warn: Warn) -> str:
        """Writes a file that the daemon and its children can read under the path returned."""
        if self.path is not None:
            try:
                file = self.path / name
                file.write_text(text, encoding="utf-8")
                return str(file)
            except OSError as error:  # a full disk: as without a directory
                warn(f"{self.path / name} cannot be written ({error.strerror}); the worker runs without it")
        return in_memory(name, text)


def open_state_dir(settings: Settings, warn: Warn) -> StateDir:
    """Makes and locks the directory. Raises UserError when a worker on this host runs under the same id, or with the
    same directory."""
    own, given = _own_folder(settings), folder_of(settings)
    usable: list[Path] = []
    for folder in dict.fromkeys((own, given)):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder == own and folder.parent.lstat().st_uid != os.getuid():
                raise PermissionError(f"{folder.parent} belongs to another user")
            _lock(folder, settings)
            usable.append(folder)
        except OSError as error:
            warn(
                f"no state directory at {folder} ({error}); the worker runs, but cannot be watched, nor another one "
                "under its id be noticed"
            )
    if given not in usable:
        return StateDir(None)
    _forget_shards(given)
    return StateDir(given)


def folder_of(settings: Settings) -> Path:
    """Where the worker with these settings keeps its live numbers: STATE_DIR, or a folder of its own."""
    return Path(settings.state_dir).expanduser().absolute() if settings.state_dir else _own_folder(settings)


def _own_folder(settings: Settings) -> Path:
    """One for each lease table and worker id on this host."""
    table = (settings.endpoint_url_dynamodb or "", settings.region, settings.application_name)
    digest = hashlib.sha256("\n".join(table).encode()).hexdigest()[:12]
    name = f"{settings.application_name}-{digest}-{settings.worker_id}"
    return Path(tempfile.gettempdir()) / f"articles-{os.getuid()}" / name


def _lock(folder: Path, settings: Settings) -> None:
    # Children do not hold it: Java closes what it has open before it starts one.
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        os.close(descriptor)
        raise UserError(
            f"{holder or 'another worker'} already runs here ({folder}); two workers under one id take each other's "
            f"leases: stop it, or give this one a WORKER_ID and a STATE_DIR of its own"
        ) from None
    os.set_inheritable(descriptor, True)
    note = f"worker {settings.worker_id} of {settings.application_name} (process {os.getpid()})\n"
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
    except OSError:
        pass  # a full disk: the lock holds without its note


def _forget_shards(folder: Path) -> None:
    """What an earlier run left about its shards is not this run's."""
    shards = folder / "shards"
    try:
        shards.mkdir(exist_ok=True)
        for file in shards.glob("*.json"):
            file.unlink()
    except OSError:
        pass


def in_memory(name: str, text: str) -> str:
    """As `StateDir.write`, for as long as this process and the daemon that it becomes live. Raises UserError."""
    # Through /proc of this process, which is soon the daemon's, its children can read it too.
    if not hasattr(os, "memfd_create"):
        raise UserError("there is no room for the worker's files: give a STATE_DIR that can be written")
    descriptor = os.memfd_create(name, 0)
    os.write(descriptor, text.encode())
    return f"/proc/{os.getpid()}/fd/{descriptor}"
