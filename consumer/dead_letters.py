"""`articles dead-letters`: list, show, replay. Here, because replaying asks the consumer's own decoder first."""

from __future__ import annotations

import argparse

from articles.commands import dead_letters, replay
from consumer.decode import Rejected, decode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, add, summary in (
        ("list", dead_letters.add_list, "what was no valid article: where it stood, why, and how large it is"),
        ("show", dead_letters.add_show, "one record: readable, or raw"),
        ("replay", replay.add_arguments, "put payloads back into the stream, mended, each once"),
    ):
        described = summary[0].upper() + summary[1:] + "."
        kind = argparse.RawDescriptionHelpFormatter
        add(commands.add_parser(name, help=summary, description=described, formatter_class=kind))


def run(args: argparse.Namespace) -> int:
    if args.command == "replay":
        return replay.run(args, why_rejected)
    return dead_letters.run_list(args) if args.command == "list" else dead_letters.run_show(args)


def why_rejected(data: bytes) -> str | None:
    found = decode(data)
    return f"{found.reason}: {found.detail}" if isinstance(found, Rejected) else None
