# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker is made to do in tests: everything that real rigs have made Blender do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from videomdm.errors import UserError


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Do as told; the result says which process did it."""
    print("Blender prints what it likes")
    os.write(1, b"and so do its importers\n")
    if "mark" in job:
        Path(job["mark"]).write_text(str(os.getpid()))
    match job["do"]:
        case "crash":
            os.abort()
        case "hang":
            time.sleep(600)
        case "refuse":
            raise UserError("The rig is a teapot.", "Use a humanoid rig.", "teapot")
        case "stumble":
            raise IndexError("list index out of range")
    return {"pid": os.getpid(), "variables": sorted(os.environ)}
