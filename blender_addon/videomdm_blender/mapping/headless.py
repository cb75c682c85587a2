# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds or checks a mapping in a process of its own: ``python -m videomdm_blender.mapping.headless``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import one_shot

TIME_LIMIT = 300.0  # seconds


@dataclass(frozen=True)
class Request:
    """One rig.  Paths are absolute; empty texts mean "not given".

    load: mapping file to check instead of finding the bones; save: mapping file to write.
    """

    rig: str
    armature: str = ""
    load: str = ""
    save: str = ""


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Do a request in a new process; UserError where it fails, as if it had been done in this one."""
    return one_shot.ask(__name__, request, TIME_LIMIT)


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Do a request in this process, which must have bpy.  What is open in Blender is closed.

    Gives the name of the armature, its number of bones, the family and the slots.
    """
    from ..armature.importing import open_rig
    from ..armature.rest import read_rest
    from ..rigs import load_mapping, save_mapping
    from .stored import mapping_for

    asked = Request(**request)
    rig = open_rig(Path(asked.rig), asked.armature)
    rest = read_rest(rig.armature)
    if asked.load:
        mapping = load_mapping(Path(asked.load), rest)
    else:
        mapping = mapping_for(rig.armature, rest, rig.humanoid)
    if asked.save:
        save_mapping(Path(asked.save), mapping)
    return {
        "armature": rig.armature.name,
        "bones": len(rest.names),
        "family": mapping.family,
        "slots": json.loads(json.dumps(dict(mapping.slots))),
    }


if __name__ == "__main__":
    one_shot.main(perform)
