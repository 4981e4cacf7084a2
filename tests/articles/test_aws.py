"""What AWS refuses comes out as one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore import exceptions

from articles import aws
from articles.errors import UserError


def said(error: Exception) -> str:
    with pytest.raises(UserError) as caught, aws.translated("s3", "bucket news"):
        raise error
    line = str(caught.value)
    assert "\n" not in line
    return line


def refused(code: str, status: int = 400, message: str = "no") -> Exception:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "ListObjectsV2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error, advice",
    [
        (refused("NoSuchBucket"), "there is no bucket news"),
        (refused("ResourceNotFoundException"), "there is no bucket news"),
        (refused("PermanentRedirect"), "lies in another region; set AWS_REGION"),
        (refused("AccessDenied"), "s3:ListObjectsV2"),
        (refused("ExpiredToken"), "expired"),
        (refused("SignatureDoesNotMatch"), "not accepted"),
        (refused("RequestTimeTooSkewed"), "clock"),
        (refused("InvalidSignatureException", message="Signature expired: 20260131T000000Z is now earlier"), "clock"),
        (refused("SomethingElse"), "SomethingElse: no"),
        (exceptions.NoCredentialsError(), "AWS_ACCESS_KEY_ID"),
        (exceptions.NoRegionError(), "AWS_REGION"),
        (exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "does not answer"),
        (exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"), "does not answer"),
        (ValueError("Invalid endpoint: x\nmore"), "Invalid endpoint: x"),
    ],
)
def test_every_error_of_aws_is_one_line_with_advice(error: Exception, advice: str) -> None:
    assert advice in said(error)


def test_waiting_gives_up_after_a_deadline() -> None:
    states = iter([False, False, True])
    aws.wait_until("table news", lambda: next(states), every=0.001)
    never: Callable[[], bool] = lambda: False  # noqa: E731
    with pytest.raises(UserError, match="table news was not ready"):
        aws.wait_until("table news", never, seconds=0.01, every=0.001)


class Pages:
    """A fake of DynamoDB with one lease a page."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def scan(self, **request: object) -> dict[str, object]:
        if not self._keys:
            raise self.exceptions.ResourceNotFoundException
        start = request.get("ExclusiveStartKey")
        at = self._keys.index(str(start)) + 1 if start else 0
        item = {
            "leaseKey": {"S": self._keys[at]},
            "checkpoint": {"S": "12"},
            "checkpointSubSequenceNumber": {"N": "3"},
            "leaseOwner": {"S": "worker-1"},
            "parentShardId": {"SS": ["b", "a"]},
        }
        return {"Items": [item], "LastEvaluatedKey": self._keys[at] if at + 1 < len(self._keys) else None}


def test_leases_are_read_over_all_pages() -> None:
    leases = aws.read_leases(Pages("shardId-000000000001", "shardId-000000000000"), "articles")
    assert leases is not None
    assert [lease.key[-1] for lease in leases] == ["0", "1"]
    assert leases[0] == aws.Lease("shardId-000000000000", "12", 3, "worker-1", 0, ("a", "b"), 0)
    assert aws.read_leases(Pages(), "articles") is None
