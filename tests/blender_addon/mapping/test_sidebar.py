# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping in the sidebar: seen, corrected, refused, undone, saved, loaded, used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm_blender.retarget.slots import SLOTS, mirrored

pytestmark = pytest.mark.usefixtures("addon")


@pytest.fixture
def rig(mannequin: Any) -> Any:
    return mannequin


def rows_of(rig: Any) -> dict[str, tuple[str, ...]]:
    """The bones of each part as the panel shows them."""
    return {slot: rig.videomdm_mapping.chain(slot) for slot in SLOTS}


def pick(rig: Any, slot: str, bone: str, place: int = 0) -> None:
    """As a picker does it; no bone clears the place."""
    setattr(rig.videomdm_mapping, f"{slot}_{place}", bone)


def test_what_was_found_is_shown(bpy: Any, rig: Any) -> None:
    assert not rig.videomdm_mapping.is_given
    assert bpy.ops.videomdm.mapping_find() == {"FINISHED"}
    assert rows_of(rig)["spine"] == ("Spine", "Spine1", "Spine2")
    assert rows_of(rig)["left_toe"] == ("LeftToeBase",)
    assert rig.videomdm_mapping.family == "mixamo"
    assert rig.videomdm_mapping.problem == ""


def test_a_wrong_bone_is_said_at_once(bpy: Any, rig: Any) -> None:
    bpy.ops.videomdm.mapping_find()
    pick(rig, "left_hand", "RightHand")
    assert "given for more than one part" in rig.videomdm_mapping.problem
    pick(rig, "right_hand", "LeftHand")
    assert rig.videomdm_mapping.problem == "The left and the right hand have changed places."
    pick(rig, "left_hand", "LeftHand")
    pick(rig, "right_hand", "RightHand")
    assert rig.videomdm_mapping.problem == ""


def test_bones_are_added_removed_and_taken_from_the_viewport(bpy: Any, rig: Any) -> None:
    bpy.ops.videomdm.mapping_find()
    pick(rig, "spine", "", 1)
    assert rows_of(rig)["spine"] == ("Spine", "Spine2")
    bpy.ops.videomdm.mapping_add(slot="spine")
    assert rig.videomdm_mapping.opened == "spine"
    rig.data.bones.active = rig.data.bones["Spine1"]
    bpy.ops.videomdm.mapping_pick(slot="spine", place=2)
    assert rows_of(rig)["spine"] == ("Spine", "Spine1", "Spine2")  # in the order of the rig
    assert rig.videomdm_mapping.opened == rig.videomdm_mapping.problem == ""
    pick(rig, "left_hand", "")
    assert rows_of(rig)["left_hand"] == () and rig.videomdm_mapping.problem == ""
    pick(rig, "left_foot", "")
    assert rig.videomdm_mapping.problem == "No bone is given for left foot."
    pick(rig, "left_foot", "Foot")
    assert rig.videomdm_mapping.problem == "The rig has no bone called 'Foot'."
    with pytest.raises(RuntimeError, match="no part of the body called 'tail'"):
        bpy.ops.videomdm.mapping_add(slot="tail")
    rig.data.bones.active = None
    with pytest.raises(RuntimeError, match="No bone is active"):
        bpy.ops.videomdm.mapping_pick(slot="head")


def test_every_correction_is_one_undo_step(bpy: Any, rig: Any) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.videomdm.mapping_find()
    bpy.ops.ed.undo_push(message="Find Bones")  # what Blender does after a click
    pick(rig, "neck", "")
    bpy.ops.ed.undo_push(message="Edit")
    assert rows_of(rig)["neck"] == ()
    bpy.ops.ed.undo()
    rig = bpy.data.objects["Mannequin"]
    assert rows_of(rig)["neck"] == ("Neck",)
    bpy.ops.ed.undo()
    assert not bpy.data.objects["Mannequin"].videomdm_mapping.is_given
    bpy.ops.ed.redo()
    assert rows_of(bpy.data.objects["Mannequin"])["neck"] == ("Neck",)


