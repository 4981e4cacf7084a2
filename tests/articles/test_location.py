"""A URI is a store and a prefix in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from articles.errors import UserError
from articles.location import open_uri
from articles.s3 import ClientStore


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def place(uri: str, **given: str) -> tuple[str, str]:
    """The store's place and the prefix."""
    store, layout = open_uri(uri, **given)  # type: ignore[arg-type]
    assert isinstance(store._store, ClientStore)
    return store._store._place, layout.prefix


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}", "relative"])
def test_a_folder_of_this_machine(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "news articles"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "one").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    uri = "news articles" if form == "relative" else form.format(folder)
    store, layout = open_uri(uri)
    assert layout.prefix == "news articles"
    assert [item.key for item in store.list(layout.data)] == ["news articles/data/one"]
    assert store.create(f"{layout.prefix}/catalog/1", b"x", {}) is None
    assert (folder / "catalog" / "1").read_bytes() == b"x"


def test_a_bucket_and_a_prefix() -> None:
    assert place("s3://my-bucket/articles", region="eu-west-1") == ("bucket 'my-bucket'", "articles")
    assert place("s3://my-bucket/a/b/", endpoint_url="http://127.0.0.1:1") == ("bucket 'my-bucket'", "a/b")


def test_other_urls_of_the_client() -> None:
    assert place("memory:///x/articles") == ("memory:///x", "articles")
    assert place("https://host.example/some/articles") == ("https://host.example/some", "articles")


@pytest.mark.parametrize(
    "uri, said",
    [
        ("s3://my-bucket", "names no bucket and prefix: s3://bucket/prefix"),
        ("s3:///articles", "names no bucket and prefix"),
        ("s3://my-bucket/a//b", "is no prefix"),
        ("gs://bucket", "is no prefix"),
        ("no-such-folder", "there is no folder"),
        ("file:///no-such-folder", "there is no folder"),
        ("/", "is no prefix"),
        ("s3://my-bucket/articles", "which region"),
    ],
)
def test_what_is_no_place_is_told(uri: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_uri(uri)


def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setattr("articles.aws.credentials_method", lambda: None)
    with pytest.raises(UserError, match="no AWS credentials"):
        open_uri("s3://my-bucket/articles", region="us-east-1")
    monkeypatch.setattr("articles.aws.credentials_method", lambda: "sso")
    with pytest.raises(UserError, match="come from a profile"):
        open_uri("s3://my-bucket/articles", region="us-east-1")
