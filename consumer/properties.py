"""Renders the daemon's properties file from a template, and refuses what the daemon would take without a word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from consumer.known_keys import KNOWN_KEYS
from consumer.settings import CALL_TIMEOUT_SECONDS, TRIM_HORIZON, Settings, SettingsError

TEMPLATES: Final = Path(__file__).resolve().parent.parent / "properties"
PROFILES: Final = ("production", "local")

_PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}")
_PROVIDER: Final = "awscredentialsprovider"
_SECRETS: Final = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\b(Static|Basic|AwsBasic)\w*Credentials", re.IGNORECASE)
# What must be said outright, because leaving it out means something else.
_REQUIRED: Final = {
    "executableName": "the daemon has nothing to run",
    "applicationName": "it names the lease table",
    "streamName": "it says what to read",
    "AwsCredentialsProvider": "the daemon does not start without it",
    "retrievalMode": "the default is enhanced fan-out, which is paid for by the hour; say POLLING",
    "timeoutInSeconds": "a child that hangs would block its shard for ever",
    "shutdownGraceMillis": "the default ends a worker without letting it seal its files",
    "callProcessRecordsEvenForEmptyRecordList": "an idle shard would never seal its file by age; say true",
    "isGracefulLeaseHandoffEnabled": "the default can leave a child shard unread (KCL issue 1729); say false",
}
# (key, the value that is refused in lower case, why)
_REFUSED: Final = (
    ("skipShardSyncAtWorkerInitializationIfLeasesExist", "true", "it changes which records de-aggregation drops"),
    ("isGracefulLeaseHandoffEnabled", "true", "it can leave a merge's child shard unread (KCL issue 1729); say false"),
    ("callProcessRecordsEvenForEmptyRecordList", "false", "an idle shard would never seal its file by age; say true"),
    ("initialPositionInStream", "latest", "it loses what comes before the first checkpoint; set START_AT to a time"),
    ("cleanupLeasesUponShardCompletion", "false", "the daemon takes false for unset, and cleans up; leave it out"),
    ("shutdownGraceMillis", "0", "it ends a worker without letting it seal its files"),
)


def render(template: str, settings: Settings, executable: str) -> str:
    """The properties file's text. `executable` is the child's command; the daemon splits it at spaces. Raises
    SettingsError with every problem."""
    properties, problems = parse(template)
    values = placeholders(settings, executable)
    filled: dict[str, str] = {}
    for key, raw in properties.items():
        unknown = [name for name in _PLACEHOLDER.findall(raw) if name not in values]
        problems += [f"{key}: there is no ${{{name}}}{_nearest(name, values)}" for name in unknown]
        value = _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), raw).strip()
        if value:
            filled[key] = value
    problems += check(filled)
    if problems:
        raise SettingsError(problems)
    return "".join(f"{key} = {_escape(value)}\n" for key, value in filled.items())


def placeholders(settings: Settings, executable: str) -> dict[str, str]:
    """What a template may name."""
    start = settings.start_at
    return {
        "EXECUTABLE": executable,
        "APPLICATION_NAME": settings.application_name,
        "STREAM_NAME": settings.stream_name,
        "WORKER_ID": settings.worker_id,
        "AWS_REGION": settings.region,
        "KINESIS_ENDPOINT": settings.endpoint_url_kinesis or "",
        "DYNAMODB_ENDPOINT": settings.endpoint_url_dynamodb or "",
        "CLOUDWATCH_ENDPOINT": settings.endpoint_url_cloudwatch or "",
        "START_POSITION": TRIM_HORIZON if start is None else "",
        "START_SECONDS": "" if start is None else str(int(start.timestamp())),
        "CALL_TIMEOUT_SECONDS": str(CALL_TIMEOUT_SECONDS),
    }


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Keys and raw values of a template, and what is wrong with its lines. Simpler than Java's format on purpose: no
    continued lines, no escapes."""
    properties: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        key, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not key or value.endswith("\\"):
            problems.append(f"line {number} is not `key = value` on one line")
        elif key in properties:
            problems.append(f"line {number} sets {key} a second time")
        else:
            properties[key] = value
    return properties, problems


def check(properties: Mapping[str, str]) -> list[str]:
    """Problems of the finished properties: keys that the daemon would ignore, values that would lose records."""
    problems = []
    for key, value in properties.items():
        if not _is_known(key):
            problems.append(f"the daemon knows no property {key}{_nearest(key, KNOWN_KEYS)}")
        if _SECRETS.search(value):
            problems.append(f"{key} holds credentials, and the daemon logs every value; use the environment or a role")
    for key, refused, reason in _REFUSED:
        if properties.get(key, "").lower() == refused:
            problems.append(f"{key}={properties[key]} is refused: {reason}")
    problems += [f"{key} is not set: {reason}" for key, reason in _REQUIRED.items() if not properties.get(key)]
    if not (properties.get("initialPositionInStream") or properties.get("initialPositionInStreamExtended")):
        problems.append("initialPositionInStream is not set: the default, LATEST, loses what came before")
    return problems


def _is_known(key: str) -> bool:
    # The daemon takes this one name in any case.
    return key in KNOWN_KEYS or (
        key.lower().startswith(_PROVIDER) and key.lower() in {known.lower() for known in KNOWN_KEYS}
    )


def _nearest(name: str, known: Mapping[str, str] | frozenset[str]) -> str:
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _escape(value: str) -> str:
    """Java reads a properties file as Latin-1, with backslash escapes."""
    plain = value.replace("\\", "\\\\")
    return "".join(c if " " <= c <= "~" else "".join(f"\\u{u:04x}" for u in _utf16(c)) for c in plain)


def _utf16(character: str) -> list[int]:
    code = character.encode("utf-16-be")
    return [int.from_bytes(code[at : at + 2]) for at in range(0, len(code), 2)]
