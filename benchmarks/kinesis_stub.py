"""A Kinesis stream that is full already and costs little to read, in a process of its own.

What a worker costs and how fast it is should be its own figures. The emulators take records as slowly as they hand them
out, and count neither; this one makes the articles itself, serves them as fast as it is asked, or with `--limits` as
Kinesis does (five reads and 2 MB a second a shard), and says how many were read since when. It speaks as much of the
protocol as the daemon (HTTP/2 without TLS, CBOR) and Python's clients (HTTP/1.1, JSON) ask for. One thread, loopback
only. Prints its URL on a line of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from itertools import cycle, islice
from typing import Any, Final

import cbor2
from hypercorn.asyncio import serve
from hypercorn.config import Config

from benchmarks.lines import AS_GENERATED, Load

Fields = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

ARN: Final = "arn:aws:kinesis:us-east-1:000000000000:stream/"
HASHES: Final = 1 << 128
ANSWER_BYTES: Final = 10 << 20
BYTES_A_SECOND: Final = 2 << 20
READ_SECONDS: Final = 0.2
THROTTLED: Final = "ProvisionedThroughputExceededException"


class Refused(Exception):
    """The message is the error's code."""


class Stream:
    """`records` in each shard, all arrived when it was made."""

    def __init__(self, name: str, shards: int, records: int, limits: bool, size: int = AS_GENERATED) -> None:
        self.name, self.shards, self.records = name, shards, records
        self.served: Fields = {"records": 0, "first": None, "last": None, "reads": 0, "throttled": 0}
        self._arrived = time.time()
        self._again = dict.fromkeys(range(shards), 0.0) if limits else {}
        payloads = Load.of(records, size=size).payloads
        self._payloads = tuple(islice(cycle(payloads), records))
        texts = {payload: b64encode(payload).decode() for payload in payloads}
        self._texts = tuple(texts[payload] for payload in self._payloads)

    def answer(self, operation: str, asked: Fields, binary: bool) -> Fields:
        """`binary`: CBOR, which has bytes and counts time in milliseconds. Raises Refused."""
        match operation:
            case "DescribeStream":
                return {"StreamDescription": self._description(binary) | self._shard_list() | {"HasMoreShards": False}}
            case "DescribeStreamSummary":
                return {"StreamDescriptionSummary": self._description(binary) | {"OpenShardCount": self.shards}}
            case "ListShards":
                return self._shard_list()
            case "GetShardIterator":
                return {"ShardIterator": f"{asked['ShardId']}:{self._position(asked)}"}
            case "GetRecords":
                shard, _, position = asked["ShardIterator"].partition(":")
                return self._read(int(shard[-12:]), int(position), asked.get("Limit", 10_000), binary)
        raise Refused("InvalidAction")

    def _description(self, binary: bool) -> Fields:
        return {
            "StreamName": self.name,
            "StreamARN": ARN + self.name,
            "StreamStatus": "ACTIVE",
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": self._time(binary),
            "EnhancedMonitoring": [],
        }

    def _shard_list(self) -> Fields:
        step = HASHES // self.shards
        return {
            "Shards": [
                {
                    "ShardId": f"shardId-{shard:012d}",
                    "HashKeyRange": {
                        "StartingHashKey": str(shard * step),
                        "EndingHashKey": str((HASHES if shard + 1 == self.shards else (shard + 1) * step) - 1),
                    },
                    "SequenceNumberRange": {"StartingSequenceNumber": _sequence_number(shard, 0)},
                }
                for shard in range(self.shards)
            ]
        }

    def _position(self, asked: Fields) -> int:
        match asked["ShardIteratorType"]:
            case "TRIM_HORIZON":
                return 0
            case "AT_SEQUENCE_NUMBER":
                return max(0, int(asked["StartingSequenceNumber"][-20:]) - 1)
            case "AFTER_SEQUENCE_NUMBER":
                return int(asked["StartingSequenceNumber"][-20:])
        raise Refused("InvalidArgumentException")

    def _read(self, shard: int, position: int, limit: int, binary: bool) -> Fields:
        now = time.time()
        self.served["reads"] += 1
        if now < self._again.get(shard, 0.0):
            self.served["throttled"] += 1
            raise Refused(THROTTLED)
        arrived = self._time(binary)
        records: list[Fields] = []
        size = 0
        for number in range(position, min(position + limit, self.records)):
            size += len(self._payloads[number])
            if size > ANSWER_BYTES:
                break
            records.append(
                {
                    "SequenceNumber": _sequence_number(shard, number + 1),
                    "ApproximateArrivalTimestamp": arrived,
                    "Data": (self._payloads if binary else self._texts)[number],
                    "PartitionKey": f"key-{number}",
                }
            )
        if shard in self._again:
            self._again[shard] = now + max(READ_SECONDS, size / BYTES_A_SECOND)
        if records and limit > 1:  # one record is a look, as a worker's checks take it
            self.served |= {"records": self.served["records"] + len(records), "last": now}
            self.served["first"] = self.served["first"] or now
        after = position + len(records)
        behind = int((now - self._arrived) * 1000) if after < self.records else 0
        iterator = f"shardId-{shard:012d}:{after}"
        return {"Records": records, "NextShardIterator": iterator, "MillisBehindLatest": behind}

    def _time(self, binary: bool) -> float:
        return int(self._arrived * 1000) if binary else int(self._arrived)


def _sequence_number(shard: int, number: int) -> str:
    return f"4965{shard:032d}{number:020d}"


class Server:
    """The ASGI application."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        binary = "cbor" in headers.get("content-type", "")
        status, said = self._answer(headers.get("x-amz-target", ""), body, binary)
        kind = b"application/x-amz-cbor-1.1" if binary else b"application/x-amz-json-1.1"
        found = [(b"content-type", kind), (b"content-length", b"%d" % len(said)), (b"x-amzn-requestid", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": found})
        await send({"type": "http.response.body", "body": said})

    def _answer(self, target: str, body: bytes, binary: bool) -> tuple[int, bytes]:
        encode: Callable[[Any], bytes] = cbor2.dumps if binary else lambda value: json.dumps(value).encode()
        if not target:  # the benchmark's own question: what was read so far
            return 200, encode(self._stream.served)
        asked: Fields = (cbor2.loads if binary else json.loads)(body)
        try:
            return 200, encode(self._stream.answer(target.rpartition(".")[2], asked, binary))
        except Refused as refused:
            return 400, encode({"__type": str(refused), "message": str(refused)})


def main() -> None:
    parser = argparse.ArgumentParser(description="A Kinesis stream that is full already, for benchmarks.")
    parser.add_argument("--stream", default="benchmark", help="its name (%(default)s)")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--records", type=int, default=10_000, help="in each shard (%(default)s)")
    parser.add_argument("--size", type=int, default=AS_GENERATED, help="bytes of a record (3 KB on average)")
    parser.add_argument("--limits", action="store_true", help="five reads and 2 MB a second a shard, as Kinesis")
    args = parser.parse_args()
    stream = Stream(args.stream, args.shards, args.records, args.limits, args.size)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        config = Config()
        config.bind = [f"fd://{server.fileno()}"]
        config.keep_alive_timeout = 3600
        config.loglevel = "WARNING"
        print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
        asyncio.run(serve(Server(stream), config))


if __name__ == "__main__":
    main()
