# SPDX-License-Identifier: Apache-2.0
"""Running commands, one installer at a time, and what is said meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".dev"
WINDOWS = os.name == "nt"


class Stop(Exception):
    """Something that the user must know or do; the message is the whole story."""


def say(text: str) -> None:
    """Print a line of our own between those of the tools."""
    print(f"dev.py: {text}", flush=True)


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def clean_environ() -> dict[str, str]:
    """The user's environment without what would let an install leave `.dev/` or mix other packages in."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT"}
    environ = {name: value for name, value in os.environ.items() if name.upper() not in dropped}
    return {**environ, "PYTHONNOUSERSITE": "1", "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "1"}


def run(command: list[str | Path], limit: float | None = None, **extra: str) -> int:
    """Run a command in the repository with its output shown as it comes; returns its exit status.

    `extra` is added to its environment.  However this function is left, the process has ended before.
    """
    lock = {} if WINDOWS or Lock.file is None else {"pass_fds": (Lock.file.fileno(),)}
    with subprocess.Popen(
        [*map(str, command)], cwd=ROOT, env={**clean_environ(), **extra}, **lock
    ) as process:  # type: ignore[call-overload]
        try:
            return int(process.wait(limit))
        except subprocess.TimeoutExpired:
            say(f"stopped after {duration(limit or 0)}: {' '.join(map(str, command[:4]))} ...")
            process.kill()
            return 124
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)  # it was interrupted too, and cleans up
            process.kill()
            raise


def output_of(command: list[str | Path]) -> str | None:
    """What a command prints, or None where it fails."""
    try:
        done = subprocess.run(
            [*map(str, command)],
            env={**clean_environ(), "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Lock:
    """One dev.py at a time makes environments; the installers that it starts hold the lock too.

    (Not on Windows.)  So a killed dev.py whose pip lives on does not meet its successor.
    """

    file: IO[str] | None = None

    @staticmethod
    def try_lock(file: IO[str]) -> bool:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    @classmethod
    @contextlib.contextmanager
    def held(cls) -> Iterator[None]:
        HOME.mkdir(exist_ok=True)
        with open(HOME / "lock", "a") as file:
            if not cls.try_lock(file):
                say("another dev.py is making environments here; waiting for it ...")
                while not cls.try_lock(file):
                    time.sleep(1)
            cls.file = file
            try:
                yield
            finally:
                cls.file = None
