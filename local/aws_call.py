"""Which AWS operation an HTTP request asks for, and on what: as the services tell it themselves, from the outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

RESOURCE_FIELDS: Final = ("TableName", "StreamName", "StreamARN")
ON_OBJECTS: Final = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
ON_BUCKETS: Final = {"PUT": "CreateBucket", "GET": "ListObjects", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}
PARTS_OF_BUCKETS: Final = ("versioning", "tagging", "policy", "location", "encryption", "lifecycle", "acl")


@dataclass(frozen=True, slots=True)
class Call:
    """`name` is a table (with `/index/` and an index's name, where that is queried), a stream, the namespace of
    metrics, or an S3 key (of a listing: its prefix); `bucket` is S3's alone."""

    service: str
    operation: str
    name: str
    bucket: str = ""

    @property
    def resource(self) -> str:
        return f"{self.bucket}/{self.name}" if self.bucket else self.name


def call_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call of a request; names of `headers` are in lower case. What is none of the JSON services is taken for S3,
    its bucket in the path."""
    service, dot, operation = headers.get("x-amz-target", "").rpartition(".")
    if dot:
        return Call(service.partition("_")[0].lower(), operation, _resource(body))
    parts = urlsplit(target)
    if parts.path.startswith("/service/"):  # Smithy's RPC, which CloudWatch's newer clients speak
        return Call("cloudwatch", parts.path.rpartition("/")[2], "")
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") and not parts.query:
        said = dict(parse_qsl(body.decode("latin-1")))
        return Call("cloudwatch", said.get("Action", ""), said.get("Namespace", ""))
    bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not bucket:
        return Call("s3", "ListBuckets", "")
    if key:
        return Call("s3", ON_OBJECTS.get(method, f"{method}Object"), key, bucket)
    for part in PARTS_OF_BUCKETS:
        if part in query:
            return Call("s3", f"{method.capitalize()}Bucket{part.capitalize()}", "", bucket)
    if "list-type" in query:
        return Call("s3", "ListObjectsV2", query.get("prefix", ""), bucket)
    return Call("s3", ON_BUCKETS.get(method, f"{method}Bucket"), query.get("prefix", ""), bucket)


def _resource(body: bytes) -> str:
    try:
        said = json.loads(body)
    except ValueError:  # Kinesis' Java client speaks CBOR
        return ""
    if not isinstance(said, dict):
        return ""
    name = next((str(said[field]) for field in RESOURCE_FIELDS if field in said), "")
    return f"{name}/index/{said['IndexName']}" if "IndexName" in said else name
