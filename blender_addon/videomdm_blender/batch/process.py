# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of a worker: starts it, asks it, and notices when it dies or hangs."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from videomdm.errors import UserError

START_LIMIT = 180.0  # seconds for Blender to load on a busy machine
LOG_TAIL = 4000  # bytes of a worker's log in which the reason for its death is looked for

# What a worker needs of the environment; all else could change what it does.
KEPT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
     "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC",
    "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS",
)  # fmt: skip


class WorkerLost(Exception):
    """The worker has died or was ended; its job is lost.  The text says why."""


def environment(folder: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a worker: one thread each, and no user's own Blender settings or start-up scripts.

    Its temporary files lie in ``folder``, so that those of a worker that was killed are removed with it.
    """
    base = os.environ if base is None else base
    kept = {name: base[name] for name in KEPT if name in base}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "BLENDER_USER_RESOURCES": str(folder / "blender"),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "temporary")),
    }


class Worker:
    """A running worker process for one kind of job; use it from one thread.

    module: whose ``perform`` does the jobs.
    folder: for its log and settings; made if it is not there.
    """

    def __init__(self, module: str, folder: Path) -> None:
        for name in ("blender", "temporary"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.txt"
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "videomdm_blender.batch.worker", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=environment(folder),
                # Ctrl-C is for the supervisor, which ends its workers itself.
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                start_new_session=os.name == "posix",
            )
        threading.Thread(target=self._listen, daemon=True).start()
        self._ready, self._begun = False, 0

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, job: dict[str, Any], limit: float) -> dict[str, Any]:
        """Have a job done: the worker's answer.  WorkerLost where there is none within ``limit`` seconds."""
        self.wait_until_ready()
        self._begun = self._log.stat().st_size
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._lost() from error
        return self._next(limit, f"did not finish within {limit:g} s and was ended")

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):  # it died with a job half written
            self._process.stdin.close()

    def wait_until_ready(self) -> None:
        """Return as soon as Blender has started; UserError where there is none, WorkerLost where it dies."""
        if self._ready:
            return
        answer = self._next(START_LIMIT, f"did not start within {START_LIMIT:g} s")
        if "error" in answer:
            raise UserError(*answer["error"])
        self._ready = True

    def _next(self, limit: float, late: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            self.close()
            raise WorkerLost(f"Blender {late}.") from None
        if line is None:
            raise self._lost()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _lost(self) -> WorkerLost:
        self._process.wait()
        status = self._process.returncode
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return WorkerLost(f"Blender {how}{self._last_words()}.")

    def _last_words(self) -> str:
        """What Blender printed last about this job."""
        with self._log.open("rb") as log:
            log.seek(max(self._begun, self._log.stat().st_size - LOG_TAIL))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1].strip().rstrip('.')}" if lines else ""

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put(None)


class Seat:
    """A place for a worker: does one job at a time and takes a new worker when one is lost."""

    def __init__(self, module: str, folder: Path) -> None:
        self._module, self._folder = module, folder
        self._worker: Worker | None = None
        self._closed = False

    def perform(self, job: dict[str, Any], limit: float) -> dict[str, Any]:
        """Have a job done.

        The answer is that of the worker (``done`` or ``error``) with the ``seconds`` that it took, and
        ``start_seconds`` for a new worker before; a lost worker is an ``error`` with the code "crashed".
        UserError where no worker can be started at all.
        """
        started = begun = time.monotonic()
        if self._worker is None:
            self._worker = Worker(self._module, self._folder)
        worker = self._worker
        if self._closed:  # while the worker was being started
            worker.close()
        try:
            worker.wait_until_ready()
            begun = time.monotonic()
            answer = worker.ask(job, limit)
        except WorkerLost as lost:
            worker.close()
            self._worker = None
            advice = "Open the rig in Blender to see whether the file is sound."
            answer = {"error": [str(lost), advice, "crashed"]}
        took = time.monotonic() - begun
        return answer | {"seconds": round(took, 3), "start_seconds": round(begun - started, 3)}

    def close(self) -> None:
        """End the worker, if there is one; also from another thread, in the middle of a job."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.close()
