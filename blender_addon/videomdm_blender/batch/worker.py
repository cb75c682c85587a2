# SPDX-License-Identifier: GPL-3.0-or-later
"""A process with one Blender: ``python -m videomdm_blender.batch.worker MODULE``.

It imports bpy once and does what it is told by lines of JSON on stdin, with ``MODULE.perform(job)``; each
answer is one line of JSON on stdout.  What Blender prints goes to stderr.  When stdin closes, because its
supervisor has ended in whatever way, the process ends at once.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from videomdm.errors import UserError

from ..headless import no_blender

Perform = Callable[[dict[str, Any]], dict[str, Any]]


def main(module: str) -> None:
    """Answer jobs until stdin closes."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    try:
        import bpy

        perform: Perform = importlib.import_module(module).perform
    except ImportError as error:
        if error.name != "bpy":
            raise
        _say(channel, {"error": list(no_blender().args)})
        return
    _say(channel, {"ready": bpy.app.version_string})
    while True:
        _say(channel, _answer(perform, json.loads(jobs.get())))


def _listen(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    end(0)


def end(status: int) -> None:
    """End the process at once: Blender's own clean-up can hang."""
    if "bpy" in sys.modules and hasattr(sys.modules["bpy"], "app"):  # what Blender would have tidied up
        shutil.rmtree(sys.modules["bpy"].app.tempdir, ignore_errors=True)
    os._exit(status)


def _answer(perform: Perform, job: dict[str, Any]) -> dict[str, Any]:
    """The result, or why there is none; a job that fails does not end the worker."""
    try:
        answer: dict[str, Any] = {"done": perform(job)}
    except UserError as error:
        answer = {"error": list(error.args)}
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        answer = {
            "error": [
                f"{type(error).__name__}: {' '.join(str(error).split())}",
                "This is a fault of the program; the log has its place.",
                "internal",
            ]
        }
    return answer | {"memory_mb": memory_mb()}


def memory_mb() -> float | None:
    """The most memory that this process has held, megabytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def _say(channel: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=channel, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        end(1)
    end(0)
