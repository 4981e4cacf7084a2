"""The proxy alters nothing by itself, and does to a request what it was told, and no more."""

from __future__ import annotations

import http.client
import re
import socket
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from articles.aws import client
from articles.errors import StoreUnavailable
from articles.s3 import S3ObjectStore
from local.aws_call import Call, call_of
from local.emulator import Emulator
from local.fault_proxy import THROTTLED, Action, Fault, FaultProxy
from tests.local.raw_service import RawService, read_exactly
from tests.waiting import eventually

KEY = "prefix/data/dt=2026-11-23/s-1.avro"

# What passes


def chunked(pieces: list[bytes], trailer: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return framed + b"0\r\n" + trailer + b"\r\n"


bodies = st.binary(max_size=200)
framings = st.one_of(
    st.just((b"", b"")),
    bodies.map(lambda body: (b"Content-Length: %d\r\n" % len(body), body)),
    st.builds(
        lambda pieces, trailer: (b"Transfer-Encoding: chunked\r\n", chunked(pieces, trailer)),
        st.lists(bodies, max_size=3),
        st.sampled_from([b"", b"x-amz-checksum-crc32: AAAAAA==\r\n"]),
    ),
)
odd_headers = st.sampled_from([b"", b"x-Odd:  Value \r\n", b"Host: s3.example.com\r\n", b"A: 1\r\nA: 2\r\n"])
requests = st.builds(
    lambda method, headers, framed: (
        method,
        b"%b /bucket/%%C3%%A9?a=&b HTTP/1.1\r\n%b%b\r\n%b" % (method, headers, *framed),
    ),
    st.sampled_from([b"GET", b"PUT", b"POST", b"DELETE", b"HEAD"]),
    odd_headers,
    framings,
)


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request and its answer, as they go over the wire."""
    method, request = draw(requests)
    if method == b"HEAD":
        return request, b"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n"
    if draw(st.booleans()):
        return request, draw(
            st.sampled_from([b"HTTP/1.1 204\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"])
        )
    framing, body = draw(framings.filter(lambda framed: framed[0] != b""))
    return request, b"HTTP/1.1 200 OK\r\n%b%b\r\n%b" % (draw(odd_headers), framing, body)


@settings(max_examples=60)
@given(st.lists(exchanges(), min_size=1, max_size=4))
def test_without_a_fault_the_very_bytes_go_through_on_one_connection(made: list[tuple[bytes, bytes]]) -> None:
    wanted, given_answers = [request for request, _ in made], [answer for _, answer in made]
    with (
        RawService(given_answers, [len(request) for request in wanted]) as service,
        FaultProxy(service.url) as proxy,
        connect(proxy) as connection,
    ):
        for request, answer in made:
            connection.sendall(request)
            assert read_exactly(connection, len(answer)) == answer
        assert service.received == wanted


def connect(proxy: FaultProxy) -> socket.socket:
    parts = urlsplit(proxy.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    request, answer = b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
    with (
        RawService([answer], [len(request)], ends_after=True) as service,
        FaultProxy(service.url) as proxy,
        connect(proxy) as connection,
    ):
        connection.sendall(request)
        assert read_exactly(connection, len(answer)) == answer
        assert connection.recv(1) == b""


def test_who_waits_for_100_continue_gets_it() -> None:
    head = b"PUT /b/k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with (
        RawService([b"HTTP/1.1 100 Continue\r\n\r\n" + answer], [len(head) + 4]) as service,
        FaultProxy(service.url) as proxy,
        connect(proxy) as connection,
    ):
        connection.sendall(head)
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert read_exactly(connection, len(go_on)) == go_on
        connection.sendall(b"body")
        assert read_exactly(connection, len(answer)) == answer
        assert service.received == [head + b"body"]


@pytest.mark.parametrize(
    "nonsense", [b"PRI * HTTP/2.0\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET /\r\n\r\n", b"A B C\r\n\r\n"]
)
def test_what_is_no_http_1_is_cut(nonsense: bytes) -> None:
    with RawService([], []) as service, FaultProxy(service.url) as proxy, connect(proxy) as connection:
        connection.sendall(nonsense)
        assert connection.recv(1) == b""


def test_a_large_body_goes_through_both_ways_quickly() -> None:
    body = bytes(range(256)) * (1 << 18)  # 64 MiB; the emulator alone takes 11 s for it
    request = b"PUT /b/k HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with (
        RawService([answer], [len(request)]) as service,
        FaultProxy(service.url) as proxy,
        connect(proxy) as connection,
    ):
        began = time.monotonic()
        connection.sendall(request)
        assert read_exactly(connection, len(answer)) == answer
        assert time.monotonic() - began < 10, "half a second; minutes if what has come were copied with every piece"
        assert service.received == [request]


# On the emulator, with the clients that the product uses


class Bucket:
    """Through the proxy by `store`, past it by `direct`."""

    def __init__(self, emulator: Emulator, proxy: FaultProxy, name: str) -> None:
        self.name, self.proxy = name, proxy
        self.direct = client("s3", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"])
        self.direct.create_bucket(Bucket=name)
        self.store = S3ObjectStore(name, region=emulator.region, endpoint_url=proxy.url)

    def put(self, body: bytes = b"body") -> bool:
        return self.store.create(KEY, body, {"records": "1"})

    def raw_put(self) -> bytes:
        return f"PUT /{self.name}/{KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody".encode()

    def body(self) -> bytes | None:
        try:
            read: bytes = self.direct.get_object(Bucket=self.name, Key=KEY)["Body"].read()
        except ClientError:
            return None
        return read


@pytest.fixture
def proxy(emulator: Emulator) -> Iterator[FaultProxy]:
    with FaultProxy(emulator.endpoint_urls["s3"]) as running:
        yield running


@pytest.fixture
def bucket(emulator: Emulator, proxy: FaultProxy, request: pytest.FixtureRequest) -> Bucket:
    return Bucket(emulator, proxy, request.node.name.replace("_", "-").partition("[")[0][:50] + uuid4().hex[:8])


def fault(action: Action, **fields: Any) -> Fault:
    return Fault("trouble", action, **({"methods": frozenset({"PUT"})} | fields))


def test_many_connections_at_once(bucket: Bucket) -> None:
    with ThreadPoolExecutor(100) as pool:
        done = list(pool.map(lambda number: bucket.store.create(f"{KEY}-{number % 50}", b"x", {}), range(100)))
    assert Counter(done) == {True: 50, False: 50}


def test_refused_requests_never_reach_the_service(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.REFUSE, pattern="*.avro", left=2)])
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="503"):
            bucket.put()
    assert bucket.body() is None
    assert bucket.put()
    assert bucket.proxy.counts == {"trouble": 2}


def test_an_answer_that_is_lost_leaves_the_object_there(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.LOSE, left=1)])
    with pytest.raises(StoreUnavailable):
        bucket.put()
    assert bucket.body() == b"body"
    assert bucket.put() is False


def test_an_answer_can_say_that_it_failed_when_it_did_not(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.MISREPORT, status=500)])
    with pytest.raises(StoreUnavailable, match="500"):
        bucket.put()
    assert bucket.body() == b"body"


def test_a_connection_can_be_cut_before_the_service_is_asked(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.CUT)])
    with pytest.raises(StoreUnavailable):
        bucket.put()
    assert bucket.body() is None


def test_a_damaged_body_is_found_out_by_its_digest_as_s3_would(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.CORRUPT)])
    with pytest.raises(StoreUnavailable, match="XAmzContentSHA256Mismatch"):
        bucket.put()
    assert bucket.body() is None


def test_an_unsigned_body_that_is_damaged_is_stored_as_s3_would(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.CORRUPT)])
    parts = urlsplit(bucket.proxy.url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("PUT", f"/{bucket.name}/{KEY}", b"body", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert connection.getresponse().status == 200
    connection.close()
    stored = bucket.body()
    assert stored is not None
    assert sum((a ^ b).bit_count() for a, b in zip(stored, b"body", strict=True)) == 1


def test_a_damaged_answer_differs_in_one_bit(bucket: Bucket) -> None:
    bucket.put()
    bucket.proxy.set([fault(Action.CORRUPT, methods=frozenset({"GET"}))])
    read = bucket.store.read(KEY) or b""
    assert sum((a ^ b).bit_count() for a, b in zip(read, b"body", strict=True)) == 1


def test_half_an_answer_is_no_answer(bucket: Bucket) -> None:
    bucket.put()
    bucket.proxy.set([fault(Action.TRUNCATE, methods=frozenset({"GET"}))])
    with pytest.raises(StoreUnavailable):
        bucket.store.read(KEY)


def test_a_slow_line_takes_its_time_both_ways(bucket: Bucket) -> None:
    bucket.proxy.set([fault(Action.SLOW, methods=frozenset(), bytes_a_second=20_000)])
    began = time.monotonic()
    assert bucket.put(bytes(10_000))
    assert time.monotonic() - began >= 0.5
    began = time.monotonic()
    assert bucket.store.read(KEY) == bytes(10_000)
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize("action, stored", [(Action.SLOW, None), (Action.HOLD, b"body")])
def test_who_gives_up_on_a_slow_line_has_stored_nothing_but_what_is_held_arrives_late(
    bucket: Bucket, action: Action, stored: bytes | None
) -> None:
    bucket.proxy.set([fault(action, seconds=0.5, bytes_a_second=8)])
    with connect(bucket.proxy) as connection:
        connection.sendall(bucket.raw_put())
        assert eventually(lambda: bucket.proxy.counts["trouble"] == 1, 10)
    assert bucket.body() is None
    assert eventually(lambda: bucket.body() == b"body", 1.5 if stored is None else 20) is (stored is not None)


def test_a_slow_line_without_a_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes_a_second"):
        fault(Action.SLOW)


def test_faults_strike_by_method_operation_key_number_and_chance(bucket: Bucket) -> None:
    every = {"methods": frozenset(), "status": 500}
    bucket.proxy.set(
        [
            Fault("never", Action.CUT, probability=0.0),
            Fault("other-key", Action.CUT, pattern="other/*"),
            Fault("delete", Action.CUT, methods=frozenset({"DELETE"})),
            Fault("body", Action.CUT, holding=b"SHARD_END"),
            Fault("list", Action.CUT, operations=frozenset({"ListObjectsV2"})),
            fault(Action.REFUSE, left=1, **every),
            Fault("half", Action.REFUSE, probability=0.5),
        ]
    )
    said = Counter(_status(bucket) for _ in range(200))
    assert said[500] == 1
    assert 60 < said[503] < 140
    assert bucket.proxy.counts == {"trouble": 1, "half": said[503]}
    bucket.proxy.set([])
    assert {_status(bucket) for _ in range(10)} == {404}


def _status(bucket: Bucket) -> int:
    connection = http.client.HTTPConnection(urlsplit(bucket.proxy.url).netloc)
    try:
        connection.request("HEAD", f"/{bucket.name}/{KEY}")
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_same_seed_strikes_the_same_requests(emulator: Emulator, bucket: Bucket) -> None:
    def strikes(seed: int) -> list[int]:
        with FaultProxy(emulator.endpoint_urls["s3"], seed) as proxy:
            bucket.proxy = proxy
            proxy.set([Fault("half", Action.REFUSE, probability=0.5)])
            return [_status(bucket) for _ in range(40)]

    assert strikes(7) == strikes(7) != strikes(8)


def test_what_is_called_is_counted_without_the_digits_that_grow(bucket: Bucket) -> None:
    heard: list[Call] = []
    with FaultProxy(bucket.proxy.url, listen=lambda _, call: heard.append(call)) as proxy:
        store = S3ObjectStore(bucket.name, region="us-east-1", endpoint_url=proxy.url)
        for number in (10_000, 10_001):
            store.head(f"a/dt=2026-11-23/s-{number}")
        list(store.list("a"))
        assert proxy.calls == {
            f"s3:HeadObject {squeezed(bucket.name)}/a/dt=#-11-23/s-#": 2,
            f"s3:ListObjectsV2 {squeezed(bucket.name)}/a/": 1,
        }
    assert heard[0] == Call("s3", "HeadObject", "a/dt=2026-11-23/s-10000", bucket.name)


def squeezed(name: str) -> str:
    return re.sub("[0-9]{4,}", "#", name)


def test_dynamodb_goes_through_and_is_throttled_by_operation_and_table(emulator: Emulator, proxy: FaultProxy) -> None:
    table = f"leases-{uuid4().hex[:12]}"
    dynamodb = client("dynamodb", region=emulator.region, endpoint_url=proxy.url)
    key = [{"AttributeName": "k", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "k", "AttributeType": "S"}]
    dynamodb.create_table(TableName=table, KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    item = {"k": {"S": "shardId-000000000000"}, "checkpoint": {"S": "1" * 56}}
    proxy.set(
        [
            Fault(
                "throttled",
                Action.REFUSE,
                operations=frozenset({"PutItem"}),
                pattern="leases-*",
                left=2,  # the client tries again by itself
                status=400,
                body=THROTTLED,
            )
        ]
    )
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.scan(TableName=table)["Items"] == [item]
    assert proxy.counts == {"throttled": 2}
    assert proxy.calls[f"dynamodb:PutItem {squeezed(table)}"] == 3


def test_a_damaged_answer_of_dynamodb_does_not_match_its_checksum(emulator: Emulator, proxy: FaultProxy) -> None:
    proxy.set([Fault("damaged", Action.CORRUPT, left=1)])
    parts = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(parts.netloc)
    headers = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/dynamodb/aws4_request"
    connection.request("POST", "/", b"{}", headers)
    answer = connection.getresponse()
    assert int(answer.headers["x-amz-crc32"]) != zlib.crc32(answer.read())
    connection.close()


def test_what_is_under_way_is_cut_at_the_end(bucket: Bucket) -> None:
    with FaultProxy(bucket.proxy.url) as proxy:
        proxy.set([fault(Action.HOLD, seconds=600)])
        connection = connect(proxy)
        connection.sendall(bucket.raw_put())
        assert eventually(lambda: proxy.counts["trouble"] == 1, 10)
    with connection:
        assert connection.recv(1) == b""
    assert bucket.body() is None


def test_a_service_that_is_away_is_a_connection_that_is_cut() -> None:
    with RawService([], []) as gone:
        pass
    with FaultProxy(gone.url) as proxy, connect(proxy) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(1) == b""


# What a call is


@pytest.mark.parametrize(
    "method, target, operation, name",
    [
        ("PUT", "/b/a/k%20%C3%A9", "PutObject", "a/k é"),
        ("GET", "/b/a/k", "GetObject", "a/k"),
        ("POST", "/b/k?uploads", "POSTObject", "k"),
        ("GET", "/b?list-type=2&prefix=a%2Fb&delimiter=%2F", "ListObjectsV2", "a/b"),
        ("GET", "/b/?prefix=a", "ListObjects", "a"),
        ("HEAD", "/b", "HeadBucket", ""),
        ("PUT", "/b/", "CreateBucket", ""),
        ("GET", "/b?versioning", "GetBucketVersioning", ""),
        ("PUT", "/b?tagging", "PutBucketTagging", ""),
    ],
)
def test_calls_of_s3(method: str, target: str, operation: str, name: str) -> None:
    assert call_of(method, target, {}, b"") == Call("s3", operation, name, "b")


@pytest.mark.parametrize(
    "headers, body, call",
    [
        ({"x-amz-target": "DynamoDB_20120810.Scan"}, b'{"TableName":"t"}', Call("dynamodb", "Scan", "t")),
        (
            {"x-amz-target": "DynamoDB_20120810.Query"},
            b'{"TableName":"t","IndexName":"i"}',
            Call("dynamodb", "Query", "t/index/i"),
        ),
        ({"x-amz-target": "Kinesis_20131202.PutRecords"}, b'{"StreamName":"s"}', Call("kinesis", "PutRecords", "s")),
        ({"x-amz-target": "Kinesis_20131202.GetRecords"}, b"\xa1\xff", Call("kinesis", "GetRecords", "")),
        ({"x-amz-target": "DynamoDB_20120810.ListTables"}, b"[]", Call("dynamodb", "ListTables", "")),
        (
            {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            b"Action=PutMetricData&Version=2010-08-01&Namespace=articles",
            Call("cloudwatch", "PutMetricData", "articles"),
        ),
    ],
)
def test_calls_of_other_services(headers: dict[str, str], body: bytes, call: Call) -> None:
    assert call_of("POST", "/", headers, body) == call


def test_a_call_of_smithys_rpc() -> None:
    target = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    assert call_of("POST", target, {}, b"") == Call("cloudwatch", "PutMetricData", "")
