# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs that are linked from a library file: only their overrides are animated, the file stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import limb_errors
from tests.blender_addon.support.true_mappings import RIGIFY
from tests.support.actor import perform

from videomdm.errors import UserError


def link(library: Path) -> Any:
    """Link the Rigify rig of a file into a new one; returns the linked object."""
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["rig"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    return wanted.objects[0]


@pytest.mark.parametrize("controls", ["FK", "IK"])
@pytest.mark.parametrize("whole", [False, True], ids=["object", "hierarchy"])
def test_an_override_takes_a_local_action(
    bpy: Any, rigify_file: Callable[[str], Path], tmp_path: Path, whole: bool, controls: str
) -> None:
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.controls.limb import Controls

    library = rigify_file("basic_human")
    content = library.read_bytes()
    linked = link(library)
    scene = bpy.context.scene
    if whole:
        override = linked.override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    else:
        override = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.update()
    libraries = {(thing.name, thing.library) for thing in bpy.data.objects}
    motion = perform(0.6, turns=0.2).motion
    applied = apply_take(scene, override, motion, name="take", start_frame=1, controls=Controls[controls])
    assert applied.action.library is None and override.animation_data.action == applied.action
    assert {(thing.name, thing.library) for thing in bpy.data.objects} == libraries

    shot = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(shot))
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    again = next(thing for thing in bpy.data.objects if thing.pose and thing.override_library)
    assert again.animation_data.action.name == "take"
    errors = limb_errors(again, RIGIFY, motion, range(1, applied.end_frame + 1), 24.0)
    assert np.median(errors) < 0.5 and np.percentile(errors, 99) < 2.0
    assert library.read_bytes() == content


def test_a_linked_rig_is_refused_with_what_to_do(bpy: Any, rigify_file: Callable[[str], Path]) -> None:
    from videomdm_blender.armature.apply import apply_take

    linked = link(rigify_file("basic_human"))
    with pytest.raises(UserError, match="linked from another file") as caught:
        apply_take(bpy.context.scene, linked, perform(0.4).motion, name="take", start_frame=1)
    assert "Library Override > Make" in caught.value.advice
    assert len(bpy.data.actions) == 0 and linked.animation_data.action is None
