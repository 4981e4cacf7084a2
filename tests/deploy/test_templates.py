"""The CloudFormation templates: policies, what may expire, and the numbers of ECS."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.deploy.manifests import DEPLOY, PROPERTIES, daemon_properties, resources, template, walk

STORAGE = "aws/storage-and-policies.yaml"
ECS = "ecs/worker.yaml"
TEMPLATES = (STORAGE, "aws/irsa.yaml", ECS)
FAMILIAR = {
    "AWS::Partition": "PARTITION",
    "AWS::Region": "AWS_REGION",
    "AWS::AccountId": "ACCOUNT",
    "StreamName": "STREAM_NAME",
    "ApplicationName": "APPLICATION_NAME",
    "BucketName": "BUCKET",
    "Prefix": "PREFIX",
}


def plain(value: Any) -> Any:
    """As properties/*.json write it: `!Sub` with the policies' own names."""
    if isinstance(value, dict):
        if value.keys() == {"Fn::Sub"}:
            return re.sub(r"\$\{([^}]+)\}", lambda name: f"${{{FAMILIAR[name[1]]}}}", value["Fn::Sub"])
        return {key: plain(child) for key, child in value.items()}
    return [plain(child) for child in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "resource, file",
    [
        ("WorkerPolicy", "iam-policy.json"),
        ("ProvisionPolicy", "iam-policy-provision.json"),
        ("OperatorPolicy", "iam-policy-operator.json"),
    ],
)
def test_policies_are_those_of_properties(resource: str, file: str) -> None:
    policy = resources(template(STORAGE), "AWS::IAM::ManagedPolicy")[resource]["PolicyDocument"]
    assert plain(policy) == json.loads((PROPERTIES / file).read_text("utf-8"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_everything_that_is_referred_to_is_there(name: str) -> None:
    document = template(name)
    known = {*document["Resources"], *document.get("Parameters", {})}
    subs = [value["Fn::Sub"] for value in walk(document) if isinstance(value, dict) and "Fn::Sub" in value]
    names = {name.split(".")[0] for sub in subs for name in re.findall(r"\$\{([^}]+)\}", sub)}
    names |= {value["Ref"] for value in walk(document) if isinstance(value, dict) and "Ref" in value}
    assert {name for name in names if not name.startswith("AWS::")} <= known


def test_roles_take_policies_that_the_storage_exports() -> None:
    exported = {output["Export"]["Name"]["Fn::Sub"] for output in outputs() if "Export" in output}
    for name in TEMPLATES[1:]:
        imported = {
            value["Fn::ImportValue"]["Fn::Sub"].replace("PoliciesStack", "AWS::StackName")
            for value in walk(template(name))
            if isinstance(value, dict) and "Fn::ImportValue" in value
        }
        assert imported
        assert imported <= exported


def outputs() -> list[dict[str, Any]]:
    return list(template(STORAGE)["Outputs"].values())


@pytest.mark.parametrize("role, account", [("WorkerRole", "worker"), ("ProvisionRole", "provision")])
def test_a_role_trusts_one_service_account(role: str, account: str) -> None:
    trust = resources(template("aws/irsa.yaml"), "AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Fn::Sub"]
    [statement] = json.loads(trust)["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "${OidcProvider}:aud": "sts.amazonaws.com",
        "${OidcProvider}:sub": f"system:serviceaccount:${{Namespace}}:articles-{account}",
    }


def test_nothing_in_data_and_chain_is_written_without_if_none_match_or_deleted() -> None:
    policy = plain(resources(template(STORAGE), "AWS::S3::BucketPolicy")["BucketPolicy"]["PolicyDocument"])
    denials = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert {statement["Effect"] for statement in denials.values()} == {"Deny"}
    folders = ("data", "chain", "catalog")
    links = [f"arn:${{PARTITION}}:s3:::${{BUCKET}}/${{PREFIX}}/{folder}/*" for folder in folders]
    create = denials["CreateOnceOnly"]
    assert (create["Action"], create["Resource"]) == ("s3:PutObject", links)
    assert create["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    delete = denials["NobodyDeletesLinks"]
    assert delete["Action"] == ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    assert delete["Resource"] == links[:2]
    assert "Condition" not in delete


def test_only_data_and_dead_letters_expire_and_never_a_root() -> None:
    bucket = resources(template(STORAGE), "AWS::S3::Bucket")["Bucket"]
    rules = bucket["LifecycleConfiguration"]["Rules"]
    flat = {rule["Id"]: rule for rule in (rule["Fn::If"][1] if "Fn::If" in rule else rule for rule in rules)}
    expiring = {name: rule for name, rule in flat.items() if any("Expir" in key for key in rule)}
    assert {name: rule["Prefix"]["Fn::Sub"] for name, rule in expiring.items()} == {
        "data": "${Prefix}/data/",
        "dead-letter": "${Prefix}/dead-letter/",
    }
    others = [key for name, rule in flat.items() if name not in expiring for key in rule]
    assert set(others) == {"Id", "Status", "AbortIncompleteMultipartUpload"}


def test_data_that_expires_outlives_the_shortest_retention_by_a_week() -> None:
    document = template(STORAGE)
    assert document["Parameters"]["DataExpiryDays"]["Default"] == 0
    [[assertion]] = [rule["Assertions"] for rule in document["Rules"].values()]
    [refused] = assertion["Assert"]["Fn::Not"]
    assert refused["Fn::Contains"] == [[str(day) for day in range(1, 8)], {"Ref": "DataExpiryDays"}]


def container(name: str) -> dict[str, Any]:
    [found] = resources(template(ECS), "AWS::ECS::TaskDefinition")[name]["ContainerDefinitions"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", ["Worker", "Provision"])
def test_ecs_containers_have_nothing_they_do_not_need(name: str) -> None:
    found = container(name)
    assert found["ReadonlyRootFilesystem"] is True
    assert not found["User"].startswith(("0", "root"))
    assert found["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert [mount["ContainerPath"] for mount in found["LinuxParameters"]["Tmpfs"]] == ["/tmp"]


def test_ecs_waits_longer_than_the_daemon_and_no_longer_than_fargate_allows() -> None:
    grace = int(daemon_properties()["shutdownGraceMillis"]) / 1000
    assert grace < container("Worker")["StopTimeout"] - 10 <= 110


def test_a_named_worker_stops_before_its_successor_starts() -> None:
    service = resources(template(ECS), "AWS::ECS::Service")["Service"]
    assert service["DesiredCount"]["Fn::If"] == ["Provisioned", {"Fn::If": ["Named", 1, {"Ref": "MinWorkers"}]}, 0]
    deployment = service["DeploymentConfiguration"]
    assert deployment["MaximumPercent"]["Fn::If"][:2] == ["Named", 100]
    assert deployment["MinimumHealthyPercent"]["Fn::If"][:2] == ["Named", 0]
    scaling = [resource for resource in template(ECS)["Resources"].values() if "AutoScaling" in resource["Type"]]
    assert {resource["Condition"] for resource in scaling} == {"Scales"}


def test_every_file_of_deploy_names_neither_a_machine_nor_a_registry() -> None:
    for path in DEPLOY.rglob("*.yaml"):
        assert not re.search(r"\.dkr\.ecr\.|docker\.io|ghcr\.io|quay\.io|/root/|/home/", path.read_text("utf-8")), path
