"""Exit codes of a child. Any exit ends the whole worker; its supervisor starts it again under the same id."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    UNEXPECTED = 70  # EX_SOFTWARE: a bug; the log line before has the traceback
    STORE = 71  # the object store did not answer within its deadline, or refused
    CHECKPOINT = 72  # the lease table refused a checkpoint for a reason that retrying does not mend
    ORDER = 73  # the daemon delivered positions that do not increase
    CLOCK = 74  # the wall clock jumped
    LEASES = 75  # the same lease is lost again and again: two workers under one id?
    SETTINGS = 78  # EX_CONFIG: the environment the launcher hands over is not complete


class Leave(Exception):
    """Ends the child: nothing is stored or checkpointed any more; what was delivered will be delivered again."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
