"""Children find each of the system's certificates in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from consumer.certificates import to_environment


def certificate(text: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def as_said(_name: str, text: str) -> str:
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "java").mkdir()
    (tmp_path / "java" / "cacerts").write_bytes(b"\xfe\xed")
    (tmp_path / "1a2b3c4d.0").symlink_to("one.pem")
    (tmp_path / "all.crt").write_text(certificate("two") + certificate("one"))
    (tmp_path / "mine.pem").write_text(certificate("mine"))
    (tmp_path / "one.pem").write_text(certificate("one"))
    (tmp_path / "two.pem").write_bytes(b"# \xe9\n" + certificate("two").encode())
    return tmp_path


def test_each_certificate_stands_once(folder: Path) -> None:
    assert to_environment({}, as_said, folder) == {"SSL_CERT_FILE": "".join(map(certificate, ("one", "two", "mine")))}


@pytest.mark.parametrize("env", [{"SSL_CERT_FILE": "/mine.pem"}, {"SSL_CERT_DIR": "/mine"}])
def test_what_the_user_says_holds(env: Mapping[str, str], folder: Path) -> None:
    assert to_environment(env, as_said, folder) == {}


def test_a_system_without_such_a_folder_is_left_to_itself(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("none here")
    assert to_environment({}, as_said, tmp_path) == {}
    assert to_environment({}, as_said, tmp_path / "none") == {}
