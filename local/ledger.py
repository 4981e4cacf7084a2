"""Where the ledger of a stream is kept, when only a folder is given.

An emulator's stream is gone with the emulator, a folder stays: so its name says which stream it belongs to.
"""

from __future__ import annotations

from pathlib import Path

from articles.aws import StreamIdentity


def ledger_file(given: str, stream: StreamIdentity) -> Path:
    """`given` itself unless it is a folder, then the file in it for this very stream."""
    path = Path(given)
    return path / f"{stream.name}-{stream.created}.jsonl" if path.is_dir() else path
