"""A side in a process of its own: `python -P -m benchmarks.training.side NAME BUCKET [ENDPOINT]`.

Takes a task a line on its standard input, as JSON, and answers each with a line of JSON; its end is that of its input.
Whatever a reader prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.training.readers import READERS, Article, Place, Reader

LOOK_UPS: Final = 1000


class Side:
    """Each task is given an empty folder for the reader's cache. Times are seconds, `cpu` those of all threads."""

    def __init__(self, reader: type[Reader], bucket: Path, endpoint: str | None) -> None:
        self._reader, self._bucket, self._endpoint = reader, bucket, endpoint

    def first(self, cache: Path, shuffle: bool) -> object:
        began = time.perf_counter()
        next(iter(self._open(cache, shuffle)))
        return {"seconds": time.perf_counter() - began}

    def epoch(self, cache: Path, shuffle: bool, out: str) -> object:
        """`out`: a file for the ids in the order in which they came."""
        return _drain(self._open(cache, shuffle), out)

    def save(self, cache: Path, taken: int, out: str) -> object:
        """The state after `taken` samples of a shuffled epoch, whose ids go to `out`."""
        reader = self._reader.to_resume(self._place(cache))
        samples = iter(reader)
        ids = [sample["article_id"] for sample in islice(samples, taken)]
        state = reader.state(taken)
        Path(out).write_text("\n".join(ids), "utf-8")
        return {"state": state}

    def resume(self, cache: Path, state: Any, out: str, rest: bool) -> object:
        """Up to the next sample; then, if asked for, the rest of the epoch, whose ids go to `out`."""
        began = time.perf_counter()
        samples = iter(self._reader.to_resume(self._place(cache)).resumed(state))
        first = next(samples)
        seconds = time.perf_counter() - began
        if rest:
            _drain(chain([first], samples), out)
        return {"seconds": seconds}

    def look_ups(self, cache: Path, count: int) -> object:
        """Of samples all over the dataset; the first one, which opens files, does not count."""
        reader = self._open(cache, False)
        reader[0]
        random = Random(1)
        indexes = [random.randrange(count) for _ in range(LOOK_UPS)]
        began = time.perf_counter()
        for index in indexes:
            reader[index]
        return {"seconds": time.perf_counter() - began, "count": LOOK_UPS}

    def modules(self, cache: Path) -> object:  # noqa: ARG002
        """Which have been imported by now."""
        return {"modules": sorted({name.partition(".")[0] for name in sys.modules})}

    def _open(self, cache: Path, shuffle: bool) -> Reader:
        return self._reader(self._place(cache), shuffle)

    def _place(self, cache: Path) -> Place:
        return Place(self._bucket, self._endpoint, cache)


def _drain(samples: Iterable[Article], out: str) -> object:
    began, cpu = time.perf_counter(), time.process_time()
    ids = [sample["article_id"] for sample in samples]
    taken = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    Path(out).write_text("\n".join(ids), "utf-8")
    return {**taken, "count": len(ids)}


def main(name: str, bucket: str, endpoint: str | None = None) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    side = Side(READERS[name], Path(bucket), endpoint)
    for line in sys.stdin:
        task = json.loads(line)
        run: Callable[..., object] = getattr(side, task.pop("task"))
        answers.write(json.dumps(run(**{**task, "cache": Path(task["cache"])})) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
