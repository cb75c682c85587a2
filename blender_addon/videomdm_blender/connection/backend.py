# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend on this computer as a child process: start it, notice its death and say why, stop it.

Nothing here touches bpy.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from videomdm.errors import UserError

STOP_SECONDS = 8.0  # a server ends its worker and its library in this time, or is killed
TAIL_BYTES = 4000


class LocalBackend:
    """A running ``videomdm serve``.

    Its output goes to ``log``; ``connection_file`` appears when it is ready.  It holds one end of a pipe and ends
    when the other is closed, so that it outlives neither this object nor a Blender that crashes.
    """

    def __init__(self, command: Sequence[str], connection_file: Path, log: Path) -> None:
        """Start the process; UserError where that is impossible."""
        self.connection_file = connection_file
        self.log = log
        self._stopping = False
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    [*command, "--connection-file", str(connection_file), "--with-parent"],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    # No console window on Windows; elsewhere Ctrl-C in Blender's terminal is not for it.
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    start_new_session=True,
                )
        except OSError as error:
            raise UserError(
                f"The backend cannot be started: {command[0]}: {error.strerror}.",
                "Name the Python of the backend in the add-on's preferences.",
                "no-backend",
            ) from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def death(self) -> UserError | None:
        """Why the process has ended, or None while it runs."""
        status = self._process.poll()
        return None if status is None else explain(status, self._last_words(), self.log)

    def stop(self) -> None:
        """End the process: politely, then by force."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        """The last line of the log that is not empty."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def find_command(python: str) -> list[str]:
    """The words that start ``videomdm serve``.

    ``python`` is the interpreter of the environment in which the backend is installed; "" looks for a
    ``videomdm`` on the PATH.  UserError where there is neither.
    """
    if python:
        if shutil.which(python) is None:
            raise UserError(
                f"The backend's Python {python} does not exist or cannot be run.",
                "Correct it in the add-on's preferences.",
                "no-backend",
            )
        return [python, "-m", "videomdm.cli", "serve"]
    found = shutil.which("videomdm")
    if found is None:
        raise UserError(
            "No backend was found on this computer.",
            "Install it (pip install 'videomdm[backend]') and name its Python in the add-on's preferences.",
            "no-backend",
        )
    return [found, "serve"]


def explain(status: int, last_words: str, log: Path) -> UserError:
    """What an exit status and the last line of the log mean to a person."""
    details = f"The log {log} has the details."
    if "No module named" in last_words:
        return UserError(
            f"The backend is not complete: {last_words.removeprefix('ModuleNotFoundError: ')}.",
            "Install it into that Python: pip install 'videomdm[backend]'.",
            "not-installed",
        )
    if status == 2:  # the command line's way to report an error that a person can act on
        return UserError(
            last_words.removeprefix("Error: ") or "The backend refused to start.", details, "backend"
        )
    if status < 0 and sys.platform != "win32":
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        if name == "SIGKILL":
            return UserError(
                "The backend was killed by the system, most likely because memory ran out.",
                "Close other programs or ask for a shorter motion, then start it again.",
                "out-of-memory",
            )
        return UserError(f"The backend was ended by {name}.", f"Start it again. {details}", "backend-died")
    if status == 0:
        return UserError("The backend has stopped.", "Start it again.", "backend-stopped")
    said = f": {last_words}" if last_words else ""
    return UserError(f"The backend ended with exit status {status}{said}.", details, "backend-died")
