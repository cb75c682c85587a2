# SPDX-License-Identifier: Apache-2.0
"""The connection file: private, whole, and only its own server's to remove."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from videomdm import connection
from videomdm.connection import Connection
from videomdm.errors import UserError


def test_it_comes_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "connection.json"
    written = Connection("tcp://127.0.0.1:5", "secret", 7, "abc", True)
    before = os.umask(0)
    try:
        connection.write_connection(path, written)
    finally:
        os.umask(before)
    assert connection.read_connection(path) == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["connection.json"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"address": 5, "token": "x"}', b"{'a': 1}"]
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "connection.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a connection file"):
        connection.read_connection(path)


def test_a_missing_file_tells_how_to_start_a_server(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="videomdm serve") as caught:
        connection.read_connection(tmp_path / "connection.json")
    assert caught.value.code == "no-server"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="--connection-file"):
        connection.write_connection(tmp_path / "file" / "connection.json", Connection("a", "b"))


def test_only_the_own_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "connection.json"
    connection.write_connection(path, Connection("a", "b", server="newer"))
    connection.remove_connection(path, "older")
    assert path.exists()
    connection.remove_connection(path, "newer")
    assert not path.exists()
    connection.remove_connection(path, "newer")  # gone already: fine


def test_a_dead_process_is_known() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert connection.is_gone(Connection("a", "b", ended.pid)) == (os.name == "posix")
    assert not connection.is_gone(Connection("a", "b", os.getpid()))
    assert not connection.is_gone(Connection("a", "b", 0))
    assert not connection.is_gone(Connection("a", "b", 2**62))
    assert not connection.is_gone(Connection("a", "b", ended.pid, curve=True)), "another machine's number"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "videomdm"),
        ("win32", "LOCALAPPDATA", "videomdm"),
    ],
)
def test_the_folder_is_the_platforms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, expected: str
) -> None:
    monkeypatch.delenv("VIDEOMDM_DATA", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert connection.data_folder() == tmp_path / expected
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path / "mine"))
    assert connection.default_connection_file() == tmp_path / "mine" / "connection.json"
