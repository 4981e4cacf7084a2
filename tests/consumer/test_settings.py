"""Settings come from the environment, and everything that is wrong is said at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consumer.settings import SettingsError, read_settings, to_environment

NEEDED = {"STREAM_NAME": "MyStream", "BUCKET": "my-bucket", "AWS_REGION": "eu-central-1"}


def problems(**env: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({**NEEDED, **env})
    return caught.value.problems


def test_three_settings_are_enough() -> None:
    settings = read_settings(NEEDED)
    assert (settings.application_name, settings.prefix, settings.codec) == ("articles", "articles", "deflate")
    assert (settings.file_bytes, settings.file_seconds, settings.file_records) == (64 * 1024**2, 300, 1_000_000)
    assert settings.start_mode == "TRIM_HORIZON"
    assert settings.idle_turn
    assert settings.worker_id
    assert settings.state_dir is None


def test_all_problems_are_told_at_once_one_line_each() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"START_AT": "LATEST", "FILE_SIZE": "big", "CODEC": "snappy", "S3_DEADLINE": "900"})
    found = caught.value.problems
    names = ("STREAM_NAME", "BUCKET", "AWS_REGION", "START_AT", "FILE_SIZE", "CODEC", "S3_DEADLINE")
    assert len(found) == len(names)
    for name in names:
        assert sum(line.startswith(name) for line in found) == 1
    assert all("\n" not in line for line in found)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("STREAM_NAME", "my stream", "not a usable name"),
        ("APPLICATION_NAME", "x" * 238, "3 to 237"),  # the tables' names add to it
        ("WORKER_ID", "a b", "not a usable name"),
        ("BUCKET", "s3://my-bucket", "without s3://"),
        ("BUCKET", "articles--euc1-az1--x-s3", "S3 Express"),
        ("PREFIX", "/articles/", "single slashes"),
        ("PREFIX", "a//b", "single slashes"),
        ("AWS_REGION", "Frankfurt", "region such as"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:4566", "not an address"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:port", "not an address"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:65536", "not an address"),
        ("AWS_ENDPOINT_URL_S3", "http://user@minio:9000", "not an address"),
        ("AWS_ENDPOINT_URL_S3", "http://minio:9000/bucket", "not an address"),
        ("FILE_SIZE", "64MB", "alone or with b, kib, mib, gib"),
        ("FILE_SIZE", "1KiB", "between"),
        ("FILE_AGE", "0", "between"),
        ("FILE_RECORDS", "many", "number"),
        ("IDLE_TURN", "perhaps", "on, off"),
        ("LOG_LEVEL", "loud", "INFO"),
        ("START_AT", "2026-01-31T00:00:00", "with its zone"),
        ("START_AT", "yesterday", "with its zone"),
        ("S3_DEADLINE", "841", "between"),  # and the longest batch must fit into one call of the daemon
    ],
)
def test_a_bad_value_gets_one_line_that_names_it(name: str, value: str, said: str) -> None:
    found = problems(**{name: value})
    assert len(found) == 1
    assert name in found[0]
    assert said in found[0]


@pytest.mark.parametrize("url", ["http://minio_1:9000", "https://s3.example.com", "http://[::1]:4566", "HTTP://minio"])
def test_addresses_of_endpoints(url: str) -> None:
    assert read_settings({**NEEDED, "AWS_ENDPOINT_URL_S3": f"{url}/"}).endpoint_url_s3 == url


def test_latest_is_refused_with_what_says_the_same_and_survives_a_restart() -> None:
    (line,) = problems(START_AT="latest")
    assert "START_AT=$(date -u" in line


def test_a_start_time_is_named_in_utc_to_the_second() -> None:
    settings = read_settings({**NEEDED, "START_AT": "2026-01-31T02:00:00+02:00"})
    assert settings.start_at == datetime(2026, 1, 31, tzinfo=UTC)
    assert settings.start_mode == "AT_TIMESTAMP 2026-01-31T00:00:00Z"


@pytest.mark.parametrize(
    "text, size", [("65536", 65536), ("1MiB", 1024**2), ("2 mib", 2 * 1024**2), ("100MiB", 100 * 1024**2)]
)
def test_sizes_have_binary_units(text: str, size: int) -> None:
    assert read_settings({**NEEDED, "FILE_SIZE": text}).file_bytes == size


@pytest.mark.parametrize("text, seconds", [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600)])
def test_times_have_units(text: str, seconds: int) -> None:
    assert read_settings({**NEEDED, "FILE_AGE": text}).file_seconds == seconds


def test_a_services_own_endpoint_wins_over_the_shared_one() -> None:
    env = {**NEEDED, "AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:2"}
    settings = read_settings(env)
    assert settings.endpoint_url_kinesis == "http://127.0.0.1:2"
    assert settings.endpoint_url_s3 == settings.endpoint_url_dynamodb == "http://127.0.0.1:1"


def test_an_empty_value_counts_as_unset() -> None:
    assert read_settings({**NEEDED, "FILE_AGE": "", "AWS_ENDPOINT_URL": " "}) == read_settings(NEEDED)


def test_a_profile_alone_gets_one_line_and_a_role_is_enough() -> None:
    (line,) = problems(AWS_PROFILE="dev")
    assert "export-credentials" in line
    read_settings({**NEEDED, "AWS_PROFILE": "dev", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"})
    read_settings({**NEEDED, "AWS_PROFILE": "dev", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"})


def test_half_a_key_is_told() -> None:
    (line,) = problems(AWS_ACCESS_KEY_ID="x")
    assert "AWS_SECRET_ACCESS_KEY is not" in line


def test_a_profiles_defaults_stand_in_for_what_is_unset() -> None:
    assert read_settings(NEEDED, {"FILE_AGE": "3"}).file_seconds == 3
    assert read_settings({**NEEDED, "FILE_AGE": "9"}, {"FILE_AGE": "3"}).file_seconds == 9


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "2026-01-31T00:00:00Z"])
def test_children_read_the_same_settings_again(start: str) -> None:
    env = {
        **NEEDED,
        "START_AT": start,
        "WORKER_ID": "worker-1",
        "STATE_DIR": "/state dir",
        "IDLE_TURN": "off",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:4566",
    }
    settings = read_settings(env, {"FILE_AGE": "3"})
    assert read_settings(to_environment(settings)) == settings
