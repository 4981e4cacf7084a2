"""The launcher tells everything that is wrong, locks the worker id, and then becomes the daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from articles.errors import UserError
from consumer import certificates
from consumer.java import find_java
from consumer.provision import Clients, Plan, provision
from consumer.settings import read_settings
from consumer.state_dir import StateDir, open_state_dir
from tests.waiting import eventually

PROJECT = Path(__file__).parents[2]
SECONDS = 60.0

# Stands in for Java: writes down how it was called, and lives until its stdin is closed.
FAKE_JAVA = """#!/bin/sh
if [ "$1" = -version ]; then echo 'openjdk version "17.0.1" 2021-10-19' >&2; exit 0; fi
exec "{python}" -c 'import json, os, sys
json.dump({{"argv": sys.argv[1:], "env": dict(os.environ)}}, open(os.environ["DUMP"] + ".new", "w"))
os.rename(os.environ["DUMP"] + ".new", os.environ["DUMP"])
sys.stdin.read()' "$@"
"""
Launch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Starts a launcher; whatever it has become is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(env: dict[str, str], *arguments: str, cwd: Path = PROJECT) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "consumer.launcher", "--profile", "local", *arguments]
        started.append(subprocess.Popen(command, env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def fake_java(folder: Path) -> str:
    script = folder / "java"
    script.write_text(FAKE_JAVA.format(python=sys.executable))
    script.chmod(0o755)
    return str(script)


def test_everything_that_is_wrong_is_told_at_once(launch: Launch, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "FILE_SIZE": "much", "ARTICLES_JAVA": "/no/java"}
    process = launch(env)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert out == ""
    lines = err.splitlines()
    for problem in ("STREAM_NAME is not set", "BUCKET is not set", "FILE_SIZE='much'", "/no/java (from ARTICLES_JAVA)"):
        assert sum(problem in line for line in lines) == 1
    assert "Traceback" not in err


def test_java_must_be_there_and_new_enough(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Java found"):
        find_java({"PATH": str(tmp_path)})
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(UserError, match="is Java 11"):
        find_java({"PATH": str(tmp_path)})
    with pytest.raises(UserError, match="from JAVA_HOME"):
        find_java({"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path / "none")})


@pytest.fixture
def env(aws_env: dict[str, str], clients: Clients, tmp_path: Path) -> dict[str, str]:
    """A provisioned stream, and a fake Java."""
    provision(Plan(aws_env["STREAM_NAME"], aws_env["BUCKET"], aws_env["APPLICATION_NAME"], shards=2), clients)
    return {
        **os.environ,
        **aws_env,
        "ARTICLES_JAVA": fake_java(tmp_path),
        "DUMP": str(tmp_path / "dump.json"),
        "TMPDIR": str(tmp_path),
    }


def called(env: dict[str, str]) -> dict[str, object]:
    assert eventually(Path(env["DUMP"]).exists), "Java was never started"
    said: dict[str, object] = json.loads(Path(env["DUMP"]).read_text())
    return said


def test_check_says_what_is_fine_and_starts_nothing(launch: Launch, env: dict[str, str]) -> None:
    process = launch(env, "--check")
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert sum("run_kcl.sh: ok" in line for line in err.splitlines()) == 4
    assert not Path(env["DUMP"]).exists()


def test_a_check_writes_nothing_so_it_goes_with_no_repair(launch: Launch, env: dict[str, str]) -> None:
    process = launch(env, "--check", "--start-chain-here")
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "not allowed with" in err


def test_the_daemon_gets_its_properties_and_its_children_their_environment(
    launch: Launch, env: dict[str, str], tmp_path: Path
) -> None:
    process = launch({**env, "STATE_DIR": str(tmp_path / "state dir"), "FILE_AGE": "", "LOG_LEVEL": "WARNING"})
    said = called(env)
    argv, child = said["argv"], said["env"]
    assert isinstance(argv, list)
    assert isinstance(child, dict)
    assert "software.amazon.kinesis.multilang.MultiLangDaemon" in argv
    assert "-Dfile.encoding=UTF-8" in argv
    assert "-DLOG_LEVEL=WARN" in argv
    properties = Path(argv[argv.index("--properties-file") + 1]).read_text()
    assert f"executableName = {Path(sys.executable).name} -P -m consumer\n" in properties
    assert f"kinesisEndpoint = {env['AWS_ENDPOINT_URL_KINESIS']}" in properties
    assert env["AWS_SECRET_ACCESS_KEY"] not in properties
    assert child["STREAM_ARN"].endswith(f":stream/{env['STREAM_NAME']}")
    assert int(child["STREAM_CREATED"]) <= time.time()
    assert child["STREAM_RETENTION_HOURS"] == "24"
    assert child["FILE_AGE"] == "3"  # the profile's
    assert child["STATE_DIR"] == str(tmp_path / "state dir")
    assert child["LC_ALL"] == "C.UTF-8"
    assert child["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    shards = json.loads(Path(child["SHARDS_FILE"]).read_text())
    assert sorted(shards) == ["shardId-000000000000", "shardId-000000000001"]
    assert all(number.isdecimal() for number in shards.values())
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_second_worker_under_one_id_is_refused_while_the_first_lives(launch: Launch, env: dict[str, str]) -> None:
    first = launch(env)
    called(env)
    second = launch({**env, "STATE_DIR": env["TMPDIR"] + "/other"})
    _, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 2
    (line,) = err.splitlines()
    assert f"worker worker-1 of {env['APPLICATION_NAME']} (process {first.pid})" in line
    first.kill()
    first.communicate()
    Path(env["DUMP"]).unlink()
    launch(env)
    called(env)


def test_two_workers_do_not_share_a_state_directory(launch: Launch, env: dict[str, str]) -> None:
    shared = {**env, "STATE_DIR": env["TMPDIR"] + "/shared"}
    launch(shared)
    called(env)
    second = launch({**shared, "WORKER_ID": "worker-2"})
    _, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 2
    assert "STATE_DIR of its own" in err


def test_without_a_state_directory_the_worker_runs_on(launch: Launch, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = launch({**env, "STATE_DIR": str(tmp_path / "file" / "state")})
    said = called(env)["env"]
    assert isinstance(said, dict)
    assert said["STATE_DIR"] == ""
    assert len(json.loads(Path(said["SHARDS_FILE"]).read_text())) == 2  # in the memory of the process
    _, err = process.communicate(timeout=SECONDS)
    assert "no state directory" in err


def test_what_an_earlier_run_left_about_its_shards_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    needed = {"STREAM_NAME": "s", "BUCKET": "bucket", "AWS_REGION": "eu-central-1"}
    old = tmp_path / "state" / "shards" / "shardId-000000000007.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    state = open_state_dir(read_settings({**needed, "STATE_DIR": str(tmp_path / "state")}), print)
    assert state == StateDir(tmp_path / "state")
    assert not old.exists()
    assert Path(state.write("x", "é", print)).read_text("utf-8") == "é"


def test_what_cannot_be_written_is_kept_in_memory_with_a_warning(tmp_path: Path) -> None:
    said: list[str] = []
    assert Path(StateDir(None).write("x", "é", said.append)).read_text("utf-8") == "é"
    assert said == []
    (tmp_path / "x").mkdir()  # in the file's place
    assert Path(StateDir(tmp_path).write("x", "é", said.append)).read_text("utf-8") == "é"
    assert "cannot be written" in said[0]


def test_a_worker_starts_where_there_is_no_leader_yet(launch: Launch, env: dict[str, str]) -> None:
    launch(env, "--profile", "production")
    child = called(env)["env"]
    assert isinstance(child, dict)
    assert child["FILE_AGE"] == "300"


def test_a_wrong_stream_or_bucket_is_one_line(launch: Launch, env: dict[str, str]) -> None:
    for name in ("STREAM_NAME", "BUCKET"):
        process = launch({**env, name: "missing"}, "--check")
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 2
        assert "Traceback" not in err
        assert "there is no" in err.splitlines()[-1]
        assert "missing" in err.splitlines()[-1]


@pytest.mark.skipif(not certificates.to_environment({}, str.__add__), reason="needs certificates where Debian has them")
def test_children_find_the_systems_certificates_as_long_as_the_daemon_lives(
    launch: Launch, env: dict[str, str]
) -> None:
    launch({name: value for name, value in env.items() if name not in ("SSL_CERT_FILE", "SSL_CERT_DIR")})
    child = called(env)["env"]
    assert isinstance(child, dict)
    assert "-----BEGIN CERTIFICATE-----" in Path(child["SSL_CERT_FILE"]).read_text()


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("java") is None and "ARTICLES_JAVA" not in os.environ, reason="needs Java")
def test_the_real_daemon_runs_from_a_path_with_spaces_and_logs_one_json_line_an_event(
    launch: Launch, env: dict[str, str], clients: Clients, tmp_path: Path
) -> None:
    checkout = tmp_path / "a check out"
    for folder in ("articles", "consumer", "properties"):
        shutil.copytree(PROJECT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    article = {"article_id": "1", "title": "t", "author": "a", "publish_date": None, "content": "never-in-a-log"}
    clients.kinesis.put_record(
        StreamName=env["STREAM_NAME"], Data=json.dumps(article).encode(), PartitionKey="schlüssel"
    )
    java = {"ARTICLES_JAVA": os.environ.get("ARTICLES_JAVA", ""), "STATE_DIR": str(tmp_path / "state dir")}
    process = launch({**env, **java, "FILE_AGE": "1"}, cwd=checkout)

    def stored() -> bool:
        assert process.poll() is None, process.communicate()
        listed = clients.s3.list_objects_v2(Bucket=env["BUCKET"], Prefix="articles/data/").get("Contents", [])
        return any(item["Key"].endswith(".avro") for item in listed)

    assert eventually(stored), "no file was ever stored"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 143, err
    assert out == ""
    lines = err.splitlines()
    events = [json.loads(line) for line in lines]
    children = [line for line, event in zip(lines, events, strict=True) if "worker" in event]
    assert len(set(children)) == len(children), "a child's line came twice"
    started = [event for event in events if event["event"] == "started"]
    assert len(started) == 2, "a child's own line, once for each shard"
    assert all({"time", "level", "event"} <= event.keys() for event in events)
    assert "never-in-a-log" not in err
    assert "AwsCredentialsProvider" not in err
