"""The worker's settings, read from the environment. Light: the launcher and every child use it.

All problems are found in one pass, one line each, so that a user mends them in one go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from articles.container import CODECS
from articles.errors import UserError
from articles.store import seconds_for
from consumer.logs import LEVELS

CALL_TIMEOUT_SECONDS: Final = 900
"""After this long in one call the daemon takes a child for hung and halts (`timeoutInSeconds`)."""
CHECKPOINT_SECONDS: Final = 60
"""How long a lease table that refuses a checkpoint is asked again."""
LONGEST_BATCH_SECONDS: Final = 60
"""What a call may take beside waiting for S3; the S3 deadline and this must fit into one call."""
TRIM_HORIZON: Final = "TRIM_HORIZON"

_KIB: Final = 1024
_BYTES: Final = {"": 1, "b": 1, "kib": _KIB, "mib": _KIB**2, "gib": _KIB**3}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_STREAM: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_APPLICATION: Final = re.compile(r"[A-Za-z0-9_.-]{3,237}")  # plus "-CoordinatorState", a table name of 255 at most
_WORKER: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9_.=-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.=-]+)*")
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_ENDPOINT: Final = re.compile(r"(?i:https?)://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?/?")
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_ROLES: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class SettingsError(UserError):
    """Settings that are missing or make no sense: `problems` holds one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a worker reads and writes, and how it cuts files. `start_at` is None for TRIM_HORIZON."""

    stream_name: str
    application_name: str
    worker_id: str
    bucket: str
    prefix: str
    start_at: datetime | None
    region: str
    endpoint_url_s3: str | None
    endpoint_url_kinesis: str | None
    endpoint_url_dynamodb: str | None
    endpoint_url_cloudwatch: str | None
    file_bytes: int
    file_seconds: int
    file_records: int
    codec: str
    idle_turn: bool
    state_dir: str | None
    log_level: str
    s3_deadline_seconds: int
    health_seconds: int

    @property
    def start_mode(self) -> str:
        """How a chain's root names the start."""
        return TRIM_HORIZON if self.start_at is None else f"AT_TIMESTAMP {self.start_at:%Y-%m-%dT%H:%M:%SZ}"


