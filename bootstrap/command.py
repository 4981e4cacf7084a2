"""Runs one command of the set-up: quietly, but its last words are kept for the error message."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bootstrap.errors import SetUpError

KEPT_LINES: Final = 15
# What would send an installation elsewhere than into our virtual environment, or other code into our interpreters.
MISLEADING: Final = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIREMENT",
    "VIRTUAL_ENV",
)
CERTIFICATES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def run(
    name: str,
    command: Sequence[str | Path],
    advice: str | Callable[[str], str],
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Raises SetUpError with the last lines; `name` is what the message calls the command, and `advice` may depend on
    the lines. Ends the command when we are interrupted."""
    words = [str(word) for word in command]
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=surroundings(os.environ) | dict(environment or {}),
        )
    except OSError as error:
        advised = advice if isinstance(advice, str) else advice("")
        raise SetUpError(f"{words[0]} does not start: {error.strerror}", advised) from error
    try:
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            if line.strip():
                kept.append(line.rstrip())
                if on_line:
                    on_line(line.strip())
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if status:
        advised = advice if isinstance(advice, str) else advice("\n".join(kept))
        raise SetUpError(f"`{name}` failed with status {status}", advised, tuple(kept))


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip and npm: the user's own, with their registries, proxies and certificates.

    Node knows only the certificate authorities that it brings, the others know the machine's: so it is told those too.
    """
    kept = {name: value for name, value in environment.items() if name not in MISLEADING}
    kept["PIP_USER"] = "0"  # a pip.conf with `user = true` would fail inside a virtual environment
    if "NODE_EXTRA_CA_CERTS" not in kept:
        there = [path for path in (kept.get("SSL_CERT_FILE", ""), *CERTIFICATES) if path and Path(path).is_file()]
        kept |= {"NODE_EXTRA_CA_CERTS": there[0]} if there else {}
    return kept
