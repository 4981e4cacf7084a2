"""Workers as the examples start them: settings that the product knows, and numbers that fit together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.launcher import _JVM
from consumer.settings import CALL_TIMEOUT_SECONDS, read_settings, to_environment
from tests.deploy.manifests import DEPLOY, MIB, daemon_properties, documents, manifest, mib, resources, template

# Read by the AWS clients, not by the product.
OTHERS = {"AWS_EC2_METADATA_DISABLED"}
GIVEN = {"StreamName": "MyStream", "ApplicationName": "articles", "BucketName": "my-bucket", "Prefix": "articles"}
JAVA_BYTES = 768 * MIB


def pod(file: str, kind: str) -> dict[str, Any]:
    spec = manifest(file, kind)["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def kubernetes_environment(pod: Mapping[str, Any]) -> dict[str, str]:
    [container] = pod["containers"]
    env: dict[str, str] = dict(manifest("settings.yaml", "ConfigMap")["data"])
    for entry in container.get("env", []):
        env[entry["name"]] = entry.get("value", "articles-worker-0")
    return env


def ecs_environment(task: str) -> dict[str, str]:
    given: dict[str, str] = GIVEN | {"AWS::Region": "eu-central-1", "WorkerId": ""}
    [container] = resources(template("ecs/worker.yaml"), "AWS::ECS::TaskDefinition")[task]["ContainerDefinitions"]
    pairs = [(entry["Name"], entry["Value"]) for entry in container["Environment"]]
    return {name: given[value["Ref"]] if isinstance(value, dict) else value for name, value in pairs}


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(kubernetes_environment(pod("worker.yaml", "StatefulSet")), id="StatefulSet"),
        pytest.param(kubernetes_environment(pod("provision.yaml", "Job")), id="Job"),
        pytest.param(ecs_environment("Worker"), id="ECS worker"),
        pytest.param(ecs_environment("Provision"), id="ECS provision"),
    ],
)
def test_settings_are_known_and_make_sense(env: dict[str, str]) -> None:
    assert all(isinstance(value, str) for value in env.values())
    assert env.keys() - OTHERS <= to_environment(read_settings(env)).keys()


def test_a_workers_id_is_its_pods_name() -> None:
    [container] = pod("worker.yaml", "StatefulSet")["containers"]
    [worker_id] = [entry for entry in container["env"] if entry["name"] == "WORKER_ID"]
    assert worker_id["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert "WORKER_ID" not in manifest("settings.yaml", "ConfigMap")["data"]


def test_kubernetes_waits_longer_than_the_daemon() -> None:
    grace = int(daemon_properties()["shutdownGraceMillis"]) / 1000
    assert grace + 10 <= pod("worker.yaml", "StatefulSet")["terminationGracePeriodSeconds"]


def test_a_restart_from_outside_comes_after_the_daemons_own() -> None:
    [container] = pod("worker.yaml", "StatefulSet")["containers"]
    probes = [container[f"{name}Probe"] for name in ("readiness", "liveness")]
    assert {tuple(probe["exec"]["command"]) for probe in probes} == {("python", "-m", "consumer.health")}
    assert probes[1]["periodSeconds"] * probes[1]["failureThreshold"] > CALL_TIMEOUT_SECONDS


def test_memory_fits_java_and_a_child_for_each_shard() -> None:
    heap = next(int(option[4:-1]) * MIB for option in _JVM if option.startswith("-Xmx"))
    assert heap + 256 * MIB <= JAVA_BYTES
    file_bytes = read_settings(kubernetes_environment(pod("worker.yaml", "StatefulSet"))).file_bytes
    child = 2 * file_bytes + 64 * MIB
    spec = pod("worker.yaml", "StatefulSet")
    [container], [volume] = spec["containers"], spec["volumes"]
    limit, tmp = mib(container["resources"]["limits"]["memory"]), mib(volume["emptyDir"]["sizeLimit"])
    shards = (limit - JAVA_BYTES - tmp) // child
    assert shards == 17  # as the manifest says
    assert shards >= manifest("autoscaling.yaml", "ScaledObject")["spec"]["maxReplicaCount"]
    assert mib(container["resources"]["requests"]["memory"]) >= JAVA_BYTES + tmp + 2 * child
    assert int(template("ecs/worker.yaml")["Parameters"]["TaskMemory"]["Default"]) * MIB == limit


@pytest.mark.parametrize("file, kind", [("worker.yaml", "StatefulSet"), ("provision.yaml", "Job")])
def test_pods_have_nothing_they_do_not_need(file: str, kind: str) -> None:
    spec = pod(file, kind)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert spec["volumes"][0]["emptyDir"]["medium"] == "Memory"


def test_kubernetes_manifests_name_one_another_rightly() -> None:
    labels = manifest("worker.yaml", "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        manifest("worker.yaml", "StatefulSet")["spec"]["selector"]["matchLabels"],
        manifest("worker.yaml", "Service")["spec"]["selector"],
        manifest("disruption-budget.yaml", "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        pod("worker.yaml", "StatefulSet")["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert selectors == [labels] * 4
    accounts = {document["metadata"]["name"] for document in documents(DEPLOY / "kubernetes" / "service-accounts.yaml")}
    used = {pod(*of)["serviceAccountName"] for of in (("worker.yaml", "StatefulSet"), ("provision.yaml", "Job"))}
    assert used == accounts
    target = manifest("autoscaling.yaml", "ScaledObject")["spec"]["scaleTargetRef"]
    assert target["name"] == manifest("worker.yaml", "StatefulSet")["metadata"]["name"]
    listed = manifest("kustomization.yaml", "Kustomization")["resources"]
    apart = {"kustomization.yaml", "provision.yaml", "autoscaling.yaml"}
    assert {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - apart == set(listed)
    namespaces = [
        document["metadata"]["namespace"]
        for path in (DEPLOY / "kubernetes").glob("*.yaml")
        if path.name != "kustomization.yaml"
        for document in documents(path)
    ]
    assert set(namespaces) == {"articles"}


def test_lag_is_looked_for_where_the_settings_say() -> None:
    settings = manifest("settings.yaml", "ConfigMap")["data"]
    triggers = manifest("autoscaling.yaml", "ScaledObject")["spec"]["triggers"]
    [lag] = [trigger["metadata"] for trigger in triggers if trigger["type"] == "aws-cloudwatch"]
    assert (lag["dimensionValue"], lag["awsRegion"]) == (settings["STREAM_NAME"], settings["AWS_REGION"])


def test_the_page_names_every_example() -> None:
    page = (DEPLOY.parent / "docs" / "deploy.md").read_text("utf-8")
    named = set(re.findall(r"deploy/[a-z-]+/[a-z-]+\.yaml", page))
    assert named == {str(path.relative_to(DEPLOY.parent)) for path in DEPLOY.rglob("*.yaml")}
