# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs of the ``videomdm`` command as child processes, one after the other.  Nothing here touches bpy."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videomdm.errors import UserError

KILL_SECONDS = 3.0
REFUSED = 2  # exit status of a verb that reports an error a person can act on


@dataclass(frozen=True)
class Step:
    """One verb: what the panel says while it runs, how far the whole is then, and its words."""

    stage: str
    fraction: float
    words: Sequence[str]


class Verbs:
    """Steps that run in a folder of their own, which vanishes with :meth:`close`.

    command: what starts ``videomdm``.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self.folder = Path(tempfile.mkdtemp(prefix="videomdm-"))
        self._waiting: list[Step] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.step: Step | None = None

    def start(self, steps: Sequence[Step]) -> None:
        """Begin with the first step; UserError where it cannot be started."""
        self._waiting = list(steps)
        self._next()

    def turn(self) -> bool:
        """Go on as far as can be gone without waiting; whether all is done.  UserError where a step failed."""
        if self._process is None or self._process.poll() is None:
            return False
        if self._process.returncode:
            raise self._failure(self._process.returncode)
        if self._waiting:
            self._next()
            return False
        return True

    def close(self) -> None:
        """End what runs and remove the folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(KILL_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "log.txt"

    def _next(self) -> None:
        self.step = self._waiting.pop(0)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*self._command, *self.step.words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise UserError(
                f"The backend cannot be started: {self._command[0]}: {error.strerror}.",
                "Name the Python of the backend in the add-on's preferences.",
                "no-backend",
            ) from error

    def _failure(self, status: int) -> UserError:
        lines = [line.strip() for line in self._log.read_text("utf-8", "replace").splitlines()]
        said = next((line for line in reversed(lines) if line), "")
        if status == REFUSED and said:
            return UserError(said.removeprefix("Error: "), "", "footage")
        words = f": {said}" if said else ""
        return UserError(f"The backend ended with exit status {status}{words}.", "Try again.", "footage")
