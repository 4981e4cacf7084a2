"""Starts one worker: checks everything that can be checked beforehand, then becomes the daemon.

    python -m consumer.launcher [--profile production|local] [--check] [--start-chain-here]

Exit status: 0 after --check or --start-chain-here found nothing wrong; 2 when a setting, Java, a jar, AWS or the
stored chains keep the worker from starting (one line each on stderr). From then on it is the daemon's own: 143 after
SIGTERM, 1 when a child left or the daemon failed (start it again under the same worker id).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from articles.clock import SystemClock
from articles.errors import UserError
from consumer import certificates, jars, java, watchdog
from consumer.identity import Identity
from consumer.properties import PROFILES, TEMPLATES, render
from consumer.settings import Settings, SettingsError, read_settings, to_environment
from consumer.state_dir import StateDir, in_memory, open_state_dir

CHILD: Final = "-P -m consumer"  # -P: what lies in the working directory must not stand in for a module
DAEMON: Final = "software.amazon.kinesis.multilang.MultiLangDaemon"
PROFILE_DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {
    "production": {},
    "local": {"FILE_AGE": "3", "AWS_REGION": "us-east-1"},
}
# An error that the daemon would limp on after must end it: whoever supervises starts it again.
_JVM: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8")
_SETTINGS: Final = """\
settings, from the environment:
  STREAM_NAME, BUCKET, AWS_REGION       needed
  APPLICATION_NAME (articles)           the lease table's name; workers under one name share the shards
  WORKER_ID (the host's name)           one for each worker, and the same after a restart
  PREFIX (articles)                     where in the bucket everything goes
  START_AT (TRIM_HORIZON)               or a time such as 2026-01-31T00:00:00Z, for shards never read before
  FILE_SIZE (64MiB), FILE_AGE (300), FILE_RECORDS (1000000)     what closes a file: compressed size, age, records
  CODEC (deflate)                       or zstandard, null
  IDLE_TURN (on)                        whether a shard without records closes its days
  STATE_DIR (a temporary one)           live numbers, to watch the worker; losing them loses nothing
  S3_DEADLINE (600)                     seconds that S3 may be away before the worker leaves and is started again
  HEALTH_SECONDS (900)                  how long records may wait before `python -m consumer.health` says so
  LOG_LEVEL (INFO)                      DEBUG, INFO, WARNING, ERROR
  AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, _KINESIS, _DYNAMODB, _CLOUDWATCH     other endpoints than AWS's
  ARTICLES_JAVA, ARTICLES_JAVA_OPTS     the Java to run, and options for it (-Xmx512m)
"""
_PROJECT: Final = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="run_kcl.sh",
        description="Starts one worker: checks what can be checked, then becomes the Kinesis Client Library's daemon.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"{_SETTINGS}\n{(__doc__ or '').partition(chr(10) * 2)[2].partition(chr(10) * 2)[2]}",
    )
    parser.add_argument("--profile", choices=PROFILES, default="production", help="which properties (production)")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="run every check, say what is fine, and leave")
    instead.add_argument(
        "--start-chain-here",
        action="store_true",
        help="where leases are past their chains, let the chains go on at the leases' checkpoints, and leave",
    )
    args = parser.parse_args(argv)
    try:
        launch(args.profile, dict(os.environ), check=args.check, start_chain_here=args.start_chain_here)
    except UserError as error:
        for line in str(error).splitlines():
            _say(line)
        return 2
    return 0


def launch(profile: str, env: dict[str, str], *, check: bool, start_chain_here: bool) -> None:
    """Becomes the daemon, or returns after the checks alone. Raises UserError."""
    settings, program, folder = _set_up(profile, env)
    from consumer.announce import announce  # boto3 takes a while to load: bad settings are told before
    from consumer.first_start import wait_for_turn
    from consumer.preflight import Preflight

    preflight = Preflight.open(settings)
    if start_chain_here:
        preflight.start_chain_here(_say)
        return
    preflight.check(_say if check else _silent, _say)
    if check:
        _say(f"all is well: {settings.worker_id} can read {settings.stream_name}")
        return
    state = open_state_dir(settings, _say)
    for step in (announce, wait_for_turn):
        step(preflight.dynamodb, settings.application_name, settings.worker_id, SystemClock())
    become_daemon(profile, settings, preflight.stream, state, env, program, folder)


def _set_up(profile: str, env: Mapping[str, str]) -> tuple[Settings, str, Path]:
    """What can be told without AWS, all problems at once."""
    problems: list[str] = []
    settings: Settings | None = None
    program, folder = "", Path()
    try:
        settings = read_settings(env, PROFILE_DEFAULTS[profile])
    except SettingsError as error:
        problems += error.problems
    try:
        if settings:
            render(_template(profile), settings, "python")
    except SettingsError as error:
        problems += [f"{TEMPLATES.name}/{profile}.properties: {problem}" for problem in error.problems]
    try:
        program = java.find_java(env)
    except UserError as error:
        problems.append(str(error))
    try:
        folder = java.jars_folder()
        problems += [
            f"{folder}: {problem}; delete .venv, and ./run_kcl.sh sets up anew" for problem in jars.problems(folder)
        ]
    except UserError as error:
        problems.append(str(error))
    if problems or settings is None:
        raise SettingsError(problems)
    return settings, program, folder


def become_daemon(
    profile: str,
    settings: Settings,
    identity: Identity,
    state: StateDir,
    env: Mapping[str, str],
    program: str,
    folder: Path,
) -> NoReturn:
    """Replaces this process by the daemon, so that signals and the exit status are the daemon's."""
    python = Path(sys.executable)
    # The daemon splits this at spaces and looks the program up in PATH: a path with spaces must not be part of it.
    properties = render(_template(profile), settings, f"{python.name} {CHILD}")
    shards_file = state.write("shards.json", json.dumps(identity.starting_sequence_numbers), _say)
    child = to_environment(settings) | {
        **identity.to_environment(shards_file),
        "STATE_DIR": str(state.path or ""),
        "PATH": f"{python.parent}{os.pathsep}{env.get('PATH', os.defpath)}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_PROJECT), env.get("PYTHONPATH")))),
        "PYTHONUTF8": "1",
        # Without a UTF-8 locale, Java mangles partition keys with accents.
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    if hasattr(os, "memfd_create"):  # in memory: a file that somebody cleans away would end all children to come
        child |= certificates.to_environment(env, in_memory)
    environment = dict(env) | child
    command = [
        program,
        *_JVM,
        *_watched(environment),
        # Logback takes a level that it does not know, as our WARNING, for DEBUG.
        f"-DLOG_LEVEL={settings.log_level.removesuffix('ING')}",
        *shlex.split(env.get("ARTICLES_JAVA_OPTS", "")),
        "-cp",
        f"{folder}/*",
        DAEMON,
        "--properties-file",
        state.write("worker.properties", properties, _say),
        "--log-configuration",
        str(TEMPLATES / "logback.xml"),
    ]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, command, environment)


def _watched(environment: Mapping[str, str]) -> list[str]:
    """The option for the daemon that a watchdog watches it by."""
    if os.getpid() == 1:
        _say("the daemon is process 1 here, which nobody can end: a crash costs 20 s more; run it under an init")
        return []
    return [f"-Darticles.watchdog=/dev/fd/{watchdog.start(environment)}"]


def _template(profile: str) -> str:
    path = TEMPLATES / f"{profile}.properties"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"cannot be read: {error.strerror} ({path})"]) from error


def _say(line: str) -> None:
    sys.stderr.write(f"run_kcl.sh: {line}\n")


def _silent(_line: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
