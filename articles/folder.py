"""The object store in a local folder: files, without a client. In a tenth of its time, and usable after a fork."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from articles.errors import StoreRefused, StoreUnavailable
from articles.store import ObjectInfo


class FolderStore:
    """Keys are paths below `folder`. Files keep no attributes: what needs them asks a file's header."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        del attributes
        path = self._folder / key
        with _said(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(file.name)  # which is atomic, and refuses where there is one
                    path.chmod(0o644)
                    return True
        return False

    def head(self, key: str) -> ObjectInfo | None:
        path = self._folder / key
        with _said(path):
            return _info(key, path) if path.is_file() else None

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        path = self._folder / key
        with _said(path), contextlib.suppress(FileNotFoundError, NotADirectoryError), path.open("rb", 0) as file:
            if length is None:
                file.seek(start)
                return file.read()
            return os.pread(file.fileno(), length, start)
        return None

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        found = [self.read(key, start, length) for start, length in zip(starts, lengths, strict=True)]
        return None if None in found else [one for one in found if one is not None]

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        path = self._folder / folder
        with _said(path):
            names = [entry.name + "/" * entry.is_dir() for entry in os.scandir(path)] if path.is_dir() else []
        # A folder's name sorts with its slash, as its keys do.
        for name in sorted(names):
            key = f"{folder}/{name}"
            if name.startswith("."):
                continue  # what is being written
            if name.endswith("/"):
                if key > after or after.startswith(key):
                    yield from self.list(key[:-1], after)
            elif key > after:
                with _said(path):
                    yield _info(key, path / name)

    def folders(self, folder: str) -> Sequence[str]:
        path = self._folder / folder
        with _said(path):
            return sorted(entry.name for entry in os.scandir(path) if entry.is_dir()) if path.is_dir() else []


def _info(key: str, path: Path) -> ObjectInfo:
    there = path.stat()
    return ObjectInfo(key, there.st_size, modified=there.st_mtime)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Raises the port's exceptions for what the system says."""
    try:
        yield
    except (PermissionError, IsADirectoryError) as error:
        raise StoreRefused(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
