# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs like Auto-Rig Pro's, and rigs of nobody's: controls found, switched, placed; nothing else touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.blender_addon.controls.control_rigs import ARP, STUDIO, Style, build
from tests.blender_addon.controls.seen import apart, degrees_between, keyed_value, use, watch
from tests.blender_addon.controls.snapshot import snapshot
from tests.blender_addon.support.stage_rigs import keyed_bones, limb_errors
from tests.blender_addon.support.true_mappings import Table
from tests.support.actor import perform

STYLES = {"auto-rig pro": ARP, "studio": STUDIO}
SIDES = ("left", "right")
ON_LIMBS = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")


def deforming(style: Style) -> Table:
    """The true mapping of the bones that deform."""
    found: Table = {"spine": (style.deform["spine1"], style.deform["spine2"])}
    for slot, name in style.deform.items():
        if "@" in name:
            for side, word in zip(SIDES, style.sides, strict=True):
                found[f"{side}_{slot}"] = (name.replace("@", word),)
        elif not slot.startswith("spine"):
            found[slot] = (name,)
    return found


def both_sides(style: Style, *names: str) -> set[str]:
    return {name.replace("@", word) for name in names for word in style.sides}


def take_on(rig: Any, controls: str, name: str = "take") -> Any:
    import bpy

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.controls.limb import Controls

    motion = perform(1.0, turns=0.3).motion
    return apply_take(bpy.context.scene, rig, motion, name=name, start_frame=1, controls=Controls[controls])


@pytest.mark.parametrize("controls", ["FK", "IK", "BOTH"])
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_takes_go_onto_the_controls(scene: Any, style: Style, controls: str) -> None:
    rig = build(scene, style)
    before = snapshot()
    applied = take_on(rig, controls)
    assert snapshot(but=applied.action) == before

    fk = both_sides(style, *style.control.values())
    on_limbs = both_sides(style, *(style.control[slot] for slot in ON_LIMBS))
    switches = both_sides(style, *style.target.values())
    ik = switches | both_sides(style, *style.pole.values(), style.toe, style.reverse[0])
    wanted = {"FK": fk | switches, "IK": (fk - on_limbs) | ik, "BOTH": fk | ik}[controls]
    assert keyed_bones(applied.action) == wanted
    for switch in switches:
        value = 1.0 - style.fk if controls == "IK" else style.fk
        assert keyed_value(applied.action, switch, "ik_fk_switch") == value

    motion = perform(1.0, turns=0.3).motion
    errors = limb_errors(rig, deforming(style), motion, range(1, applied.end_frame + 1), 24.0)
    assert errors.max() < 0.2


@pytest.mark.parametrize("root", ["hips", "bone", "object"])
def test_a_character_that_was_turned_stays_turned(scene: Any, root: str) -> None:
    """By its master control, whoever travels, also where controls have to be turned back."""
    import bpy
    from mathutils import Matrix, Quaternion

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.edit.settings import TakeSettings

    motion, place, turn = perform(1.0, turns=0.3).motion, (0.5, 0.0, 1.0), Quaternion((0.8, 0.0, 0.0, 0.6))
    bones = [chain[0] for chain in deforming(STUDIO).values()]
    places = []
    for turned in (False, True):
        rig = build(scene, STUDIO)
        master = rig.pose.bones[STUDIO.master]
        if turned:
            master.location, master.rotation_quaternion = place, turn
            bpy.context.view_layer.update()
        settings = TakeSettings(root=root)
        applied = apply_take(scene, rig, motion, name="take", start_frame=1, settings=settings)
        frames = range(1, applied.end_frame + 1)
        seen = watch(rig, frames, bones)
        if turned:
            rest = rig.data.bones[master.name].matrix_local
            move = np.array(rest @ Matrix.LocRotScale(place, turn, None) @ rest.inverted())
            seen = {bone: np.linalg.inv(move) @ matrices for bone, matrices in seen.items()}
        places.append(seen)
        bpy.data.objects.remove(rig)
    for bone in bones:
        assert apart(places[0][bone], places[1][bone]).max() < 0.001, bone


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_hands_and_feet_are_the_same_on_ik(scene: Any, style: Style) -> None:
    rig = build(scene, style)
    fk, ik = take_on(rig, "FK", "fk"), take_on(rig, "IK", "ik")
    frames = range(1, fk.end_frame + 1)
    bones = both_sides(style, *style.deform.values())
    use(rig, fk.action)
    wanted = watch(rig, frames, bones)
    use(rig, ik.action)
    seen = watch(rig, frames, bones)
    for bone in bones:
        assert apart(seen[bone], wanted[bone]).max() < 0.001, bone
        assert degrees_between(seen[bone][:, :3, :3], wanted[bone][:, :3, :3]).max() < 1.0, bone


def test_the_mapping_that_is_kept_names_the_bones_that_were_mapped(scene: Any) -> None:
    """So that it can be saved, corrected and used again."""
    from videomdm_blender.armature.apply import apply_take

    rig = build(scene, STUDIO)
    first = take_on(rig, "FK")
    assert dict(first.mapping.slots) == deforming(STUDIO)
    again = apply_take(
        scene, rig, perform(1.0, turns=0.3).motion, name="again", start_frame=1, mapping=first.mapping
    )
    np.testing.assert_allclose(again.take.rotations, first.take.rotations, atol=1e-6)


def test_bones_that_copy_from_each_other_are_no_controls(scene: Any, mannequin: Any) -> None:
    """A neck that follows the head, and a helper that moves two parts at once."""
    for bone, source, share in (("Neck", "Head", 0.6), ("LeftHand", "LeftFoot", 1.0)):
        constraint = mannequin.pose.bones[bone].constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget, constraint.influence = mannequin, source, share
    applied = take_on(mannequin, "FK")
    assert keyed_bones(applied.action) == set(applied.mapping.bones)


def test_rigs_without_ik_controls_are_keyed_on_their_bones(scene: Any, mannequin: Any) -> None:
    applied = take_on(mannequin, "IK")
    assert keyed_bones(applied.action) == set(applied.mapping.bones)
    assert any("IK controls are not known" in note for note in applied.notes)


def test_a_rig_in_rest_position_is_matched_as_if_it_were_posed(scene: Any) -> None:
    rig = build(scene, ARP)
    rig.data.pose_position = "REST"
    applied = take_on(rig, "IK")
    assert rig.data.pose_position == "REST"
    rig.data.pose_position = "POSE"
    motion = perform(1.0, turns=0.3).motion
    errors = limb_errors(rig, deforming(ARP), motion, range(1, applied.end_frame + 1), 24.0)
    assert errors.max() < 0.2


def test_a_failure_leaves_nothing_behind(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the work stops, the double, its scene and the new Action are gone."""
    from videomdm_blender.controls import ik

    rig = build(scene, ARP)
    before = snapshot()

    def stop(*_: object) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr(ik, "_pole_corrected", stop)
    with pytest.raises(RuntimeError, match="stopped"):
        take_on(rig, "IK")
    assert snapshot() == before and rig.animation_data.action is None
