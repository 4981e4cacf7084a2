"""Nothing that a producer sends gets a say in where objects lie."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.record import Record
from tests.consumer.kit import LAYOUT, SHARD, Bench, bad, record

NAME = rf"s-{SHARD.stream}-{SHARD.created}-{SHARD.shard}-[0-9]{{56}}-[0-9]{{10}}"
ALLOWED = re.compile(
    rf"{LAYOUT.prefix}/(chain/{NAME}|data/dt=[0-9-]{{10}}/{NAME}\.avro|dead-letter/dt=[0-9-]{{10}}/{NAME}-[0-9a-f]{{16}}\.avro)"
)
texts = st.text(min_size=1) | st.sampled_from(
    ["../../etc", "/", "a/b", ".avro", "dt=1999-01-01", "s-x", "%2e%2e%2f", "\n"]
)
articles = st.fixed_dictionaries(
    {"article_id": texts, "content": texts}, optional=dict.fromkeys(("title", "publish_date", "dt", "key"), texts)
)
sent = st.tuples(articles | st.binary(max_size=20).map(lambda data: b"\xff" + data), texts | st.none())


def keys(records: Sequence[Record]) -> list[str]:
    """Of what is stored of them, in files of three; a new day begins in the middle."""
    bench = Bench()
    worker = bench.worker(file_records=3)
    worker.process(*records)
    worker.end()
    assert not worker.parked
    return sorted(bench.store.objects)


def without_digest(found: Sequence[str]) -> list[str]:
    return [re.sub(r"-[0-9a-f]{16}\.avro$", "", key) for key in found]


@given(st.lists(sent, min_size=1, max_size=8))
def test_keys_are_made_of_configuration_and_digits_whatever_is_sent(
    given_records: list[tuple[object, str | None]],
) -> None:
    """The same positions with other payloads and partition keys lie under the same keys, but for the digest in those of
    dead letters."""
    delivered, plain = [], []
    for number, (payload, key) in enumerate(given_records, 1):
        day = number // 5
        if isinstance(payload, bytes):
            delivered.append(replace(bad(number, payload, day=day), partition_key=key))
            plain.append(bad(number, day=day))
        else:
            data = json.dumps(payload).encode()
            delivered.append(replace(record(number, data=data, day=day), partition_key=key))
            plain.append(record(number, day=day))
    found = keys(delivered)
    assert found
    assert [key for key in found if not ALLOWED.fullmatch(key)] == []
    assert without_digest(found) == without_digest(keys(plain))
