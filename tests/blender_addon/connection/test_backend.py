# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as a child process: how it starts, dies and is stopped.  No Blender needed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from videomdm.errors import UserError
from videomdm_blender.connection.backend import LocalBackend, explain, find_command


def start(folder: Path, code: str) -> LocalBackend:
    """A child that runs ``code``; it gets --connection-file FILE as arguments."""
    return LocalBackend([sys.executable, "-c", code], folder / "connection.json", folder / "backend.log")


def death_of(backend: LocalBackend) -> UserError:
    deadline = time.monotonic() + 20
    while (death := backend.death()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return death


def test_it_lives_and_is_stopped(tmp_path: Path) -> None:
    backend = start(tmp_path, "import time; time.sleep(60)")
    assert backend.death() is None
    backend.stop()
    assert backend.death() is not None
    backend.stop()  # twice does no harm
    with pytest.raises(ProcessLookupError):
        os.kill(backend.pid, 0)


def test_it_is_told_where_to_write_the_connection_file(tmp_path: Path) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.argv[sys.argv.index('--connection-file') + 1]).touch()"
    death_of(start(tmp_path, code))
    assert (tmp_path / "connection.json").exists()


def test_its_own_words_are_repeated(tmp_path: Path) -> None:
    code = (
        "import sys; print('Loading'); sys.exit(print('Error: The model is damaged. Get it again.\\n') or 2)"
    )
    death = death_of(start(tmp_path, code))
    assert death.message == "The model is damaged. Get it again."
    assert str(tmp_path / "backend.log") in death.advice


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    death = death_of(start(tmp_path, "import no_such_package_here"))
    assert "no_such_package_here" in death.message and "pip install" in death.advice


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_kill_is_blamed_on_memory(tmp_path: Path) -> None:
    backend = start(tmp_path, "import time; time.sleep(60)")
    os.kill(backend.pid, signal.SIGKILL)
    death = death_of(backend)
    assert death.code == "out-of-memory" and "memory" in death.message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_other_signals_are_named() -> None:
    assert "SIGSEGV" in explain(-signal.SIGSEGV, "", Path("log")).message
    assert "signal 99" in explain(-99, "", Path("log")).message


def test_other_ends() -> None:
    assert explain(0, "", Path("log")).code == "backend-stopped"
    crashed = explain(1, "ValueError: no", Path("log"))
    assert "exit status 1: ValueError: no" in crashed.message


def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be started"):
        LocalBackend([str(tmp_path / "nothing")], tmp_path / "c.json", tmp_path / "log")
    with pytest.raises(UserError, match="does not exist"):
        find_command(str(tmp_path / "nothing"))


def test_the_command_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_command(sys.executable) == [sys.executable, "-m", "videomdm.cli", "serve"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="No backend was found"):
        find_command("")
    command = tmp_path / "videomdm"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    assert find_command("") == [str(command), "serve"]
