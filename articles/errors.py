"""Errors, sorted by what the caller should do.

UserError            tell the user, exit 2: nothing to retry
├── ChainError       what lies in the bucket contradicts the protocol: stop writing that shard
StoreError           the object store did not do what was asked
├── StoreUnavailable try the same call again (time-out, 5xx, lost answer)
└── StoreRefused     trying again will not help (no such bucket, access denied)
"""


class UserError(Exception):
    """Something the user can mend; the message says what happened, where, and what to do."""


class ChainError(UserError):
    """A shard's objects contradict the protocol; the message names the key and the positions."""


class StoreError(Exception):
    """Base of what an `ObjectStore` raises."""


class StoreUnavailable(StoreError):
    """The store did not answer, or answered that it is busy; the call may have taken effect."""


class StoreRefused(StoreError):
    """The store refused for good: credentials, permissions or the bucket's name are wrong."""
