"""The IAM policies in properties/ allow what is called, and little else: every call of a full run is recorded, and
compared with them in both directions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from articles.aws import client
from consumer.provision import Plan, table_definition
from local.aws_call import Call
from local.source import outgoing
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.policies import FILES, grants, request
from tests.end_to_end.recorder import Recorder
from tests.end_to_end.worker import Worker

STREAM = "arn:${PARTITION}:kinesis:${AWS_REGION}:${ACCOUNT}:stream/${STREAM_NAME}"
TABLE = "arn:${PARTITION}:dynamodb:${AWS_REGION}:${ACCOUNT}:table/${APPLICATION_NAME}"
TABLES = ("", "-CoordinatorState", "-WorkerMetricStats")
DOCUMENTED = "AWS asks for it: kcl-iam-permissions in the Kinesis developer guide"
TAGS = "`provision --tags`: CreateTable with tags needs it, and it is no call of its own"
UNSEEN: Mapping[tuple[str, str, str], str] = {
    **{("provision", "dynamodb:TagResource", f"{TABLE}{part}"): TAGS for part in TABLES},
    ("worker", "kinesis:DescribeStream", STREAM): DOCUMENTED,
    ("worker", "dynamodb:DeleteItem", TABLE): "the lease of a shard that has ended is deleted minutes later",
    ("worker", "dynamodb:Scan", f"{TABLE}-CoordinatorState"): DOCUMENTED,
    ("worker", "dynamodb:DeleteItem", f"{TABLE}-WorkerMetricStats"): "a leader forgets a worker after a day",
    ("worker", "dynamodb:GetItem", f"{TABLE}-WorkerMetricStats"): DOCUMENTED,
    ("worker", "dynamodb:PutItem", f"{TABLE}-WorkerMetricStats"): DOCUMENTED,
}
"""What is allowed though this run may not call it, and why."""
MEND = f"""{sys.executable} -c 'print("{{\\"article_id\\": \\"mended\\", \\"content\\": \\"x\\"}}")'"""


@dataclass(slots=True)
class Judged:
    """`used` has the role and the place of each grant that a call made use of."""

    refused: list[str] = field(default_factory=list)
    used: set[tuple[str, int]] = field(default_factory=set)

    def add(self, role: str, calls: set[Call], environment: Mapping[str, str]) -> None:
        granted = grants(role, environment)
        assert calls
        for call in calls:
            asked = request(call, environment["STREAM_NAME"])
            allowing = {(role, at) for at, grant in enumerate(granted) if grant.allows(*asked)}
            self.used |= allowing
            if not allowing:
                self.refused.append(f"{FILES[role]} does not allow {' '.join(map(str, asked))}")

    def unused(self) -> set[tuple[str, str, str]]:
        return {
            (role, grant.action, grant.resource)
            for role in FILES
            for at, grant in enumerate(grants(role))
            if (role, at) not in self.used
        }


def test_every_call_is_allowed_and_whatever_is_allowed_is_called(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(2, FILE_AGE="2")
    judged = Judged()
    other = pipeline.environment | {"APPLICATION_NAME": "another", "BUCKET": "bucket-of-another"}
    judged.add("provision", provision(pipeline, other), other)
    judged.add("worker", work(pipeline), pipeline.environment)
    judged.add("operator", operate(pipeline), pipeline.environment)
    elsewhere = pipeline.environment | {"PREFIX": "else/where"}
    judged.add("operator", mend(pipeline, elsewhere), elsewhere)
    judged.add("rewrite", rewrite(pipeline, "new/place"), pipeline.environment | {"NEW_PREFIX": "new/place"})
    assert not judged.refused
    assert judged.unused() <= UNSEEN.keys()
    granted = {(role, grant.action, grant.resource) for role in FILES for grant in grants(role)}
    assert granted >= UNSEEN.keys(), "what is not granted any more needs no reason"


def provision(pipeline: Pipeline, environment: dict[str, str]) -> set[Call]:
    """Everything made; everything there; a lease table without its index."""
    table = environment["APPLICATION_NAME"]
    dynamodb = client("dynamodb", region=pipeline.region, endpoint_url=environment["AWS_ENDPOINT_URL_DYNAMODB"])
    with Recorder(environment) as recorder:
        for _ in range(2):
            articles(pipeline, recorder, environment, "provision", "--versioning", "--tags", "team=news")
        dynamodb.delete_table(TableName=table)
        plan = Plan(pipeline.stream, environment["BUCKET"], table)
        old = table_definition(plan, table, "leaseKey")
        del old["GlobalSecondaryIndexes"]
        dynamodb.create_table(**old | {"AttributeDefinitions": old["AttributeDefinitions"][:1]})
        articles(pipeline, recorder, environment, "provision")
    return recorder.calls


def work(pipeline: Pipeline) -> set[Call]:
    """As in production, metrics included: a start, dead letters, a split, a stop, and a start again."""
    with Recorder(pipeline.environment) as recorder:
        environment = pipeline.environment | recorder.environment
        worker = Worker("worker-1", environment, pipeline.folder, profile="production")
        pipeline.workers.append(worker)
        pipeline.put(40)
        pipeline.put([outgoing(1, b"bad")])
        pipeline.start(worker)
        pipeline.wait_until_stored()
        shard = min(pipeline.shards())
        middle = str(int(pipeline.shards()[shard].ending_hash) // 2)
        pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=shard, NewStartingHashKey=middle)
        pipeline.wait_for("the shard to end", lambda: pipeline.leases()[shard].checkpoint == "SHARD_END")
        pipeline.put(40)
        pipeline.wait_until_stored()
        worker.terminate()
        worker.wait()
        worker.start()
        pipeline.put(40)
        pipeline.wait_until_stored()
        worker.terminate()
        worker.wait()
    pipeline.check()
    return recorder.calls


def operate(pipeline: Pipeline) -> set[Call]:
    """Every command that looks, and the one that puts dead letters back."""
    key = pipeline.stored().files[0].key
    with Recorder(pipeline.environment) as recorder:
        for line in (
            "average",
            "catalog build",
            "catalog show",
            "tombstone nobody",
            "average",
            "watermark",
            "files",
            f"head {key}",
            "dead-letters list",
            "dead-letters show 0",
        ):
            articles(pipeline, recorder, pipeline.environment, *line.split(), fine=line[-1] != "0")
        articles(
            pipeline, recorder, pipeline.environment, "verify", "--deep", "--leases", "--ledger", str(pipeline.ledger)
        )
        articles(pipeline, recorder, pipeline.environment, "dead-letters", "replay", "--all", "--map", MEND)
    return recorder.calls


def mend(pipeline: Pipeline, environment: dict[str, str]) -> set[Call]:
    """The leases are past the chains of this prefix, which holds nothing."""
    with Recorder(environment) as recorder:
        done = pipeline.launch("worker-9", "--start-chain-here", **environment | recorder.environment)
    assert done.returncode == 0, done.stderr
    return recorder.calls


def rewrite(pipeline: Pipeline, new: str) -> set[Call]:
    """Everything into a new prefix, but for what has a tombstone, and nothing more the second time."""
    with Recorder(pipeline.environment) as recorder:
        for _ in range(2):
            to = f"s3://{pipeline.environment['BUCKET']}/{new}"
            articles(pipeline, recorder, pipeline.environment, "rewrite", "--to", to)
    done = pipeline.articles("verify", "--deep", "--prefix", new)
    assert done.returncode == 0, done.stdout
    return recorder.calls


def articles(
    pipeline: Pipeline, recorder: Recorder, environment: dict[str, str], *arguments: str, fine: bool = True
) -> None:
    done = pipeline.articles(*arguments, **environment | recorder.environment)
    assert (done.returncode == 0) == fine, f"{arguments}: {done.stdout}\n{done.stderr}"
