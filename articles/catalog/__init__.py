"""Snapshots of the chains: numbered, immutable, built by adding what is new. What a reader needs to know of every link
without asking for it, and what stays the same however the chains grow."""

from articles.catalog.snapshot import CatalogFile, Rows, Snapshot, open_snapshot

__all__ = ["CatalogFile", "Rows", "Snapshot", "open_snapshot"]
