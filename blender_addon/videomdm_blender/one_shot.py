# SPDX-License-Identifier: GPL-3.0-or-later
"""One piece of work in a Blender of its own: a request as JSON on stdin, an answer as one line on stdout.

Blender can hang at its end, and its importers write to stdout as they like.  So the answer is the line that
begins with ``MARK``, and the process is ended when it is there or when it takes too long.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from videomdm.errors import UserError

MARK = "videomdm-answer: "


def ask(module: str, request: dict[str, Any], time_limit: float) -> dict[str, Any]:
    """Have ``python -m module`` do a request; UserError where it fails, as if it had been done here."""
    try:
        finished = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"Blender did not finish within {time_limit:.0f} s.",
            "Try a smaller rig, or a shorter clip.",
            "timeout",
        ) from error
    lines = [line for line in finished.stdout.splitlines() if line.startswith(MARK)]
    if not lines:
        tail = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"Blender ended without an answer (status {finished.returncode}): {tail}.",
            "Open the rig in Blender to see whether the file is sound.",
            "blender",
        )
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(MARK))
    if "error" in answer:
        raise UserError(*answer["error"])
    done: dict[str, Any] = answer["done"]
    return done


def main(perform: Callable[[dict[str, Any]], dict[str, Any]]) -> NoReturn:
    """The asked process: do the request on stdin, write the answer, and end at once."""
    status = 1
    try:
        try:
            answer: dict[str, Any] = {"done": perform(json.load(sys.stdin))}
        except UserError as error:
            answer = {"error": [error.message, error.advice, error.code]}
        print(f"\n{MARK}{json.dumps(answer)}", flush=True)
        status = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
