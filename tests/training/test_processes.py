"""A dataset over S3 in other processes: forked ones, in which the store's client would hang, and spawned ones."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator
from io import BytesIO

import pytest

from articles import ArticleDataset, aws, cli
from articles.errors import StoreRefused, StoreUnavailable
from articles.s3 import S3ObjectStore, lost_in_a_fork
from articles.training.fetcher import Fetcher, serve
from local.emulator import Emulator
from tests.articles.builder import Chain, articles
from tests.training.kit import ids

pytestmark = pytest.mark.xdist_group("training_on_emulator")
URI = "s3://training/articles"


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3ObjectStore]:
    """With a snapshot of 30 articles."""
    with Emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        for variable, value in emulator.environment().items():
            patch.setenv(variable, value)
        aws.client("s3").create_bucket(Bucket="training")
        store = S3ObjectStore("training", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"])
        chain = Chain(store)
        chain.root()
        chain.link(articles(range(1, 31)))
        assert cli.main(["catalog", "build", URI]) == 0
        yield store


def in_a_fork(said: object) -> list[str]:
    """What a forked child answers, as JSON: pytest's own threads make `multiprocessing` warn of forks."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)  # rather than hang
            os.write(write, json.dumps(said()).encode())  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        found = answer.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    answered: list[str] = json.loads(found)
    return answered


def test_a_forked_process_reads_through_another_one(bucket: S3ObjectStore) -> None:
    dataset = ArticleDataset(URI, shuffle=True)
    whole = ids(dataset)
    assert len(whole) == 30
    assert in_a_fork(lambda: ids(dataset)) == whole
    assert in_a_fork(lambda: [dataset[3]["article_id"]]) == [ids(ArticleDataset(URI))[3]]


def test_in_a_forked_process_the_client_refuses_rather_than_hang(bucket: S3ObjectStore) -> None:
    def refused() -> list[str]:
        try:
            bucket.read("any")
        except StoreRefused as error:
            return [str(error), str(lost_in_a_fork())]
        return []

    bucket.read("any")
    said, lost = in_a_fork(refused)
    assert "spawn" in said
    assert lost == "True"


def test_a_spawned_process_goes_on_where_the_dataset_was(bucket: S3ObjectStore) -> None:
    dataset = ArticleDataset(URI)  # windows are larger there: no shuffle
    whole = ids(dataset)
    iterator = iter(dataset)
    for _ in range(7):
        next(iterator)
    dataset.load_state_dict(dataset.state_dict())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(ids, (pickle.loads(pickle.dumps(dataset)),)) == whole[7:]


def test_the_reading_process_says_what_the_store_says(bucket: S3ObjectStore) -> None:
    fetcher, other = Fetcher(URI, None, None, 5.0), Fetcher("s3://no-such-bucket/articles", None, None, 5.0)
    assert fetcher.read("articles/absent", 0, 10) is None
    with pytest.raises(StoreRefused, match="does not exist"):
        other.read("k")
    other.close()
    fetcher.close()
    with pytest.raises(StoreUnavailable, match="has ended"):
        fetcher.read("articles/absent", 0, 10)


def test_whatever_goes_wrong_in_the_reading_process_is_an_answer() -> None:
    class Broken:
        def read(self, *_: object) -> bytes:
            raise ValueError("no store raises this")

    requests, answers = BytesIO(), BytesIO()
    for request in (("where",), (0, "key", 0, 1)):
        pickle.dump(request, requests)
    requests.seek(0)
    serve(requests, answers, lambda _where: (Broken(), None))
    number, found = pickle.loads(answers.getvalue())
    assert number == 0
    assert isinstance(found, StoreRefused)


def test_a_reading_process_that_nobody_needs_ends(bucket: S3ObjectStore) -> None:
    fetcher = Fetcher(URI, None, None, 5.0)
    process = fetcher._process
    assert not fetcher.ended
    del fetcher
    assert process.wait(30) == 0
