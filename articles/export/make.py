"""The second half of an export: a file's buckets are sorted, encoded and compressed, and the file is created once."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from articles import __version__, schema
from articles.errors import ChainError, UserError
from articles.export import formats
from articles.export.plan import Part, Plan, Reading
from articles.export.spill import Buckets, Lost, Spilled, spill
from articles.keys import Layout
from articles.retry import RetryingStore

KIND: Final = "export"


@dataclass(frozen=True, slots=True)
class Made:
    """A file of the export, as it is stored. `lost` is what could not be read of the snapshot."""

    part: Part
    records: int
    words: int
    bytes: int
    sha256: str
    lost: Sequence[Lost]


@dataclass(frozen=True, slots=True)
class Job:
    """What all processes of an export know. `memory` is what each may take beside the interpreter and the file that it
    stores; so many `slots` of them store at a time."""

    plan: Plan
    buckets: Buckets
    scratch: Path
    memory: int
    writers: int
    slots: int
    lost: Sequence[Lost] = ()


@dataclass(frozen=True, slots=True)
class Stores:
    """Opened in each process."""

    source: RetryingStore
    source_layout: Layout
    to: RetryingStore
    to_layout: Layout


def read(job: Job, stores: Stores, writer: int, reading: Reading) -> Spilled:
    return spill(job.plan, reading, stores.source, job.buckets, writer, job.memory)


def make(job: Job, stores: Stores, writer: int, part: Part) -> Made:
    """Raises UserError when there is another file under its name."""
    plan = job.plan
    records = words = 0
    buckets = range(part.number * job.buckets.each, (part.number + 1) * job.buckets.each)
    path = job.scratch / f"part-{part.number}"
    with closing(formats.writer(plan.options, path, f"{plan.fingerprint}/{part.name}")) as out:
        for bucket in buckets:
            for _, record, count in job.buckets.load(bucket, job.writers):
                out.add(record)
                records += 1
                words += count
        with _slot(job, writer):
            body = out.finish(_metadata(job, part, records, words))
            key = stores.to_layout.whole(part.name)
            sha256 = hashlib.sha256(body).hexdigest()
            # Somebody else may be at the same export, or an answer was lost: the bytes are the same then.
            if stores.to.create(key, body, {}) and hashlib.sha256(stores.to.read(key) or b"").hexdigest() != sha256:
                raise UserError(f"{key} is there already, with other content: give another --to, or delete it")
            made = Made(part, records, words, len(body), sha256, job.lost)
            del body
    job.buckets.delete(part.number, job.writers)
    return made


def check(job: Job, stores: Stores, writer: int, part: Part) -> Made:
    """A file that is there. Raises UserError when it is not this export's, ChainError when it is damaged."""
    key = stores.to_layout.whole(part.name)
    with _slot(job, writer):
        body = stores.to.read(key)
        if body is None:
            raise ChainError(f"{key} was there and is gone")
        try:
            said = formats.metadata_of(job.plan.options, body)
        except ChainError as error:
            raise ChainError(f"{key}: {error}; delete it, and it will be made again") from error
        if said.get("articles.export") != job.plan.fingerprint:
            raise UserError(
                f"{key} belongs to another export: of another snapshot, with other options, tombstones or another "
                "version of this software: give another --to, or delete what is there"
            )
        records, words = int(said["articles.records"]), int(said["articles.words"])
        lost = [(one, why, count) for one, why, count in json.loads(said["articles.set_aside"])]
        return Made(part, records, words, len(body), hashlib.sha256(body).hexdigest(), lost)


def _metadata(job: Job, part: Part, records: int, words: int) -> formats.Metadata:
    said = {
        "kind": KIND,
        "export": job.plan.fingerprint,
        "snapshot": job.plan.snapshot,
        "part": f"{part.place + 1}/{part.files}",
        "split": part.split,
        "records": records,
        "words": words,
        "set_aside": json.dumps(job.lost),
        "schema": schema.VERSION,
        "software": __version__,
    }
    return {f"articles.{name}": str(value) for name, value in said.items()}


@contextmanager
def _slot(job: Job, writer: int) -> Iterator[None]:
    """Held while a whole file is in memory. The system lets go of it when a process ends, however it does."""
    with (job.scratch / f"slot-{writer % job.slots}").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
