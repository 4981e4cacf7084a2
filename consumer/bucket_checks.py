"""Is the bucket one that a chain can be kept in? The whole protocol rests on create-if-absent and on the order of
listings; ages and pages rest on the clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any, Final

from articles import aws
from articles.errors import UserError
from articles.store import ObjectStore

CLOCK_SECONDS: Final = 300
PROBE: Final = "chain-probe"
"""One fixed key below the prefix, outside data/: it stays, as workers delete nothing."""


def check_create_once(store: ObjectStore, prefix: str) -> None:
    """Creates the probe twice: the second time must be refused. Raises UserError."""
    key = f"{prefix}/{PROBE}"
    # Every upload looks first. Without the right to list, S3 answers a HEAD of an absent key with 403, not 404.
    store.head(f"{key}-that-is-not-there")
    store.create(key, b"shows that this bucket creates a key only once\n", {})
    if store.create(key, b"a second creation that must be refused\n", {}):
        raise UserError(
            f"the bucket does not honour If-None-Match (it created {key} twice): two workers could overwrite each "
            "other's files. Use Amazon S3, or a store with conditional writes"
        )


def check_clock(s3: Any, bucket: str, prefix: str, wall: float) -> float:
    """Seconds that this clock (`wall`, epoch seconds) is ahead of S3's. Raises UserError beyond five minutes, and
    when the bucket cannot be listed."""
    with aws.translated("s3", f"bucket {bucket}"):
        # A worker's policy lets it list below its prefix, and no more.
        said = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{PROBE}", MaxKeys=1)
    date = said["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        return 0.0
    ahead = wall - parsedate_to_datetime(date).timestamp()
    if abs(ahead) > CLOCK_SECONDS:
        raise UserError(
            f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} S3's, and days would "
            "be closed at the wrong time; set the clock (NTP) and start again"
        )
    return ahead
