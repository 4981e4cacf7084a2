"""The daemon ignores keys it does not know, and takes settings that lose records: neither gets past the renderer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.jar_keys import known_keys, module_text
from consumer.java import jars_folder
from consumer.known_keys import KNOWN_KEYS
from consumer.properties import PROFILES, TEMPLATES, parse, render
from consumer.settings import CALL_TIMEOUT_SECONDS, Settings, SettingsError, read_settings

ENV = {
    "STREAM_NAME": "MyStream",
    "BUCKET": "my-bucket",
    "AWS_REGION": "eu-central-1",
    "WORKER_ID": "worker-1",
}
GOOD = (TEMPLATES / "production.properties").read_text("utf-8")


def settings(**env: str) -> Settings:
    return read_settings({**ENV, **env})


def rendered(template: str = GOOD, **env: str) -> dict[str, str]:
    properties, problems = parse(render(template, settings(**env), "python -m consumer"))
    assert problems == []
    return properties


def problems(template: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        render(template, settings(), "python -m consumer")
    return caught.value.problems


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_renders_with_every_required_setting(profile: str) -> None:
    properties = rendered((TEMPLATES / f"{profile}.properties").read_text("utf-8"))
    assert properties["executableName"] == "python -m consumer"
    assert properties["retrievalMode"] == "POLLING"
    assert properties["initialPositionInStream"] == "TRIM_HORIZON"
    assert properties["timeoutInSeconds"] == str(CALL_TIMEOUT_SECONDS)
    assert properties["isGracefulLeaseHandoffEnabled"] == "false"
    assert properties["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert properties["AwsCredentialsProvider"] == "DefaultCredentialsProvider"
    assert properties["disableWorkerMetrics"] == "true"
    assert "${" not in "".join(properties.values())


def test_a_start_time_is_given_in_seconds_and_endpoints_where_they_are_set() -> None:
    properties = rendered(START_AT="2026-01-31T00:00:00Z", AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    assert properties["initialPositionInStreamExtended"] == "1769817600"
    assert "initialPositionInStream" not in properties
    keys = ("kinesisEndpoint", "dynamoDBEndpoint", "cloudWatchClient.endpointOverride")
    assert {properties[key] for key in keys} == {"http://127.0.0.1:4566"}
    assert not any(key in rendered() for key in keys)


def test_an_unknown_key_is_told_with_the_nearest_known_one() -> None:
    (line,) = problems(GOOD + "failoverTimeMilis = 5\n")
    assert line == "the daemon knows no property failoverTimeMilis; did you mean failoverTimeMillis?"


def test_case_matters_except_in_the_name_of_the_credentials_provider() -> None:
    (line,) = problems(GOOD + "Maxrecords = 5\n")
    assert "did you mean maxRecords?" in line
    rendered(GOOD + "awsCredentialsProviderDynamoDB = DefaultCredentialsProvider\n")


@pytest.mark.parametrize(
    "line, said",
    [
        ("skipShardSyncAtWorkerInitializationIfLeasesExist = true", "de-aggregation"),
        ("cleanupLeasesUponShardCompletion = false", "takes false for unset"),
        ("AwsCredentialsProviderDynamoDB = StaticCredentialsProvider|key|secret", "holds credentials"),
        ("tableName = AKIAIOSFODNN7EXAMPLE", "holds credentials"),
        ("maxLeasesForWorker = ${LEASES}", "there is no ${LEASES}"),
        ("maxLeasesForWorker = ${STREAM_NAM}", "did you mean STREAM_NAME?"),
        ("maxLeasesForWorker", "not `key = value`"),
        ("streamName = other", "a second time"),
    ],
)
def test_a_bad_line_is_refused(line: str, said: str) -> None:
    (problem,) = problems(f"{GOOD}{line}\n")
    assert said in problem


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("isGracefulLeaseHandoffEnabled = false", "isGracefulLeaseHandoffEnabled = TRUE", "1729"),
        ("isGracefulLeaseHandoffEnabled = false", "", "1729"),
        ("callProcessRecordsEvenForEmptyRecordList = true", "", "idle shard"),
        ("initialPositionInStream = ${START_POSITION}", "initialPositionInStream = LATEST", "START_AT"),
        ("initialPositionInStream = ${START_POSITION}", "", "LATEST"),
        ("shutdownGraceMillis = 20000", "shutdownGraceMillis = 0", "seal"),
        ("timeoutInSeconds = ${CALL_TIMEOUT_SECONDS}", "", "hangs"),
        ("retrievalMode = POLLING", "", "fan-out"),
    ],
)
def test_what_would_lose_records_is_refused(old: str, new: str, said: str) -> None:
    assert old in GOOD
    (problem,) = problems(GOOD.replace(old, new))
    assert said in problem


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(GOOD + "a = 1\nb = 2\nshardSyncInterval = 3\n")) == 3


def test_the_list_of_keys_is_what_the_jars_say() -> None:
    keys = known_keys(jars_folder())
    assert set(keys) == KNOWN_KEYS, "regenerate it: python -m consumer.jar_keys > consumer/known_keys.py"
    source = Path(__file__).parents[2] / "consumer" / "known_keys.py"
    assert source.read_text("utf-8") == module_text(keys)


@pytest.mark.parametrize("name", ["iam-policy", "iam-policy-provision", "iam-policy-operator"])
def test_no_policy_lets_anybody_delete_an_object(name: str) -> None:
    policy = json.loads((TEMPLATES / f"{name}.json").read_text("utf-8"))
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
    assert not [action for action in actions if "*" in action or action.startswith("s3:Delete")]


def test_only_metrics_are_allowed_on_everything() -> None:
    for name in ("iam-policy", "iam-policy-provision", "iam-policy-operator"):
        policy = json.loads((TEMPLATES / f"{name}.json").read_text("utf-8"))
        wide = [each for each in policy["Statement"] if each["Resource"] == "*"]
        assert all(
            statement["Action"] == ["cloudwatch:PutMetricData"] and "Condition" in statement for statement in wide
        )
