"""Starts the daemon with the straightforward consumer of the benchmarks as its child, for `chaos --consumer plain`.

The daemon is told the same as for ours; nothing is checked beforehand, and nothing watches its children.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from articles.aws import client
from articles.clock import SystemClock
from articles.errors import UserError
from consumer import java
from consumer.first_start import wait_for_turn
from consumer.launcher import DAEMON, PROFILE_DEFAULTS
from consumer.properties import TEMPLATES, render
from consumer.settings import read_settings, to_environment

CHILD = "-P -m benchmarks.plain_consumer"


def main() -> NoReturn:
    """Becomes the daemon. Raises UserError."""
    settings = read_settings(os.environ, PROFILE_DEFAULTS["local"])
    python = Path(sys.executable)
    template = (TEMPLATES / "local.properties").read_text(encoding="utf-8")
    properties = Path(settings.state_dir or ".") / "worker.properties"
    properties.write_text(render(template, settings, f"{python.name} {CHILD}"), encoding="utf-8")
    program, jars = java.find_java(os.environ), java.jars_folder()
    dynamodb = client("dynamodb", region=settings.region, endpoint_url=settings.endpoint_url_dynamodb)
    wait_for_turn(dynamodb, settings.application_name, settings.worker_id, SystemClock())
    environment = dict(os.environ) | to_environment(settings)
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    options = (*os.environ.get("ARTICLES_JAVA_OPTS", "").split(), "-Dfile.encoding=UTF-8", "-cp", f"{jars}/*")
    logging = ("--log-configuration", str(TEMPLATES / "logback.xml"))
    os.execve(program, [program, *options, DAEMON, "--properties-file", str(properties), *logging], environment)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"run_kcl.sh: {error}")
