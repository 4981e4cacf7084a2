"""The sides: how each reader is used at its best, as its documents and measuring it say. Heavy imports are inside.

Every side yields dicts of the same six fields. What a reader cannot do raises NotImplementedError.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

Article = Mapping[str, Any]
FIELDS: Final = ("article_id", "title", "author", "publish_date", "content", "word_count")
SEED: Final = 7
ALL: Final = 100_000
"""More articles than there are: of a shuffle buffer that holds them all, of a read-ahead that goes to the end."""
RESUMED_BUFFER: Final = 1000
"""The default of Hugging Face datasets."""
KEY: Final = "benchmark"
OURS, FASTAVRO, LITDATA, MOSAICML = "ours", "fastavro", "LitData", "MosaicML"
HF_MAP, HF_BATCHES, HF_STREAMING, HF_AVRO = "HF map-style", "HF map-style, batches", "HF streaming", "HF, our Avro"
WEBDATASET: Final = "WebDataset"


@dataclass(frozen=True, slots=True)
class Place:
    """`bucket` is a folder; with an `endpoint` it stands for the bucket of that name in the S3 there. `cache` is an
    empty folder for readers that need one."""

    bucket: Path
    endpoint: str | None
    cache: Path

    def uri(self, name: str) -> str:
        return f"s3://{self.bucket.name}/{name}" if self.endpoint else str(self.bucket / name)

    def options(self) -> dict[str, Any]:
        """As s3fs takes them."""
        return {"key": KEY, "secret": KEY, "endpoint_url": self.endpoint} if self.endpoint else {}

    def files(self, pattern: str) -> list[str]:
        """Below the bucket, in order, with their scheme."""
        if not self.endpoint:
            return sorted(map(str, self.bucket.glob(pattern)))
        s3 = import_module("s3fs").S3FileSystem(**self.options())
        return sorted(f"s3://{name}" for name in s3.glob(f"{self.bucket.name}/{pattern}"))


class Reader:
    """One of a dataset; each of its iterations is an epoch of its own."""

    resumes = "exact"
    """Or "replay": it can only go through all that was read before once more; or "no"."""
    random = True
    shuffles = True

    def __init__(self, place: Place, shuffle: bool) -> None:
        raise NotImplementedError

    @classmethod
    def to_resume(cls, place: Place) -> Reader:
        """Shuffled, as one that is to be resumed would be."""
        return cls(place, True)

    def __iter__(self) -> Iterator[Article]:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Article:
        raise NotImplementedError

    def state(self, taken: int) -> Any:
        """What to save after so many samples of the epoch."""
        return taken

    def resumed(self, state: Any) -> Iterable[Article]:
        """The rest of the epoch."""
        return islice(self, state, None)


class Ours(Reader):
    def __init__(self, place: Place, shuffle: bool) -> None:
        from articles import ArticleDataset
        from articles.training import _native  # noqa: F401 - without it, it is not what is to be measured

        self._dataset = ArticleDataset(
            place.uri("articles"), shuffle=shuffle, seed=SEED, region="us-east-1", endpoint_url=place.endpoint
        )

    def __iter__(self) -> Iterator[Article]:
        return iter(self._dataset)

    def __getitem__(self, index: int) -> Article:
        return self._dataset[index]

    def state(self, taken: int) -> Any:  # noqa: ARG002
        return self._dataset.state_dict()

    def resumed(self, state: Any) -> Iterable[Article]:
        self._dataset.load_state_dict(state)
        return self._dataset


class Fastavro(Reader):
    """Our files, one after the other."""

    resumes, random, shuffles = "no", False, False

    def __init__(self, place: Place, shuffle: bool) -> None:  # noqa: ARG002
        self._place = place

    def __iter__(self) -> Iterator[Article]:
        from io import BytesIO

        import fastavro

        options = self._place.options()
        s3 = import_module("s3fs").S3FileSystem(**options) if options else None
        for name in self._place.files("articles/data/dt=*/*.avro"):
            # In S3 the whole file at once: s3fs' own blocks were slower.
            with BytesIO(s3.cat_file(name)) if s3 else Path(name).open("rb") as file:
                records: Any = fastavro.reader(file)
                for record in records:
                    yield {field: record[field] for field in FIELDS}


class LitData(Reader):
    """Chunks of 64 MB, uncompressed, as its documents advise; its shuffle with default windows."""

    def __init__(self, place: Place, shuffle: bool) -> None:
        os.environ["LITDATA_DISABLE_VERSION_CHECK"] = "1"
        options = {"endpoint_url": place.endpoint, "aws_access_key_id": KEY, "aws_secret_access_key": KEY}
        remote = {"cache_dir": str(place.cache), "storage_options": options} if place.endpoint else {}
        if place.endpoint:  # it has no setting for an endpoint without TLS
            getattr(import_module("litdata.streaming.downloader"), "_OBSTORE_CLIENT_OPTIONS")["allow_http"] = True  # noqa: B009
        self._dataset = import_module("litdata").StreamingDataset(
            place.uri("litdata"),
            shuffle=shuffle,
            seed=SEED,
            max_pre_download=4,
            batch_decode=0,
            force_override_state_dict=True,  # a state holds the path of its cache folder
            **remote,
        )

    def __iter__(self) -> Iterator[Article]:
        return islice(self._dataset, None)  # not its own iterator, which begins anew wherever it is asked for itself

    def __getitem__(self, index: int) -> Article:
        return self._dataset[index]  # type: ignore[no-any-return]

    def state(self, taken: int) -> Any:
        return self._dataset.state_dict(taken, 0, 1)

    def resumed(self, state: Any) -> Iterable[Article]:
        self._dataset.load_state_dict(state)
        return iter(self)


class MosaicML(Reader):
    """Shards of 64 MiB, read ahead without bound: with its default of 8 samples it is 25 times slower."""

    def __init__(self, place: Place, shuffle: bool) -> None:
        os.environ.update({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY})
        if place.endpoint:
            os.environ["S3_ENDPOINT_URL"] = place.endpoint
            where = {"remote": place.uri("mds"), "local": str(place.cache)}
        else:
            where = {"local": place.uri("mds")}
        self._dataset = import_module("streaming").StreamingDataset(
            **where, shuffle=shuffle, shuffle_seed=SEED, batch_size=1, predownload=ALL, num_canonical_nodes=1
        )

    def __iter__(self) -> Iterator[Article]:
        return iter(self._dataset)

    def __getitem__(self, index: int) -> Article:
        return self._dataset[index]  # type: ignore[no-any-return]

    def state(self, taken: int) -> Any:
        return self._dataset.state_dict(taken, True)

    def resumed(self, state: Any) -> Iterable[Article]:
        self._dataset.load_state_dict(state)
        return islice(self._dataset, None)


class HfMap(Reader):
    """An Arrow file on disk, mapped, iterated sample by sample."""

    def __init__(self, place: Place, shuffle: bool) -> None:
        if place.endpoint:
            raise NotImplementedError
        hf = _hf()
        self._dataset = hf.load_from_disk(place.uri("arrow"))
        if shuffle:
            self._dataset = self._dataset.shuffle(seed=SEED, keep_in_memory=True)

    def __iter__(self) -> Iterator[Article]:
        return iter(self._dataset)

    def __getitem__(self, index: int) -> Article:
        return self._dataset[index]  # type: ignore[no-any-return]

    def resumed(self, state: Any) -> Iterable[Article]:
        return islice(self._dataset.select(range(state, len(self._dataset)), keep_in_memory=True), None)


class HfBatches(HfMap):
    """The same, a thousand samples at a time, which the loop takes apart: not how it is shown, but faster."""

    def __iter__(self) -> Iterator[Article]:
        return _rows(self._dataset)

    def resumed(self, state: Any) -> Iterable[Article]:
        return _rows(self._dataset.select(range(state, len(self._dataset)), keep_in_memory=True))


class HfStreaming(Reader):
    """Parquet, as Arrow batches that the loop takes apart. Shuffled by a buffer that holds everything: with a smaller
    one the order is close to the source's; and from one file at a time: from ten, the default, it is 15 times slower.

    What is in the buffer is lost when it is resumed, and so is the rest of a batch: one that is to be resumed has a
    smaller buffer and goes sample by sample."""

    random = False

    def __init__(self, place: Place, shuffle: bool, buffer: int = ALL) -> None:
        options = {"storage_options": place.options()} if place.endpoint else {}
        files = place.uri("parquet/*.parquet")
        self._dataset = _hf().load_dataset(
            "parquet", data_files=files, split="train", streaming=True, cache_dir=str(place.cache), **options
        )
        self._batches = buffer == ALL
        if not self._batches:  # through Python once, or the buffer works with tables of one row
            self._dataset = self._dataset.map(lambda batch: batch, batched=True, batch_size=1000)
        if shuffle:
            self._dataset = self._dataset.shuffle(seed=SEED, buffer_size=buffer, max_buffer_input_shards=1)

    @classmethod
    def to_resume(cls, place: Place) -> Reader:
        return cls(place, True, RESUMED_BUFFER)

    def __iter__(self) -> Iterator[Article]:
        if not self._batches:
            return iter(self._dataset)
        return (row for batch in self._dataset.with_format("arrow").iter(1000) for row in batch.to_pylist())

    def state(self, taken: int) -> Any:  # noqa: ARG002
        return self._dataset.state_dict()

    def resumed(self, state: Any) -> Iterable[Article]:
        self._dataset.load_state_dict(state)
        return islice(self._dataset, None)


class HfAvro(HfStreaming):
    """Our files through fastavro, by a generator."""

    def __init__(self, place: Place, shuffle: bool, buffer: int = ALL) -> None:
        files = {"files": place.files("articles/data/dt=*/*.avro")}
        self._dataset = _hf().IterableDataset.from_generator(_avro, gen_kwargs={**files, "options": place.options()})
        if shuffle:
            self._dataset = self._dataset.shuffle(seed=SEED, buffer_size=buffer, max_buffer_input_shards=1)

    def __iter__(self) -> Iterator[Article]:
        return iter(self._dataset)


class WebDataset(Reader):
    """Tar files of JSON, a hundred samples an entry, as its author advises for small ones: one an entry is four times
    slower. From S3 by plain URLs, its quickest way. Shuffled by a buffer that holds everything."""

    resumes, random = "replay", False

    def __init__(self, place: Place, shuffle: bool) -> None:
        wds = import_module("webdataset")
        urls = [name.replace("s3:/", place.endpoint or "", 1) for name in place.files("webdataset/*.tar")]
        self._dataset = wds.WebDataset(urls, shardshuffle=len(urls) if shuffle else False, seed=SEED)
        self._dataset = self._dataset.compose(_unpacked)
        if shuffle:
            self._dataset = self._dataset.shuffle(ALL, initial=ALL, seed=SEED)

    def __iter__(self) -> Iterator[Article]:
        return iter(self._dataset)


READERS: Final[Mapping[str, type[Reader]]] = {
    OURS: Ours,
    LITDATA: LitData,
    MOSAICML: MosaicML,
    HF_MAP: HfMap,
    HF_BATCHES: HfBatches,
    HF_STREAMING: HfStreaming,
    HF_AVRO: HfAvro,
    WEBDATASET: WebDataset,
    FASTAVRO: Fastavro,
}


def _hf() -> Any:
    hf = import_module("datasets")
    hf.disable_progress_bars()
    return hf


def _rows(dataset: Any) -> Iterator[Article]:
    for batch in dataset.iter(1000):
        names = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(names, values, strict=True))


def _unpacked(entries: Iterable[Mapping[str, bytes]]) -> Iterator[Article]:
    for entry in entries:
        yield from json.loads(entry["json"])


def _avro(files: list[str], options: Mapping[str, Any]) -> Iterator[Article]:
    import fastavro

    fsspec = import_module("fsspec")
    for name in files:
        with fsspec.open(name, **options) as file:
            records: Any = fastavro.reader(file)
            for record in records:
                yield {field: record[field] for field in FIELDS}
