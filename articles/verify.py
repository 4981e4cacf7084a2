"""Prove from the bucket that nothing is missing, repeated or altered, and name what is, by shard and position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from articles.catalog.check import NAME, SnapshotCheck
from articles.chain import Link, Root, Totals
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import WINDOW, WORKERS, Selection, ignore, nothing
from articles.verify_leases import Facts
from articles.verify_leases import check as check_leases
from articles.verify_ledger import Ledger
from articles.verify_link import Examined, Examiner
from articles.verify_loss import SECONDS_AN_HOUR, Watch
from articles.verify_report import ERROR, WARNING, Finding, Findings, Report, shard_text
from articles.walk import OffLine, OnLine, Walk, Why

RETENTION_HOURS: Final = 24
DEEP_WORKERS: Final = 4
"""Whole files are in memory then."""
DEEP_WINDOW: Final = 8
_TRIM_HORIZON: Final = "TRIM_HORIZON"


@dataclass(frozen=True, slots=True)
class Checks:
    """What to check beyond the headers. A ledger needs every record's position, so it makes the check deep."""

    deep: bool = False
    ledger: Ledger | None = None
    facts: Facts | None = None
    retention_hours: int | None = None
    dead_letters_kept_since: float | None = None
    """Epoch seconds; the bucket's lifecycle has deleted dead letters of before. None: they are kept for ever."""

    @property
    def decodes(self) -> bool:
        return self.deep or self.ledger is not None

    @property
    def retention_seconds(self) -> int:
        hours = self.retention_hours or (self.facts.stream.retention_hours if self.facts else RETENTION_HOURS)
        return hours * SECONDS_AN_HOUR

    @property
    def names(self) -> tuple[str, ...]:
        named = ["2: every chain is one line", "5: headers and metadata agree"]
        if self.decodes:
            named += ["3: positions increase inside every file", "5: counts, words and digests recomputed"]
        else:
            named += ["3: ranges, from the headers"]
        if self.ledger:
            named += ["1: every record put is stored exactly once", "6: the average is the ledger's"]
        if self.facts:
            named += ["8: parents are complete before their children"]
        if self.facts and self.facts.leases is not None:
            named += ["4: no lease is past its chain"]
        return tuple(sorted(named))


def verify(
    store: RetryingStore,
    layout: Layout,
    selection: Selection | None = None,
    checks: Checks | None = None,
    progress: Callable[[int], None] = ignore,
) -> Report:
    """Walk every selected chain. Raises UserError where there is none; damage is reported, not raised."""
    selection, checks = selection or Selection(), checks or Checks()
    examiner = Examiner(store, layout, deep=checks.decodes)
    workers, window = (DEEP_WORKERS, DEEP_WINDOW) if checks.decodes else (WORKERS, WINDOW)
    walk = Walk(store, layout, selection, examiner, progress, workers=workers, window=window)
    snapshot = SnapshotCheck(store, layout, selection)
    findings = Findings()
    watches: dict[Root, Watch] = {}
    totals, erased, named = Totals(), Totals(), 0
    for step in walk:
        if isinstance(step, OffLine):
            findings.add(_off_line(step))
            continue
        link = step.answer.link
        assert link is not None  # noqa: S101 - a link without a header is off the line
        totals += link.totals
        erased += link.original - link.totals
        findings.add(*snapshot.look(step.root.shard, step.after, link.totals))
        named += bool(link.dead_letter_key) and "dead_letter_missing" not in {f.code for f in step.answer.findings}
        findings.add(*(_expired(finding, link, checks.dead_letters_kept_since) for finding in _on_line(step)))
        watch = watches.setdefault(step.root, Watch(step.root, checks.retention_seconds))
        findings.add(*watch.look(step.key, link, step.answer.info.modified))
        if checks.ledger:
            findings.add(*checks.ledger.take(step.root.shard, step.key, step.answer.contents))
            if link.erasures:
                checks.ledger.erase(link)
    if not (walk.lines or walk.roots or findings.counts or checks.ledger or checks.facts):
        raise UserError(nothing(layout, selection))
    findings.add(*_roots(walk), *snapshot.finish())
    if checks.ledger:
        findings.add(*checks.ledger.finish(totals))
    if checks.facts:
        findings.add(*check_leases(checks.facts, walk.lines))
    lying = _dead_letters(store, layout, selection)
    objects = sum(line.objects for line in walk.lines.values())
    return Report(
        tuple(findings.kept),
        dict(findings.counts),
        findings.errors,
        (*checks.names, *((NAME,) if snapshot.newest else ())),
        len(walk.lines),
        objects,
        totals,
        max(0, lying - named),
        erased,
    )


def _off_line(step: OffLine) -> Finding:
    code = step.why.value
    if step.why is Why.STRANGER:
        name = step.key.rpartition("/")[2]
        if step.size == 0 or name.startswith(("_", ".")):
            return Finding(code, "not one of our files; readers pass over it", WARNING, key=step.key)
        message = "not a link's name: readers of the folder take it for articles; move it away"
    elif step.why is Why.ROOTLESS:
        message = "a link of a shard that has no root"
    elif step.why is Why.FORK:
        message = f"the chain, which stands at {step.state}, already holds what follows this position: a second line"
    elif step.why is Why.BREAK:
        missing = f"{step.missing} is missing" if step.missing else "what the chain's last link leads to is not known"
        message = f"the chain ends at {step.state}: {missing}, and this link lies beyond"
    else:
        message = step.problem
    return Finding(code, message, ERROR, shard_text(step.shard) if step.shard else "", step.position, step.key)


def _on_line(step: OnLine[Examined]) -> Iterator[Finding]:
    """What the link says of itself, and whether it says that it belongs where it lies."""
    link = step.answer.link
    assert link is not None  # noqa: S101
    if link.shard != step.root.shard or link.before != step.before:
        said = f"the header says that it follows {link.before} of {link.shard}"
        yield Finding("header", said, ERROR, shard_text(step.root.shard), str(step.before.position), step.key)
    if link.jumps:
        said = f"the chain was let go on at {link.after.position}, on request: what came between was given up"
        yield Finding("jump", said, WARNING, shard_text(step.root.shard), str(step.before.position), step.key)
    for finding in step.answer.findings:
        yield replace(finding, shard=shard_text(step.root.shard))


def _expired(finding: Finding, link: Link, kept_since: float | None) -> Finding:
    """Dead letters that the lifecycle was told to delete are no error."""
    if finding.code != "dead_letter_missing" or kept_since is None or (link.last_arrival or 0) / 1000 >= kept_since:
        return finding
    return replace(finding, severity=WARNING, message=f"{finding.message}: older than what --dead-letter-days keeps")


def _roots(walk: Walk[Examined]) -> Iterator[Finding]:
    for found in walk.roots:
        shard = shard_text(found.shard) if found.shard else ""
        if found.root is None:
            code, severity = ("root_unreadable", ERROR) if found.shard else ("root_stranger", WARNING)
            yield Finding(code, found.problem, severity, shard, key=found.key)
        elif found.root.mode != _TRIM_HORIZON:
            said = f"the chain starts {found.root.mode}: earlier records were never asked for"
            yield Finding("root_mode", said, WARNING, shard, key=found.key)


def _dead_letters(store: RetryingStore, layout: Layout, selection: Selection) -> int:
    parsed = (layout.parse_dead_letter(item.key) for item in store.list(layout.dead_letters))
    return sum(1 for found in parsed if found and selection.takes(found.shard))
