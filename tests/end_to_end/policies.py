"""What the IAM policies in properties/ grant, judged as IAM does: as far as these policies go."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.aws_call import Call

FOLDER = Path(__file__).parents[2] / "properties"
FILES = {
    "provision": "iam-policy-provision.json",
    "worker": "iam-policy.json",
    "operator": "iam-policy-operator.json",
    "rewrite": "iam-policy-rewrite.json",
}
REGION, ACCOUNT = "us-east-1", "123456789012"
# Operations that are called otherwise than the action that allows them.
ACTIONS = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource, under the statement's conditions."""

    action: str
    resource: str
    condition: str

    def allows(self, action: str, arn: str, context: Mapping[str, str]) -> bool:
        return (
            action == self.action
            and fnmatch.fnmatchcase(arn, self.resource)
            and all(
                _holds(operator, context.get(key), [patterns] if isinstance(patterns, str) else patterns)
                for operator, keys in json.loads(self.condition).items()
                for key, patterns in keys.items()
            )
        )


def _holds(operator: str, value: str | None, patterns: list[str]) -> bool:
    if operator.endswith("IfExists") and value is None:
        return True
    assert operator.removesuffix("IfExists") in ("StringEquals", "StringLike"), operator
    return value is not None and any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)


def grants(role: str, values: Mapping[str, str] | None = None) -> list[Grant]:
    """Of a role's policy, in the order of the file; its variables have these `values`, or their names."""
    text = (FOLDER / FILES[role]).read_text()
    if values is not None:
        variables = {"PARTITION": "aws", "AWS_REGION": REGION, "ACCOUNT": ACCOUNT} | dict(values)
        text = re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], text)
    return [grant for statement in json.loads(text)["Statement"] for grant in _grants(statement)]


def _grants(statement: Mapping[str, object]) -> Iterator[Grant]:
    assert statement["Effect"] == "Allow"
    condition = json.dumps(statement.get("Condition", {}))
    for action in _list(statement["Action"]):
        for resource in _list(statement["Resource"]):
            yield Grant(action, resource, condition)


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def request(call: Call, stream: str) -> tuple[str, str, dict[str, str]]:
    """Action, resource and context of a call. One by a shard iterator does not name its stream, and means `stream`."""
    action = f"{call.service}:{ACTIONS.get(call.operation, call.operation)}"
    place = f"{REGION}:{ACCOUNT}"
    match call.service:
        case "s3":
            on_bucket = call.operation == "ListObjectsV2" or not call.name
            arn = f"arn:aws:s3:::{call.bucket}" + ("" if on_bucket else f"/{call.name}")
            return action, arn, {"s3:prefix": call.name} if call.operation == "ListObjectsV2" else {}
        case "dynamodb":
            return action, f"arn:aws:dynamodb:{place}:table/{call.name}", {}
        case "kinesis":
            return action, f"arn:aws:kinesis:{place}:stream/{(call.name or stream).rpartition('/')[2]}", {}
        case "cloudwatch":
            return action, "*", {"cloudwatch:namespace": call.name}
    raise AssertionError(f"a call of another service: {call}")
