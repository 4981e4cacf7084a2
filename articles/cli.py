"""The console script `articles`.

A command is a module with `add_arguments(parser)` and `run(args) -> exit status`. Modules are imported by name and
only when called: the commands over what is stored know nothing of the consumer, and `--help` needs neither.

Exit status: 0 done; 1 what is stored is not as it must be; 2 a mistake that the user can mend; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from articles import __version__
from articles.errors import ChainError, StoreError, StoreUnavailable, UserError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "average": ("articles.commands.average", "the exact average word count, of all and of groups"),
    "verify": ("articles.commands.verify", "prove that nothing is missing, repeated or altered"),
    "watermark": ("articles.commands.watermark", "up to which day everything has been stored"),
    "files": ("articles.commands.files", "the stored files: ranges, counts, sizes, workers"),
    "head": ("articles.commands.head", "the first records of a file, readable"),
    "export": (
        "articles.commands.export",
        "a snapshot's articles as right-sized files: shuffled, split, in less space",
    ),
    "catalog": ("articles.commands.catalog", "numbered snapshots of what is stored: build, list, show, diff"),
    "tombstone": ("articles.commands.tombstone", "articles that must not be read any more"),
    "rewrite": ("consumer.rewrite", "write everything into a new prefix, without what has a tombstone"),
    "dead-letters": ("consumer.dead_letters", "what was no valid article: list it, show it, put it back, mended"),
    "provision": ("consumer.provision", "make the bucket, the tables and the first leases"),
    "populate": ("local.populate", "put articles into a stream, generated or given"),
    "report": ("local.report", "wait until all that was put is stored, then show and prove it"),
    "emulator": ("local.emulator", "run Kinesis, DynamoDB and S3 on this machine"),
}
WRONG: Final = 1
MISTAKE: Final = 2
INTERRUPTED: Final = 130


class Command(Protocol):
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    top = _top()
    # Only the chosen command's module is imported, so the first word is looked at before argparse sees the rest.
    name = next((word for word in given if not word.startswith("-")), None)
    if name is None or given[0] != name:
        top.parse_args(given)
        top.print_help()
        return MISTAKE
    if name not in COMMANDS:
        top.error(f"there is no command {name!r}; the commands are {', '.join(COMMANDS)}")
    module, summary = COMMANDS[name]
    if arguments is None and module.startswith("articles."):
        # These may stop at any point: nothing needs tidying up, and a call under way in the S3 client hears no
        # KeyboardInterrupt until it gives up. The shell reports 130.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _guarded(name, module, summary, given[1:])


def _top() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<12} {summary}" for name, (_, summary) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="articles",
        usage="articles COMMAND [options]",
        description="News articles from a Kinesis stream, stored in S3 as Avro, each record exactly once.",
        epilog=f"commands:\n{listed}\n\n`articles COMMAND --help` explains one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"articles {__version__}")
    return parser


def _guarded(name: str, module: str, summary: str, arguments: Sequence[str]) -> int:
    try:
        command = cast("Command", importlib.import_module(module))
        parser = argparse.ArgumentParser(
            prog=f"articles {name}",
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(parser)
        status = command.run(parser.parse_args(arguments))
        sys.stdout.flush()
    except ChainError as error:
        return _say(name, error, WRONG)
    except StoreUnavailable as error:
        return _say(name, f"{error}; check the network, --endpoint-url and AWS_ENDPOINT_URL", MISTAKE)
    except (UserError, StoreError) as error:
        return _say(name, error, MISTAKE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads us has had enough, as in `| head`. The interpreter must not flush into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _say(name: str, error: Exception | str, status: int) -> int:
    print(f"articles {name}: {' '.join(str(error).split())}", file=sys.stderr)
    return status
