"""What keeps a worker from starting: leases held against chains, the bucket, the clock; and the way out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import cast

import pytest

from articles.aws import Lease, Shard
from articles.chain import END, Root, ShardName, State, Summary, Totals
from articles.errors import UserError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.s3 import S3ObjectStore
from articles.tail import StoredObject, Tail, find
from consumer.bucket_checks import PROBE, check_clock, check_create_once
from consumer.chain_checks import Expected, Standing, problems
from consumer.chain_restart import jump, restart
from consumer.identity import Identity
from consumer.preflight import Preflight
from consumer.settings import read_settings
from tests.articles.builder import Chain
from tests.fakes import MemoryStore

ARN = "arn:aws:kinesis:eu-central-1:000000000000:stream/MyStream"
CREATED = 1_750_000_000
NAME = ShardName("MyStream", CREATED, "shardId-000000000000")
SHARD = Shard(NAME.shard, (), "1000", None, "0", "9")
ENDED_SHARD = dataclasses.replace(SHARD, ending_sequence="9000")
EXPECTED = Expected(ARN, CREATED, "TRIM_HORIZON", 24 * 3600.0, "articles")
NOW = CREATED + 3600.0
LAYOUT = Layout("articles")


def lease(checkpoint: str, sub: int = 0, counter: int = 1) -> Lease:
    return Lease(SHARD.id, checkpoint, sub, "worker-1", counter, (), 0)


def root(mode: str = "TRIM_HORIZON", arn: str = ARN, page: str = "2025-06-16") -> Root:
    return Root(NAME, page, mode, arn, "1000", int(NOW * 1000), "1.0.0")


def chain(position: str | None = None, page: str = "2025-06-16", **fields: str) -> Tail:
    """A chain up to this sequence number; None for a root without links."""
    beginning = root(**fields)
    if position is None:
        return Tail(beginning, beginning.state, None)
    state = State(Position.of(position), page)
    return Tail(beginning, state, StoredObject("key", 1, Summary(state, Totals(), "worker-1", "", "")))


def found(standing: Standing, wall: float = NOW) -> str | None:
    lines = problems([standing], EXPECTED, wall)
    assert len(lines) <= 1
    assert all("\n" not in line for line in lines)
    return lines[0] if lines else None


@pytest.mark.parametrize(
    "standing",
    [
        Standing(SHARD, None, None),
        Standing(SHARD, lease("TRIM_HORIZON"), None),
        Standing(SHARD, lease("TRIM_HORIZON"), chain("1500")),  # a lost lease table: skipped to the tail
        Standing(SHARD, lease("1500"), chain("1500")),
        Standing(SHARD, lease("1400"), chain("1500")),  # ended between creating and checkpoint
        # The end link stands at the last record, before the shard's last possible number.
        Standing(ENDED_SHARD, lease("SHARD_END"), chain("1500", END)),
    ],
)
def test_what_agrees_may_start(standing: Standing) -> None:
    assert found(standing) is None


def test_a_lease_past_the_chain_is_refused_with_both_positions_and_the_way_out() -> None:
    for tail in (chain("1500"), None):
        line = found(Standing(SHARD, lease("1600", 2), tail))
        assert line is not None
        assert SHARD.id in line
        assert "1600:2" in line
        assert ("1500:0" if tail else "0:0") in line
        assert "--start-chain-here" in line


def test_a_shard_checkpointed_to_its_end_with_an_open_chain_is_refused() -> None:
    for tail in (chain("1500"), None):
        line = found(Standing(ENDED_SHARD, lease("SHARD_END"), tail))
        assert line is not None
        assert "SHARD_END" in line
        assert "--start-chain-here" in line


def test_a_stream_made_again_under_an_old_lease_table_is_refused_with_both_facts() -> None:
    line = found(Standing(SHARD, lease("999"), None))
    assert line is not None
    for fact in ("999", "1000", str(CREATED), "delete-table --table-name articles"):
        assert fact in line


def test_an_open_shard_whose_lease_is_at_its_end_is_of_another_stream() -> None:
    line = found(Standing(SHARD, lease("SHARD_END"), None))
    assert line is not None
    assert "that shard is open" in line
    with pytest.raises(UserError, match="that shard is open"):  # mending would close a shard that is to be read
        Mending().restart(Standing(SHARD, lease("SHARD_END"), None))


def test_another_start_mode_or_another_account_is_refused() -> None:
    line = found(Standing(SHARD, lease("1500"), chain("1500", mode="AT_TIMESTAMP 2026-01-01T00:00:00Z")))
    assert line is not None
    assert "AT_TIMESTAMP 2026-01-01T00:00:00Z" in line
    line = found(Standing(SHARD, lease("1500"), chain("1500", arn=ARN.replace("0000", "1111"))))
    assert line is not None
    assert "another PREFIX" in line


def test_a_root_without_links_is_refused_once_it_is_older_than_the_retention() -> None:
    standing = Standing(SHARD, lease("TRIM_HORIZON"), chain())
    assert found(standing, NOW + 23 * 3600) is None
    line = found(standing, NOW + 25 * 3600)
    assert line is not None
    assert "25 h old" in line


def test_every_shard_that_is_wrong_is_told() -> None:
    other = dataclasses.replace(SHARD, id="shardId-000000000001")
    standings = [Standing(SHARD, lease("1600"), None), Standing(other, lease("1700"), None)]
    assert len(problems(standings, EXPECTED, NOW)) == 2


class Mending:
    """A store with the standings' roots in it, and what `restart` said."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.said: list[str] = []

    def restart(self, standing: Standing, wall: float = NOW, before: Standing | None = None) -> Tail | None:
        store = RetryingStore(self.store)
        if standing.tail:
            self.store.create(LAYOUT.root_key(NAME), standing.tail.root.to_json(), {})
            if standing.tail.last:  # one empty link stands for all there may be
                jump(store, LAYOUT, NAME, standing.tail.root.state, standing.tail.state)
        restart(store, LAYOUT, [before or standing], [standing], EXPECTED, wall, self.said.append)
        return find(store, LAYOUT, NAME)


