"""The demo's path: what a first user runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from articles import ArticleDataset
from tests.end_to_end.worker import PROJECT


def test_the_demo_stores_every_record_once_and_says_so(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "local.demo",
        "--records",
        "200",
        "--shards",
        "2",
        "--workers",
        "2",
        "--save",
        str(tmp_path / "saved"),
        "--json",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said = json.loads(done.stdout)
    assert said["records_put"] == said["records_stored"] + said["records_rejected"] == 200
    assert said["verify"]["ok"]
    average = said["average_word_count"]
    assert average["value"] == average["words"] / average["records"]
    assert len(said["workers"]) == 2
    assert sum(worker["records"] for worker in said["workers"].values()) == said["records_stored"]
    assert sum(worker["words"] for worker in said["workers"].values()) == average["words"]
    assert all(worker["records"] for worker in said["workers"].values())
    assert said["objects"] >= 2
    assert {"set_up", "to_first_record", "total"} <= said["seconds"].keys()
    assert not list(tmp_path.glob("articles-*")), "it cleans up after itself"

    saved = str(tmp_path / "saved" / said["prefix"])
    build = subprocess.run([*command[:3], "articles", "catalog", "build", saved], env=environment, timeout=60)
    assert build.returncode == 0
    dataset = ArticleDataset(saved)
    assert len({article["article_id"] for article in dataset}) == len(dataset) == 200
    assert sum(article["word_count"] for article in dataset) == average["words"]
