"""A shard's child process: `python -m consumer`, started by the daemon."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # msgspec asks for it first and does as well without: 2 ms and half a megabyte a child.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]

from consumer.child import main

if __name__ == "__main__":
    sys.exit(main())