def test_a_take_uses_the_given_mapping_and_refuses_a_wrong_one(bpy: Any, scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_take, mapping_of

    bpy.ops.videomdm.mapping_find()
    for slot in ("neck", "head"):
        pick(rig, slot, "")
    applied = apply_take(scene, rig, perform(0.5).motion, name="take", start_frame=1)
    assert not {"Neck", "Head"} & set(applied.mapping.bones)
    assert mapping_of(rig).slots == applied.mapping.slots
    pick(rig, "left_hand", "RightHand")
    pick(rig, "right_hand", "LeftHand")
    with pytest.raises(UserError, match="hand have changed places"):
        apply_take(scene, rig, perform(0.5).motion, name="bad", start_frame=1)
    assert "bad" not in bpy.data.actions
    assert bpy.ops.videomdm.mapping_reset() == {"FINISHED"}
    assert "Neck" in mapping_of(rig).bones


def test_a_control_rig_keeps_what_its_family_knows(bpy: Any, tmp_path: Path) -> None:
    """Carriers and switches are not shown, but are those that would have been found."""
    import addon_utils

    from videomdm_blender.armature.apply import mapping_of

    addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_basic_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    addon_utils.disable("rigify", default_set=True)
    rig = bpy.data.objects["rig"]
    bpy.context.view_layer.objects.active = rig
    found = mapping_of(rig)
    assert found.family == "rigify" and found.switches
    bpy.ops.videomdm.mapping_find()
    assert mapping_of(rig) == found
    file = tmp_path / "rig.json"
    bpy.ops.videomdm.mapping_save(filepath=str(file))
    bpy.ops.videomdm.mapping_reset()
    bpy.ops.videomdm.mapping_load(filepath=str(file))
    assert mapping_of(rig) == found


def test_a_mapping_is_saved_and_loaded(bpy: Any, rig: Any, tmp_path: Path) -> None:
    file = tmp_path / "hero.json"
    bpy.ops.videomdm.mapping_find()
    pick(rig, "neck", "")
    assert bpy.ops.videomdm.mapping_save(filepath=str(tmp_path / "hero")) == {"FINISHED"}
    assert json.loads(file.read_text())["slots"]["neck"] == []
    bpy.ops.videomdm.mapping_reset()
    assert bpy.ops.videomdm.mapping_load(filepath=str(file)) == {"FINISHED"}
    assert rows_of(rig)["neck"] == () and rows_of(rig)["head"] == ("Head",)
    assert rig.videomdm_mapping.family == "mixamo"


def test_a_wrong_mapping_is_neither_saved_nor_loaded(bpy: Any, rig: Any, tmp_path: Path) -> None:
    file = tmp_path / "hero.json"
    bpy.ops.videomdm.mapping_find()
    before = rows_of(rig)
    pick(rig, "hips", "Head")
    with pytest.raises(RuntimeError, match="given for more than one part"):
        bpy.ops.videomdm.mapping_save(filepath=str(file))
    assert not file.exists()
    pick(rig, "hips", "Hips")
    swapped = {mirrored(slot): chain for slot, chain in before.items()}
    content = {"version": 1, "slots": swapped}
    file.write_text(json.dumps(content))
    with pytest.raises(RuntimeError, match="Left and right are swapped"):
        bpy.ops.videomdm.mapping_load(filepath=str(file))
    assert rows_of(rig) == before
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.videomdm.mapping_load(filepath=str(tmp_path / "none.json"))


def test_it_is_saved_with_the_blend_file(bpy: Any, rig: Any, tmp_path: Path) -> None:
    bpy.ops.videomdm.mapping_find()
    pick(rig, "neck", "")
    before = rows_of(rig)
    file = tmp_path / "hero.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file), copy=True)
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert rows_of(bpy.data.objects["Mannequin"]) == before


def test_an_override_keeps_its_own_and_a_linked_rig_is_refused(bpy: Any, rig: Any, tmp_path: Path) -> None:
    import videomdm_blender
    from videomdm_blender.armature.apply import mapping_of
    from videomdm_blender.armature.importing import open_rig
    from videomdm_blender.mapping import property_group

    library = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library), copy=True)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (source, target):
        target.objects = source.objects
    scene = bpy.context.scene
    linked = next(thing for thing in target.objects if thing.type == "ARMATURE")
    scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.videomdm.mapping_find()
    override = linked.override_create()
    scene.collection.objects.link(override)
    scene.collection.objects.unlink(linked)
    bpy.context.view_layer.objects.active = override
    bpy.ops.videomdm.mapping_find()
    pick(override, "neck", "")
    before = rows_of(override)
    assert before["neck"] == () and before["head"] == ("Head",)
    shot = tmp_path / "shot.blend"
    name = override.name
    bpy.ops.wm.save_as_mainfile(filepath=str(shot))
    bpy.ops.wm.open_mainfile(filepath=str(shot))
    again = next(o for o in bpy.data.objects if o.name == name and o.library is None)
    assert rows_of(again) == before
    # As a command opens it, without the sidebar.
    videomdm_blender.unregister()
    without_neck = mapping_of(open_rig(shot, name).armature)
    property_group.detach()
    videomdm_blender.register()
    assert not without_neck.chain("neck") and without_neck.chain("head") == ("Head",)


