"""The console script itself: help, mistakes, errors, Ctrl-C, pipes that close."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from articles import average, cli
from articles.errors import StoreRefused, StoreUnavailable

Articles = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parent.parent.parent
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in cli.COMMANDS)])
def test_everything_has_help(articles: Articles, words: list[str]) -> None:
    status, out, _ = articles(*words)
    assert status == 0
    assert out.startswith("usage: articles")


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_is_there(name: str) -> None:
    module = importlib.import_module(cli.COMMANDS[name][0])
    assert callable(module.add_arguments)
    assert callable(module.run)


def test_without_a_command_it_says_what_there_is(articles: Articles) -> None:
    status, out, _ = articles()
    assert status == 2
    assert "average" in out


def test_an_unknown_command_is_named(articles: Articles) -> None:
    status, _, err = articles("avergae")
    assert status == 2
    assert "'avergae'" in err


@pytest.mark.parametrize(
    "error, said",
    [(StoreUnavailable("no\nanswer"), "no answer; check the network"), (StoreRefused("denied"), "denied")],
)
def test_a_store_that_fails_is_one_line(
    articles: Articles, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(average, "compute", fail)
    status, _, err = articles("average")
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_ctrl_c_leaves_with_130(articles: Articles, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(average, "compute", interrupt)
    assert articles("average") == (130, "", "")


def test_ctrl_c_is_heard_while_the_store_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = subprocess.Popen(
            [sys.executable, "-m", "articles", "average", "--bucket", "bucket", "--endpoint-url", url],
            env=os.environ | KEYS | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with running:
            try:
                connection, _ = silent.accept()
                with connection:
                    running.send_signal(signal.SIGINT)
                    out, err = running.communicate(timeout=10)
            finally:
                running.kill()
    assert running.returncode == -signal.SIGINT, "which a shell calls 130"
    assert (out, err) == ("", "")


def script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BUCKET", "PREFIX"))}
    offline = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "articles", *words],
        env=kept | offline | {"AWS_EC2_METADATA_DISABLED": "true"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words, environment, said",
    [
        ([], {}, "which bucket?"),
        (["--bucket", "b"], {}, "which region?"),
        (["--bucket", "b", "--region", "us-east-1"], {}, "no AWS credentials"),
        (["--bucket", "b", "--region", "us-east-1", "--prefix", "/"], {"AWS_ACCESS_KEY_ID": "x"}, "no prefix"),
        ([], {"BUCKET": "b", "AWS_REGION": "us-east-1"}, "no AWS credentials"),
        (["--bucket", "bucket", "--region", "us-east-1"], {"AWS_ACCESS_KEY_ID": "x"}, "SecretAccessKey"),
        (["--bucket", "bucket", "--endpoint-url", "nowhere"], KEYS, "'nowhere' is not an endpoint"),
        (["--bucket", "s3://bucket", "--region", "us-east-1"], KEYS, "without s3://"),
        (["--bucket", "bucket", "--region", "us east"], KEYS, "is not a region"),
    ],
)
def test_what_is_missing_is_one_clear_line(words: list[str], environment: dict[str, str], said: str) -> None:
    done = script("average", *words, **environment)
    assert done.returncode == 2
    assert done.stderr.startswith("articles average: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_profile_alone_is_told_what_to_do(tmp_path: Path) -> None:
    profile = tmp_path / "credentials"
    profile.write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    done = script("files", BUCKET="b", AWS_REGION="us-east-1", AWS_SHARED_CREDENTIALS_FILE=str(profile))
    assert done.returncode == 2
    assert "aws configure export-credentials" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    """As in `articles files | head -1`: standard output is a pipe that nobody reads any more."""
    spam = (
        "import sys, types; from articles import cli\n"
        "spam = types.ModuleType('spam'); spam.add_arguments = lambda parser: None\n"
        "spam.run = lambda args: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "sys.modules['spam'] = spam; cli.COMMANDS['spam'] = ('spam', 'spam'); sys.exit(cli.main(['spam']))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", spam],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_imports_neither_boto3_nor_the_s3_client() -> None:
    look = (
        "import sys; from articles.cli import main\n"
        "try: main(['average', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'boto3', 'obstore', 'fastavro', 'consumer', 'local'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
