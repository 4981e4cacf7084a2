"""A shard's child process: `python -m consumer`, started by the daemon.

There are many of them on a host, and all start at once. So what they load is told here to do with less.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    from consumer import light_dataclasses

    sys.modules["dataclasses"] = light_dataclasses
    # msgspec asks for it first and does as well without: 2 ms and half a megabyte.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]

from consumer.child import main

if __name__ == "__main__":
    del sys.modules["dataclasses"], sys.modules["typing_extensions"]  # who asks from now on gets the real ones
    os._exit(main())  # nothing is left to do, and taking everything apart costs 10 ms of CPU