def test_bones_are_chosen_by_hand_and_the_other_side_is_filled(bpy: Any, rig: Any) -> None:
    bpy.ops.videomdm.mapping_find()
    right = rows_of(rig)
    bpy.ops.videomdm.mapping_reset()
    assert bpy.ops.videomdm.mapping_choose() == {"FINISHED"}
    assert rig.videomdm_mapping.opened and not rig.videomdm_mapping.is_given
    pick(rig, "hips", "Hips")
    assert "No bone is given for spine" in rig.videomdm_mapping.problem
    with pytest.raises(RuntimeError, match="No bone of the other side"):
        bpy.ops.videomdm.mapping_mirror()
    for slot, chain in right.items():
        for place, bone in enumerate(chain):
            if not slot.startswith("right_") and not rig.videomdm_mapping.chain(slot)[place:]:
                pick(rig, slot, bone, place)
    assert rig.videomdm_mapping.is_lopsided
    assert bpy.ops.videomdm.mapping_mirror() == {"FINISHED"}
    assert rows_of(rig) == right and rig.videomdm_mapping.problem == ""
    assert not rig.videomdm_mapping.is_lopsided


def test_without_an_armature_nothing_happens(bpy: Any, scene: Any) -> None:
    for operator in ("find", "choose", "mirror", "reset", "save", "load"):
        with pytest.raises(RuntimeError, match="No armature is active"):
            getattr(bpy.ops.videomdm, f"mapping_{operator}")()


def test_nothing_else_of_the_scene_is_changed(bpy: Any, scene: Any, rig: Any) -> None:
    from tests.blender_addon.support.stage_rigs import settings

    before = settings()
    bones = {bone.name: [tuple(row) for row in bone.matrix_local] for bone in rig.data.bones}
    bpy.ops.videomdm.mapping_find()
    bpy.ops.videomdm.mapping_reset()
    assert settings() == before and rig.animation_data is None
    assert {bone.name: [tuple(row) for row in bone.matrix_local] for bone in rig.data.bones} == bones
    assert set(rig.keys()) <= {"videomdm_mapping", "videomdm_mapping_kept"}


def test_the_panel_draws_every_state(bpy: Any, rig: Any) -> None:
    """Blender only calls draw() in a window: here it draws onto a layout that remembers what was asked of it."""
    from types import SimpleNamespace

    from videomdm_blender.mapping.panel import VIDEOMDM_PT_mapping

    class Layout:
        def __init__(self) -> None:
            self.seen: list[str] = []
            self.searched: list[str] = []

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments, **options: self

        def label(self, *, text: str = "", icon: str = "") -> None:
            self.seen.append(text)

        def operator(self, name: str, **options: Any) -> Any:
            self.seen.append(name)
            return SimpleNamespace()

        def prop_search(self, group: Any, name: str, data: Any, collection: str, **options: Any) -> None:
            assert getattr(data, collection)
            self.searched.append(getattr(group, name))

    def draw() -> Layout:
        layout = Layout()
        active = bpy.context.view_layer.objects.active
        context: Any = SimpleNamespace(active_object=active, region=None, preferences=None)
        panel: Any = SimpleNamespace(layout=layout)
        VIDEOMDM_PT_mapping.draw(panel, context)
        return layout

    assert "videomdm.mapping_reset" not in draw().seen
    bpy.ops.videomdm.mapping_find()
    drawn = draw()
    assert "Mixamo" in drawn.seen and "Upper arm" in drawn.seen
    assert drawn.searched == [bone for chain in rows_of(rig).values() for bone in chain]
    bpy.ops.videomdm.mapping_add(slot="neck")
    assert draw().searched.count("") == 1
    bpy.ops.videomdm.mapping_reset()
    bpy.ops.videomdm.mapping_choose()
    assert draw().searched == [""] * len(SLOTS)
    bpy.ops.videomdm.mapping_find()
    pick(rig, "hips", "Head")
    assert "more than one part" in " ".join(draw().seen)
    bpy.context.view_layer.objects.active = None
    assert draw().seen == ["Select an armature"]
