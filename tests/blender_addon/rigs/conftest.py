# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs with their true mappings as plain data: made of numbers, of known kinds, of the shared data, and Rigify's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.blender_addon.support.known_rigs import KINDS, known_rig
from tests.blender_addon.support.rigs import A_POSE, T_POSE, body
from tests.blender_addon.support.true_mappings import RIGIFY, RIGIFY_META, SHARED
from tests.blender_addon.support.variants import Case, mannequin

OWN = ("mannequin", "T-pose of numbers", "A-pose of numbers")
RIGIFY_RIGS = ("rigify basic", "rigify human", "rigify basic generated")
KNOWN = tuple(KINDS)
HIERARCHIES = (*OWN, *SHARED, *RIGIFY_RIGS[:2])


@pytest.fixture(scope="session")
def case_of(request: pytest.FixtureRequest) -> Callable[[str], Case]:
    """A rig by its name; each is read once.  Skips where the rig's file or Blender is missing."""
    known: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in known:
            if name == "mannequin":
                known[name] = mannequin()
            elif name in OWN:
                rest, mapping = body(T_POSE if name.startswith("T") else A_POSE)
                known[name] = Case(rest, dict(mapping.slots))
            elif name in KINDS:
                known[name] = known_rig(name)
            elif name in SHARED:
                request.getfixturevalue("bpy")
                known[name] = _shared(request.getfixturevalue("shared_data") / "rigs" / name)
            else:
                known[name] = _rigify(request.getfixturevalue("bpy"), name)
        return known[name]

    return case


def _shared(path: Any) -> Case:
    from videomdm_blender.armature.importing import open_rig
    from videomdm_blender.armature.rest import read_rest

    rig = open_rig(path)
    return Case(read_rest(rig.armature), SHARED[path.name], rig.humanoid)


def _rigify(bpy: Any, name: str) -> Case:
    import addon_utils

    from videomdm_blender.armature.rest import read_rest

    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    kind = "human" if "human" in name else "basic_human"
    getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
    truth = RIGIFY_META
    if "generated" in name:
        bpy.ops.pose.rigify_generate()
        truth = RIGIFY
    armature = bpy.data.objects["rig" if truth is RIGIFY else "metarig"]
    case = Case(read_rest(armature), truth)
    addon_utils.disable("rigify", default_set=True)
    return case
