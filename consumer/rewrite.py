"""`articles rewrite`. Here, because dead letters may be compressed as only the consumer knows."""

from __future__ import annotations

import argparse

from articles.commands import rewrite
from consumer.payload import unpack

add_arguments = rewrite.add_arguments


def run(args: argparse.Namespace) -> int:
    return rewrite.run(args, unpack)
