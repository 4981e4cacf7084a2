"""What the images hold, and that the Compose files are valid."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.containers.compose import PROJECT, docker

IMAGES = {"articles-worker": 420, "articles-emulator": 400}
"""The most they may weigh in MB; the base is Debian's Python."""


@pytest.mark.parametrize("files", [(), ("docker-compose.yml", "docker-compose.localstack.yml")])
def test_the_configuration_is_valid(files: tuple[str, ...]) -> None:
    chosen = [word for file in files for word in ("--file", file)]
    command = ["docker", "compose", *chosen, "--profile", "report", "config", "--format", "json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert set(services) == {"aws", "provision", "populate", "worker", "report"}
    for name, service in services.items():
        if name == "aws" and files:
            continue  # LocalStack's own
        confined = (service["read_only"], service["cap_drop"], service["security_opt"], service["init"])
        assert confined == (True, ["ALL"], ["no-new-privileges:true"], True), name
        assert "ports" not in service, name
    assert services["worker"]["restart"] == "always"
    assert services["worker"]["stop_grace_period"] == "40s"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_small_and_holds_no_build_tools(images: None, image: str) -> None:
    megabytes = int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
    print(f"{image}: {megabytes:.0f} MB")
    assert megabytes <= IMAGES[image]
    look = "for tool in gcc make npm pip pip3; do command -v $tool; done; python3 -m pip --version; id -u"
    said = docker("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", f"{look} 2>/dev/null")
    assert said.split() == ["10001"]


def test_the_daemons_jars_are_those_of_the_list(images: None) -> None:
    code = "from consumer import jars, java; print(jars.problems(java.jars_folder()))"
    said = docker("run", "--rm", "--network", "none", "--entrypoint", "python", "articles-worker", "-P", "-c", code)
    assert said == "[]\n"


@pytest.mark.parametrize("image", IMAGES)
def test_no_secret_is_in_an_image(images: None, image: str) -> None:
    configuration = json.loads(docker("image", "inspect", image))[0]["Config"]
    assert configuration["User"] == "10001:10001"
    assert not [name for name in configuration["Env"] if "KEY" in name or "TOKEN" in name]
