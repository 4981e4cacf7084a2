"""An export, from beginning to end; it may be ended at any point and goes on when it is called again.

What is done is what lies at the destination: each file says in its metadata of which export it is, and is created
once, whole. The manifest comes last. The scratch folder only saves work: once all was read it says so, and whoever goes
on takes what is there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from articles import tombstones
from articles.catalog import Snapshot, open_snapshot
from articles.errors import ChainError, UserError
from articles.export import formats, make, manifest, pool
from articles.export.limits import Limits, divide
from articles.export.make import Job, Made, Stores
from articles.export.options import Options
from articles.export.plan import Choose, Part, Plan, chosen, make_plan, readings
from articles.export.pool import Places
from articles.export.scratch import check_space, scratch, tidy
from articles.export.spill import Buckets, Lost
from articles.training.blocks import Block, File, Groups

SAMPLES: Final = 8
"""Blocks that are looked at to know how far the records are compressed."""
BUCKETS: Final = 4
"""So many buckets fit into what a process may take: parsed, one is in memory more than twice."""
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Exported:
    """`new` is False where all of it was there."""

    manifest: dict[str, Any]
    new: bool


@dataclass(frozen=True, slots=True)
class Means:
    """What an export may use; none of it changes what comes out. `scratch` is a folder in which it makes one of its
    own."""

    memory: int
    processes: int
    scratch: Path
    tolerate: bool = False


def export(
    stores: Stores,
    number: int | None,
    options: Options,
    means: Means,
    places: Places,
    progress: Callable[[str, int, int], None],
) -> Exported:
    """`number` is the snapshot's, None for the newest; `progress` is told of a phase, how many records more it is done
    with, and of how many in all. Raises UserError, ChainError for damage that is not tolerated, StoreError."""
    formats.check_installed(options)
    limits = divide(means.memory, means.processes, options)
    begun = begin(stores, number, options, means.tolerate)
    if isinstance(begun, Exported):
        tidy(means.scratch, begun.manifest["export"])
        return begun
    with scratch(means.scratch, begun.plan.fingerprint) as folder:
        run = _Run(stores, places, begun.plan, limits, folder, means.tolerate, progress)
        done = run.check(begun.there) + run.make(begun.files, begun.missing)
        return finish(stores, begun, places, done)


@dataclass(frozen=True, slots=True)
class Begun:
    """What is to be done: `files` to be read, parts that are `there` to be checked, others to be made."""

    snapshot: Snapshot
    plan: Plan
    files: Sequence[File]
    there: Sequence[Part]

    @property
    def missing(self) -> list[Part]:
        there = set(self.there)
        return [part for part in self.plan.parts() if part not in there]


def begin(
    stores: Stores, number: int | None, options: Options, tolerate: bool, choose: Choose = chosen
) -> Begun | Exported:
    """Raises UserError, and ChainError for damage that is not tolerated."""
    snapshot = open_snapshot(stores.source, stores.source_layout, number)
    erased = tombstones.load(stores.source, stores.source_layout)
    plan, files = make_plan(snapshot, options, erased, choose)
    if (found := manifest.read(stores.to, stores.to_layout)) is not None:
        if found.get("export") == plan.fingerprint:
            return Exported(found, new=False)
        raise UserError(
            f"{stores.to_layout.prefix}/{manifest.NAME} is that of another export (snapshot {found.get('snapshot')}): "
            "give another --to"
        )
    if snapshot.damaged and not tolerate:
        key, why = snapshot.damaged[0]
        raise ChainError(
            f"snapshot {snapshot.number} leaves out {len(snapshot.damaged):,} damaged files, such as {key}: {why}; "
            "`articles verify` says more; --tolerate exports the rest and names them in the manifest"
        )
    return Begun(snapshot, plan, files, _there(stores, plan))


def finish(stores: Stores, begun: Begun, places: Places, done: Sequence[Made], **made_by: str) -> Exported:
    """With the manifest. Raises ChainError where something is missing."""
    done = sorted(done, key=lambda one: one.part.number)
    said = manifest.build(begun.snapshot, begun.plan, places.source[0], done) | made_by
    manifest.create(stores.to, stores.to_layout, said)
    return Exported(said, new=True)


def not_tolerated(lost: Lost) -> ChainError:
    key, why, count = lost
    return ChainError(
        f"{key}: {why}, {count:,} records; `articles verify` says what else, a new snapshot leaves the file out; "
        "--tolerate exports the rest and names it in the manifest"
    )


@dataclass(frozen=True, slots=True)
class _Run:
    stores: Stores
    places: Places
    plan: Plan
    limits: Limits
    scratch: Path
    tolerate: bool
    progress: Callable[[str, int, int], None]

    def check(self, parts: Sequence[Part]) -> list[Made]:
        done = []
        for made in self._all(make.check, parts, self._job(Buckets(self.scratch, 1, set()), 1), len(parts)):
            done.append(made)
            self.progress("checked", made.records, self.plan.records)
        return done

    def make(self, files: Sequence[File], parts: Sequence[Part]) -> list[Made]:
        if not parts:
            return []
        job = self._spilled(parts) or self._spill(files, parts)
        done = []
        for made in self._all(make.make, parts, job, len(parts)):
            done.append(made)
            self.progress("written", made.records, self.plan.records)
        return done

    def _spill(self, files: Sequence[File], parts: Sequence[Part]) -> Job:
        for old in self.scratch.glob("spill-*"):
            shutil.rmtree(old)
        folder = Path(tempfile.mkdtemp(prefix="spill-", dir=self.scratch))
        tighter = self._packed_tighter(files)
        check_space(folder, int(sum(split.raw * split.files for split in self.plan.splits) * tighter))
        each = max(1, int(self._largest * tighter) * BUCKETS // self.limits.each)
        todo = list(readings(files))
        writers = min(self.limits.processes, len(todo))
        job = self._job(Buckets(folder, each, {part.number for part in parts}), writers)
        lost: list[Lost] = []
        for found in self._all(make.read, todo, job, writers):
            if found.lost and not self.tolerate:
                raise not_tolerated(found.lost[0])
            lost += found.lost
            self.progress("read", found.records, self.plan.records)
        job = replace(job, lost=sorted(lost))
        sizes = {part.number: job.buckets.size(part.number, writers) for part in parts}
        said = {"folder": folder.name, "each": each, "writers": writers, "lost": job.lost, "sizes": sizes}
        beside = self.scratch / "spilled.part"
        beside.write_text(json.dumps(said), "utf-8")
        beside.rename(self.scratch / "spilled")
        return job

    def _spilled(self, parts: Sequence[Part]) -> Job | None:
        """What an earlier run has read: if it is whole, and its buckets fit into this one's memory."""
        file = self.scratch / "spilled"
        if not file.exists():
            return None
        said = json.loads(file.read_text("utf-8"))
        sizes = {int(part): size for part, size in said["sizes"].items()}
        buckets = Buckets(self.scratch / said["folder"], said["each"], set(sizes))
        whole = all(sizes.get(part.number) == buckets.size(part.number, said["writers"]) for part in parts)
        fits = said["each"] * self.limits.each >= self._largest * BUCKETS // 2
        lost = [(key, why, count) for key, why, count in said["lost"]]
        if not whole or not fits or (lost and not self.tolerate):
            return None
        return replace(self._job(buckets, said["writers"]), lost=lost)

    @property
    def _largest(self) -> int:
        """Uncompressed bytes of a file, about."""
        return max(split.raw for split in self.plan.splits)

    def _job(self, buckets: Buckets, writers: int) -> Job:
        return Job(self.plan, buckets, self.scratch, self.limits.each, writers, self.limits.slots)

    def _all(
        self, function: Callable[[Job, Stores, int, _Task], _Result], tasks: Sequence[_Task], job: Job, most: int
    ) -> Iterator[_Result]:
        processes = max(1, min(self.limits.processes, most))
        return pool.run(function, tasks, job, self.stores, self.places, processes)

    def _packed_tighter(self, files: Sequence[File]) -> float:
        """How many times as large as was estimated the records are, going by a few blocks."""
        groups = Groups(files)
        plain = records = 0
        for group in range(0, len(groups), max(1, len(groups) // SAMPLES)):
            for block in groups.fetch(self.stores.source, group):
                if isinstance(block, Block):
                    plain += len(block.data)
                    records += block.count
        estimated = sum(split.raw * split.files for split in self.plan.splits) / self.plan.records
        return max(1.0, plain / max(1, records) / max(1.0, estimated))


def _there(stores: Stores, plan: Plan) -> list[Part]:
    """The parts that are there. Raises UserError where anything else is."""
    names = {stores.to_layout.whole(part.name): part for part in plan.parts()}
    found = []
    for item in stores.to.list(stores.to_layout.prefix):
        if item.key not in names:
            raise UserError(
                f"{item.key} is no file of this export, of {len(names):,} files: give a --to that is empty or holds "
                "the beginning of the same export"
            )
        found.append(names[item.key])
    return found