def test_the_chain_goes_on_at_the_leases_checkpoint_and_what_is_given_up_is_said() -> None:
    for tail in (chain("1500"), chain(), None):
        mending = Mending()
        mended = mending.restart(Standing(SHARD, lease("1600", 2), tail))
        assert mended is not None
        assert str(mended.state.position) == "1600:2"
        assert found(Standing(SHARD, lease("1600", 2), mended)) is None
        (line,) = mending.said
        assert "1600:2 will never be in this prefix" in line


def test_a_shard_read_to_its_end_gets_a_chain_that_is_at_its_end() -> None:
    mended = Mending().restart(Standing(ENDED_SHARD, lease("SHARD_END"), chain("1500")))
    assert mended is not None
    assert mended.state.ended
    standing = Standing(ENDED_SHARD, lease("SHARD_END"), mended)
    assert found(standing) is None
    assert found(standing, NOW + 99 * 3600) is None


def test_a_root_older_than_the_retention_is_mended_once_and_for_all() -> None:
    standing, wall = Standing(SHARD, lease("TRIM_HORIZON"), chain()), NOW + 25 * 3600
    assert found(standing, wall) is not None
    mended = Mending().restart(standing, wall)
    assert mended is not None
    assert str(mended.state.position) == "999:0"
    assert found(Standing(SHARD, lease("TRIM_HORIZON"), mended), wall + 99 * 3600) is None


def test_a_mended_chain_never_turns_a_page_back() -> None:
    mended = Mending().restart(Standing(SHARD, lease("1600"), chain("1500", page="2031-01-01")))
    assert mended is not None
    assert mended.state.page == "2031-01-01"


def test_another_writer_beside_the_operator_leaves_one_line() -> None:
    """The operator looked, then another application stored a link: create-once decides, and says so."""
    mending = Mending()
    tail = chain("1500")
    other = Mending()
    other.store = mending.store
    other.restart(Standing(SHARD, lease("1500"), tail))  # writes the chain alone
    jump(RetryingStore(mending.store), LAYOUT, NAME, tail.state, State(Position.of("1550"), tail.state.page))
    with pytest.raises(UserError, match="another writer"):
        mending.restart(Standing(SHARD, lease("1600"), tail))


def test_nothing_is_mended_that_is_well_or_while_a_worker_runs() -> None:
    mending = Mending()
    mending.restart(Standing(SHARD, lease("1500"), chain("1500")))
    assert mending.said == ["nothing to do: no lease is past its chain"]
    running = Standing(SHARD, lease("1600", counter=8), chain("1500"))
    with pytest.raises(UserError, match="stop all workers"):
        mending.restart(running, before=Standing(SHARD, lease("1600", counter=7), chain("1500")))


def test_a_bucket_must_create_a_key_only_once() -> None:
    store = MemoryStore()
    for _ in range(2):  # the probe stays, and passes again
        check_create_once(store, "articles")
    assert list(store.objects) == [f"articles/{PROBE}"]

    class Overwriting(MemoryStore):
        def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
            self.objects.pop(key, None)
            return super().create(key, body, attributes)

    with pytest.raises(UserError, match="If-None-Match"):
        check_create_once(Overwriting(), "articles")


class S3:
    """Answers a listing at 2025-06-15 15:06:40 GMT, which is CREATED."""

    def list_objects_v2(self, **_request: object) -> dict[str, object]:
        return {"ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 15 Jun 2025 15:06:40 GMT"}}}


def test_the_clock_must_agree_with_s3_within_five_minutes() -> None:
    assert check_clock(S3(), "bucket", "articles", CREATED + 299.0) == 299.0
    with pytest.raises(UserError, match="301 s ahead of"):
        check_clock(S3(), "bucket", "articles", CREATED + 301.0)
    with pytest.raises(UserError, match="3600 s behind"):
        check_clock(S3(), "bucket", "articles", CREATED - 3600.0)


def test_a_shard_that_ended_since_the_start_is_no_sign_of_an_earlier_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that restarts while shards split and merge was told to delete the lease table."""
    memory, calls = MemoryStore(), []
    chain = Chain(memory, LAYOUT, NAME)
    chain.root()
    chain.end()

    def read_leases(_dynamodb: object, _table: str) -> list[Lease]:
        calls.append("leases")
        return [lease("SHARD_END")]

    def list_shards(_kinesis: object, _stream: str) -> list[Shard]:
        calls.append("shards")
        return [ENDED_SHARD]

    monkeypatch.setattr("consumer.preflight.aws.read_leases", read_leases)
    monkeypatch.setattr("consumer.preflight.aws.list_shards", list_shards)
    settings = read_settings({"STREAM_NAME": "MyStream", "BUCKET": "my-bucket", "AWS_REGION": "eu-central-1"})
    at_the_start = Identity("MyStream", ARN, CREATED, 24, (SHARD,))
    store = cast("S3ObjectStore", memory)
    standings = Preflight(settings, at_the_start, None, None, None, store).standings()
    assert problems(standings, EXPECTED, NOW) == []
    assert calls == ["leases", "shards"]
