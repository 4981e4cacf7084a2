"""Lease tables that are behind their chains, and lease tables that do not belong to them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline


def test_leases_that_went_back_repeat_nothing_and_leases_that_do_not_fit_are_refused(
    make_pipeline: MakePipeline,
) -> None:
    """One lease is set back into the middle of a link, one restored from a backup. Under an empty prefix, another
    start, a link less, or a root of another account, the launcher refuses with one line a shard."""
    pipeline = make_pipeline(2, FILE_RECORDS="5", FILE_AGE="1")
    rewound, restored = sorted(pipeline.shards())
    worker = pipeline.worker()
    pipeline.fill(12, rewound, restored)
    pipeline.start(worker)
    pipeline.wait_until_stored()
    pipeline.wait_until_checkpointed(rewound, restored)
    backup = pipeline.leases()[restored].checkpoint
    pipeline.fill(12, rewound, restored)
    pipeline.wait_until_stored()
    pipeline.wait_until_checkpointed(rewound, restored)
    pipeline.kill()
    before = pipeline.stored()
    ends = {shard: pipeline.leases()[shard].checkpoint for shard in (rewound, restored)}

    copy(pipeline, "less", without=before.of(restored)[-1].key)
    copy(pipeline, "account")
    give_to_another_account(pipeline, "account", rewound)
    refusals: dict[str, tuple[dict[str, str], list[str]]] = {
        "another prefix": (
            {"PREFIX": "nothing/here"},
            [f"{rewound}: the lease's checkpoint {ends[rewound]}", restored],
        ),
        "another start": ({"START_AT": "2026-01-31T00:00:00Z"}, [f"{rewound}: the chain was started at TRIM_HORIZON"]),
        "a link less": ({"PREFIX": "less"}, [f"{restored}: the lease's checkpoint {ends[restored]}"]),
        "another account": ({"PREFIX": "account"}, [f"{rewound}: its chain is of the stream arn:aws:kinesis"]),
    }
    with ThreadPoolExecutor() as pool:
        refused = pool.map(lambda settings: pipeline.launch(**settings), [given for given, _ in refusals.values()])
    for (name, (_, said)), done in zip(refusals.items(), refused, strict=True):
        assert done.returncode == 2, f"{name}: {done.stderr}"
        lines = done.stderr.splitlines()
        assert len(lines) == (2 if name in ("another prefix", "another start") else 1), done.stderr
        for text in said:
            assert any(line.startswith(f"run_kcl.sh: {text}") for line in lines), done.stderr

    middle = before.of(rewound)[1].records[2]["sequence_number"]
    set_back(pipeline, rewound, middle)
    set_back(pipeline, restored, backup)
    worker.start()
    pipeline.fill(3, rewound, restored)
    pipeline.wait_until_stored()
    for shard, lease in ((rewound, middle), (restored, backup)):
        assert worker.said(f'"shard": "{shard}", "lease": "{lease}:0", "stored": "{ends[shard]}:0"')
    pipeline.kill()
    stored = pipeline.check()
    assert [file.key for file in stored.files if file.key in {old.key for old in before.files}] == [
        file.key for file in before.files
    ]
    assert sum(len(file.records) for file in stored.files) == 2 * (12 + 12 + 3)


def set_back(pipeline: Pipeline, shard: str, checkpoint: str) -> None:
    assert int(checkpoint) < int(pipeline.leases()[shard].checkpoint)
    pipeline.dynamodb.update_item(
        TableName=pipeline.application,
        Key={"leaseKey": {"S": shard}},
        UpdateExpression="SET #c = :c",
        ExpressionAttributeNames={"#c": "checkpoint"},
        ExpressionAttributeValues={":c": {"S": checkpoint}},
    )


def copy(pipeline: Pipeline, prefix: str, without: str = "") -> None:
    """A copy of the whole prefix under another one."""
    for key in keys(pipeline, f"{pipeline.prefix}/"):
        if key != without:
            pipeline.s3.copy_object(
                Bucket=pipeline.bucket,
                CopySource={"Bucket": pipeline.bucket, "Key": key},
                Key=key.replace(pipeline.prefix, prefix, 1),
            )


def give_to_another_account(pipeline: Pipeline, prefix: str, shard: str) -> None:
    (key,) = (key for key in keys(pipeline, f"{prefix}/chain/") if f"-{shard}-" in key)
    root: dict[str, Any] = json.loads(pipeline.s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"].read())
    root["stream_arn"] = root["stream_arn"].replace(":000000000000:", ":123456789012:")
    pipeline.s3.put_object(Bucket=pipeline.bucket, Key=key, Body=json.dumps(root).encode())


def keys(pipeline: Pipeline, folder: str) -> list[str]:
    listed = pipeline.s3.list_objects_v2(Bucket=pipeline.bucket, Prefix=folder)
    return [item["Key"] for item in listed["Contents"]]