def read_settings(env: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; `defaults` (a profile's) stand in for what is unset. An empty value counts as
    unset, as compose files leave it so. Raises SettingsError with every problem."""
    given = dict(defaults or {}) | {name: value for name, value in env.items() if value.strip()}
    read = _Reader(given)
    file_bytes = read.number("FILE_SIZE", "64MiB", _BYTES, 64 * _KIB, 256 * _KIB**2)
    # The last upload may start just before the S3 deadline, and the daemon must not take that for hanging.
    longest = seconds_for(file_bytes) + LONGEST_BATCH_SECONDS + CHECKPOINT_SECONDS
    most = int(CALL_TIMEOUT_SECONDS - longest)
    s3_deadline = read.number("S3_DEADLINE", str(min(600, most)), _SECONDS, 5, most)
    file_seconds = read.number("FILE_AGE", "300", _SECONDS, 1, 24 * 3600)
    # A shard stores nothing while its file fills, and for as long as S3 is away.
    health = str(max(CALL_TIMEOUT_SECONDS, 3 * file_seconds))
    settings = Settings(
        stream_name=read.name("STREAM_NAME", _STREAM, "letters, digits, _ . -, at most 128"),
        application_name=read.name("APPLICATION_NAME", _APPLICATION, "letters, digits, _ . -, 3 to 237", "articles"),
        worker_id=read.name("WORKER_ID", _WORKER, "letters, digits, _ . : -, at most 128", os.uname().nodename),
        bucket=read.bucket(),
        prefix=read.name("PREFIX", _PREFIX, "letters, digits, _ . = -, parts between single slashes", "articles"),
        start_at=read.start(),
        region=read.region(),
        endpoint_url_s3=read.endpoint("S3"),
        endpoint_url_kinesis=read.endpoint("KINESIS"),
        endpoint_url_dynamodb=read.endpoint("DYNAMODB"),
        endpoint_url_cloudwatch=read.endpoint("CLOUDWATCH"),
        file_bytes=file_bytes,
        file_seconds=file_seconds,
        file_records=read.number("FILE_RECORDS", "1000000", {"": 1}, 1, 100_000_000),
        codec=read.choice("CODEC", CODECS, "deflate"),
        idle_turn=read.choice("IDLE_TURN", ("on", "off"), "on") == "on",
        state_dir=given.get("STATE_DIR"),
        log_level=read.choice("LOG_LEVEL", LEVELS, "INFO"),
        s3_deadline_seconds=s3_deadline,
        health_seconds=read.number("HEALTH_SECONDS", health, _SECONDS, 5, 7 * 24 * 3600),
    )
    read.check_credentials()
    if read.problems:
        raise SettingsError(read.problems)
    return settings


def read_start(given: str) -> datetime | None:
    """START_AT; None for TRIM_HORIZON. Raises SettingsError."""
    text = given.strip()
    if text.upper() == TRIM_HORIZON:
        return None
    if text.upper() == "LATEST":
        said = (
            "START_AT=LATEST would lose what arrives before the first checkpoint whenever a worker restarts; "
            "give the time instead, which says the same and survives a restart: START_AT=$(date -u +%FT%TZ)"
        )
        raise SettingsError([said])
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or time.microsecond:
        raise SettingsError(
            [f"START_AT={text!r} is neither TRIM_HORIZON nor a time with its zone, such as 2026-01-31T00:00:00Z"]
        )
    return time.astimezone(UTC)


def to_environment(settings: Settings) -> dict[str, str]:
    """The settings as the children read them again, defaults of the profile included."""
    endpoints = {
        "AWS_ENDPOINT_URL_S3": settings.endpoint_url_s3,
        "AWS_ENDPOINT_URL_KINESIS": settings.endpoint_url_kinesis,
        "AWS_ENDPOINT_URL_DYNAMODB": settings.endpoint_url_dynamodb,
        "AWS_ENDPOINT_URL_CLOUDWATCH": settings.endpoint_url_cloudwatch,
    }
    return {
        "STREAM_NAME": settings.stream_name,
        "APPLICATION_NAME": settings.application_name,
        "WORKER_ID": settings.worker_id,
        "BUCKET": settings.bucket,
        "PREFIX": settings.prefix,
        "START_AT": TRIM_HORIZON if settings.start_at is None else settings.start_at.isoformat(),
        "AWS_REGION": settings.region,
        "FILE_SIZE": str(settings.file_bytes),
        "FILE_AGE": str(settings.file_seconds),
        "FILE_RECORDS": str(settings.file_records),
        "CODEC": settings.codec,
        "IDLE_TURN": "on" if settings.idle_turn else "off",
        "STATE_DIR": settings.state_dir or "",
        "LOG_LEVEL": settings.log_level,
        "S3_DEADLINE": str(settings.s3_deadline_seconds),
        "HEALTH_SECONDS": str(settings.health_seconds),
    } | {name: url for name, url in endpoints.items() if url}


class _Reader:
    """Collects problems instead of stopping at the first; the values it hands back then do not matter."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.problems: list[str] = []

    def name(self, name: str, pattern: re.Pattern[str], wanted: str, default: str | None = None) -> str:
        value = self.given.get(name, default)
        if value is None:
            self.problems.append(f"{name} is not set")
            return ""
        if not pattern.fullmatch(value):
            self.problems.append(f"{name}={value!r} is not a usable name: {wanted}")
        return value

    def bucket(self) -> str:
        value = self.name("BUCKET", _BUCKET, "a bucket's name, without s3:// and folders")
        if value.endswith("--x-s3"):
            self.problems.append(f"BUCKET={value!r} is an S3 Express directory bucket, which lists keys in no order")
        return value

    def region(self) -> str:
        name = "AWS_REGION" if "AWS_REGION" in self.given else "AWS_DEFAULT_REGION"
        if name not in self.given:
            self.problems.append("AWS_REGION is not set")
            return ""
        return self.name(name, _REGION, "a region such as eu-central-1")

    def endpoint(self, service: str) -> str | None:
        own = f"AWS_ENDPOINT_URL_{service}"
        name = own if own in self.given else "AWS_ENDPOINT_URL"
        value = self.given.get(name)
        if value is None:
            return None
        if not _is_endpoint(value):
            problem = f"{name}={value!r} is not an address such as http://127.0.0.1:4566"
            if problem not in self.problems:  # four services may share the one
                self.problems.append(problem)
        return value.rstrip("/")

    def number(self, name: str, default: str, units: Mapping[str, int], least: int, most: int) -> int:
        text = self.given.get(name, default).strip()
        match = re.fullmatch(r"(\d{1,12})\s*([A-Za-z]*)", text)
        unit = units.get(match[2].lower()) if match else None
        if match is None or unit is None:
            forms = ", ".join(filter(None, units))
            alone = f", alone or with {forms}" if forms else ""
            self.problems.append(f"{name}={text!r} is not a whole number{alone}")
            return 0
        value = int(match[1]) * unit
        if not least <= value <= most:
            self.problems.append(f"{name}={text!r} must be between {least} and {most}")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        given = self.given.get(name, default).strip()
        for choice in choices:
            if choice.lower() == given.lower():
                return choice
        self.problems.append(f"{name}={given!r} is not one of {', '.join(choices)}")
        return default

    def start(self) -> datetime | None:
        try:
            return read_start(self.given.get("START_AT", TRIM_HORIZON))
        except SettingsError as error:
            self.problems += error.problems
            return None

    def check_credentials(self) -> None:
        """Java, boto3 and the children's S3 client must all find the same credentials."""
        keys = [name for name in _KEYS if name in self.given]
        if len(keys) == 1:
            missing = next(name for name in _KEYS if name not in keys)
            self.problems.append(f"{keys[0]} is set but {missing} is not")
        elif not keys and "AWS_PROFILE" in self.given and not any(name in self.given for name in _ROLES):
            self.problems.append(
                f"AWS_PROFILE={self.given['AWS_PROFILE']!r} alone does not do: the daemon and its children read keys "
                "from the environment or a role; put them there with "
                'eval "$(aws configure export-credentials --format env)"'
            )


def _is_endpoint(text: str) -> bool:
    match = _ENDPOINT.fullmatch(text)
    return match is not None and 0 < int(match["port"] or 443) < 1 << 16
