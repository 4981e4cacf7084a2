"""Reads deploy/: YAML with CloudFormation's short forms (`!Sub x` becomes `{"Fn::Sub": "x"}`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from consumer.properties import TEMPLATES

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
PROPERTIES = TEMPLATES
MIB = 1 << 20


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML forbids and PyYAML lets pass."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{node.start_mark}: {twice} twice")
        return super().construct_mapping(node, deep)


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None
    if suffix == "Ref":
        return {"Ref": value}
    return {f"Fn::{suffix}": value.split(".", 1) if suffix == "GetAtt" and isinstance(value, str) else value}


_Loader.add_multi_constructor("!", _short_form)


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.load_all(path.read_text("utf-8"), _Loader) if document]


def template(name: str) -> dict[str, Any]:
    [document] = documents(DEPLOY / name)
    return document


def manifest(file: str, kind: str) -> dict[str, Any]:
    [found] = [document for document in documents(DEPLOY / "kubernetes" / file) if document["kind"] == kind]
    return found


def resources(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Properties of a template's resources of one type, by name."""
    found = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in found if resource["Type"] == kind}


def mib(quantity: str) -> int:
    """Bytes of a Kubernetes quantity."""
    return int(quantity[:-2]) * {"Mi": MIB, "Gi": 1024 * MIB}[quantity[-2:]]


def daemon_properties() -> dict[str, str]:
    lines = (PROPERTIES / "production.properties").read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def walk(value: Any) -> Iterator[Any]:
    """Every mapping, list and scalar below."""
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)
