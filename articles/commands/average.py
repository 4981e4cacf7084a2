"""`articles average`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from articles import average, options
from articles.average import Average
from articles.catalog import manifest
from articles.catalog.manifest import Manifest
from articles.commands import table
from articles.errors import ChainError
from articles.groups import Group
from articles.keys import Layout
from articles.progress import Progress, note
from articles.retry import RetryingStore

BY: Final = ("worker", "shard", "date")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exact: the sum of all words over the number of records, as integers, from the files' metadata alone; no\n"
        "file is read, and where `articles catalog build` has run, only what came after its newest snapshot is looked\n"
        "at. Groups add up to the whole. Rejected records (dead letters) do not count. Files that no chain\n"
        "leads to are left out; a broken chain is an error, exit status 1, and `articles verify` says where."
    )
    options.add_location(parser)
    parser.add_argument("--by", choices=BY, help="groups too: who stored it, which shard, or on which page it lies")
    parser.add_argument(
        "--no-catalog", action="store_true", help="look at every file, also those that the newest snapshot holds"
    )


def run(args: argparse.Namespace) -> int:
    layout, store = options.layout(args), options.open_store(args)
    base = None if args.no_catalog else _newest(store, layout)
    with Progress("files") as progress:
        found = average.compute(store, layout, options.selection(args), progress, base)
    if found.strangers:
        left_out = table.count(len(found.strangers), "object")
        note(f"{left_out} that no chain leads to, left out of the average: {found.strangers[0]}, …")
    groups = _groups(found, args.by)
    mixed = len(found.enrichments) > 1
    if args.json:
        said = {**found.total.to_json(), "groups": {name: group.to_json() for name, group in groups.items()}}
        if mixed:
            said["enrichments"] = {name: group.to_json() for name, group in found.enrichments.items()}
        print(table.as_json(said))
        return 0
    _print(found.total, groups, args.by)
    if mixed:
        note("the files were enriched by more than one version, which may count words differently:")
        _print_groups(found.enrichments, "enrichment")
    return 0


def _newest(store: RetryingStore, layout: Layout) -> Manifest | None:
    try:
        return manifest.newest(store, layout)
    except ChainError as error:
        note(f"every file is looked at, for the newest snapshot cannot be read: {error}")
        return None


def _groups(found: Average, by: str | None) -> Mapping[str, Group]:
    if by == "worker":
        return dict(sorted(found.workers.items()))
    if by == "date":
        return dict(sorted(found.dates.items()))
    if by == "shard":
        names = table.labels(found.shards)
        return {names[shard]: group for shard, group in sorted(found.shards.items())}
    return {}


def _print(total: Group, groups: Mapping[str, Group], by: str | None) -> None:
    if by:
        _print_groups(groups, by)
        print()
    totals = total.totals
    if total.value is None:
        print(f"no records yet ({table.count(total.objects, 'file')}, {totals.rejected:,} rejected)")
        return
    print(f"average  {total.value:.6f} words = {totals.words:,} / {table.count(totals.good, 'record')}")
    print(f"         in {table.count(total.objects, 'file')}; {totals.rejected:,} rejected, not counted")


def _print_groups(groups: Mapping[str, Group], by: str) -> None:
    rows = [
        (name, _value(group), group.totals.words, group.totals.good, group.totals.rejected, group.objects)
        for name, group in groups.items()
    ]
    for line in table.lines((by, "average", "words", "records", "rejected", "files"), rows, range(1, 6)):
        print(line)


def _value(group: Group) -> str:
    return "-" if group.value is None else f"{group.value:.6f}"
