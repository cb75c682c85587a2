# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints as the bones of an armature: shown, edited with Blender's own means, read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT

from .conftest import FRAMES, KNEE, NECK, OTHER_KNEE


def read(armature: Any) -> Keypoints:
    from videomdm_blender.footage.read import read as read_back

    return read_back(armature)


def key(armature: Any, bone: str, frame: int, place: tuple[float, float]) -> None:
    """What moving a point with automatic keying does."""
    posed = armature.pose.bones[bone]
    posed.location[:2] = place
    posed.keyframe_insert("location", frame=frame)


def curve(armature: Any, path: str, index: int = 0) -> Any:
    from videomdm_blender.footage.shown import curves

    return curves(armature).get((path, index))


def test_untouched_keypoints_come_back_number_for_number(shown: Any, detected: Keypoints) -> None:
    found = read(shown)
    assert (found.points == detected.points).all() and (found.confidence == detected.confidence).all()
    assert (found.fps, found.width, found.height) == (29.97, 720, 1280)
    assert (found.source, found.provenance) == (detected.source, detected.provenance)
    assert found.to_bytes() == detected.to_bytes()


def test_the_scene_is_the_footage(bpy: Any, shown: Any) -> None:
    scene = bpy.context.scene
    render, camera = scene.render, scene.camera.data
    assert scene.name == "hall keypoints" and scene.objects.get(shown.name) == shown
    assert (scene.frame_start, scene.frame_end) == (1, FRAMES)
    assert render.fps / render.fps_base == pytest.approx(29.97)
    assert (render.resolution_x, render.resolution_y) == (720, 1280)
    assert scene.tool_settings.use_keyframe_insert_auto
    assert shown.mode == "POSE" and bpy.context.view_layer.objects.active == shown
    corners = [scene.camera.matrix_world @ corner for corner in camera.view_frame(scene=scene)]
    across, down = [c.x for c in corners], [-c.z for c in corners]
    assert (min(across), max(across)) == pytest.approx((0.0, 7.2), abs=1e-5)
    assert (min(down), max(down)) == pytest.approx((0.0, 12.8), abs=1e-5)


def test_points_lie_on_their_pixels(bpy: Any, shown: Any, detected: Keypoints) -> None:
    scene = bpy.context.scene
    for frame in (1, 8):
        scene.frame_set(frame)
        place = shown.matrix_world @ shown.pose.bones["left_knee"].head
        assert (100 * place.x, -100 * place.z) == pytest.approx(detected.points[frame - 1, KNEE], abs=1e-3)
        assert place.y == pytest.approx(0.0, abs=1e-6)
        found = shown.pose.bones["left_knee"]["confidence"]
        assert found == pytest.approx(detected.confidence[frame - 1, KNEE])
    scene.frame_set(5)
    assert shown.pose.bones["left_knee"]["confidence"] == 0.0
    assert len(curve(shown, 'pose.bones["left_knee"].location').keyframe_points) == FRAMES - 3
    assert not any(c.is_visible for c in shown.data.bones["neck"].collections)


def test_nothing_else_changes(bpy: Any, character: Any, detected: Keypoints) -> None:
    from videomdm_blender.footage.build import build
    from videomdm_blender.footage.shown import all_shown
    from videomdm_blender.generate.ops import active_armature

    def state() -> list[Any]:
        scene = character.users_scene[0]
        tools = scene.tool_settings
        return [
            bpy.context.scene.name, bpy.context.mode, character.mode, character.animation_data,
            scene.frame_current, scene.frame_end, scene.render.fps, scene.render.resolution_x, scene.camera,
            tools.use_keyframe_insert_auto, sorted(thing.name for thing in scene.objects),
            [thing.name for thing in bpy.context.selected_objects], list(character.keys()), list(other.keys()),
        ]  # fmt: skip

    other = bpy.data.scenes.new("Other")
    before = state()
    blocks = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "scenes", "actions")}
    build(detected, "hall", None)
    assert len(list(all_shown())) == 1 and active_armature(bpy.context) == character
    assert state() == before
    with pytest.raises(RuntimeError):  # no video, and nothing is left of what was begun
        build(detected, "broken", Path(__file__))
    assert state() == before
    assert len(bpy.data.scenes) == blocks["scenes"] + 1
    assert len(bpy.data.actions) == blocks["actions"] + 1
    assert len(bpy.data.objects) == blocks["objects"] + 3  # the armature, its ring, the camera
    assert not bpy.data.images and not bpy.data.movieclips


def test_an_edit_comes_back_and_nothing_else(shown: Any, detected: Keypoints) -> None:
    place = detected.points[8, KNEE] + (300.0, -120.0)
    key(shown, "left_knee", 9, tuple(place))
    found = read(shown)
    assert found.points[8, KNEE] == pytest.approx(place) and found.confidence[8, KNEE] == 1.0
    others = np.ones((FRAMES, COUNT), bool)
    others[8, KNEE] = False
    assert (found.points[others] == detected.points[others]).all()
    assert (found.confidence[others] == detected.confidence[others]).all()


def test_keys_that_are_deleted_are_bridged(shown: Any) -> None:
    for axis in (0, 1):
        points = curve(shown, 'pose.bones["right_knee"].location', axis).keyframe_points
        for number in (6, 5, 4):
            points.remove(points[number])
    found, there = read(shown), read(shown).points[:, OTHER_KNEE]
    low, high = np.minimum(there[3], there[7]) - 1e-3, np.maximum(there[3], there[7]) + 1e-3
    assert ((there[4:7] >= low) & (there[4:7] <= high)).all()
    assert (found.confidence[4:7, OTHER_KNEE] > 0).all()


def test_a_point_in_a_gap_can_be_placed(shown: Any) -> None:
    key(shown, "left_knee", 6, (123.0, 456.0))
    found = read(shown)
    assert found.points[5, KNEE].tolist() == [123.0, 456.0]
    assert found.confidence[4:7, KNEE].tolist() == [1.0, 1.0, 1.0]


def test_ignore_and_trust(bpy: Any, shown: Any, detected: Keypoints) -> None:
    bpy.context.scene.frame_set(3)
    assert bpy.ops.videomdm.ignore_keypoints() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert shown.pose.bones["left_knee"]["confidence"] == 0.0
    bpy.context.scene.frame_set(5)
    assert bpy.ops.videomdm.trust_keypoints() == {"FINISHED"}
    found = read(shown)
    expected = detected.confidence.copy()
    expected[2, KNEE], expected[4, KNEE] = 0.0, 1.0
    assert (found.confidence == expected).all()
    assert np.isfinite(found.points).all() and found.points[4, KNEE].any()
    bpy.context.scene.frame_set(4)
    assert shown.pose.bones["left_knee"]["confidence"] == pytest.approx(expected[3, KNEE])


def test_sides_are_swapped_on_frames_with_selected_keys(bpy: Any, shown: Any, detected: Keypoints) -> None:
    shown.videomdm_keypoints.frames = "KEYS"
    with pytest.raises(RuntimeError, match="no selected keys"):
        bpy.ops.videomdm.swap_keypoints()
    for point in curve(shown, 'pose.bones["left_knee"].location').keyframe_points:
        point.select_control_point = point.co.x in (3.0, 4.0, 9.0)
    bpy.ops.videomdm.swap_keypoints()
    expected = detected.points.copy(), detected.confidence.copy()
    for values in expected:
        values[np.ix_([2, 3, 8], [KNEE, OTHER_KNEE])] = values[np.ix_([2, 3, 8], [OTHER_KNEE, KNEE])]
    found = read(shown)
    assert (found.points == expected[0]).all() and (found.confidence == expected[1]).all()
    bpy.ops.videomdm.swap_keypoints()
    assert read(shown).to_bytes() == detected.to_bytes()


def test_swapping_takes_gaps_along(bpy: Any, shown: Any, detected: Keypoints) -> None:
    """Where one side was not seen, the other is not afterwards."""
    bpy.context.scene.frame_set(6)
    bpy.ops.videomdm.swap_keypoints()
    found = read(shown)
    assert found.confidence[5, OTHER_KNEE] == 0.0
    assert found.confidence[5, KNEE] == detected.confidence[5, OTHER_KNEE]
    assert (found.points[5, KNEE] == detected.points[5, OTHER_KNEE]).all()
    assert found.confidence[[4, 6], KNEE].tolist() == [1.0, 1.0]  # the key bridges the gap
    bpy.ops.videomdm.swap_keypoints()
    assert read(shown).to_bytes() == detected.to_bytes()


def test_restore_takes_the_detection_back(bpy: Any, shown: Any, detected: Keypoints) -> None:
    for frame in (5, 9):
        key(shown, "left_knee", frame, (1.0, 2.0))
        bpy.context.scene.frame_set(frame)
        bpy.ops.videomdm.ignore_keypoints()
    for frame in (5, 9):
        bpy.context.scene.frame_set(frame)
        bpy.ops.videomdm.restore_keypoints()
    assert read(shown).to_bytes() == detected.to_bytes()


def test_a_point_that_was_never_seen_can_be_placed_and_swapped_away(bpy: Any, shown: Any) -> None:
    key(shown, "neck", 3, (300.0, 200.0))
    found = read(shown)
    assert found.confidence[:, NECK].tolist() == [0.0, 0.0, 1.0] + [0.0] * (FRAMES - 3)
    assert found.points[2, NECK].tolist() == [300.0, 200.0]


def test_each_repair_is_one_undo_step(bpy: Any, shown: Any, detected: Keypoints) -> None:
    name = shown.name
    bpy.ops.ed.undo_push(message="shown")
    bpy.context.scene.frame_set(3)
    bpy.ops.videomdm.swap_keypoints()
    bpy.ops.ed.undo_push(message="Swap Sides")  # what Blender does after a click
    assert read(bpy.data.objects[name]).to_bytes() != detected.to_bytes()
    bpy.ops.ed.undo()
    assert read(bpy.data.objects[name]).to_bytes() == detected.to_bytes()


def test_keypoints_live_in_the_file(bpy: Any, shown: Any, detected: Keypoints, tmp_path: Path) -> None:
    file, name = str(tmp_path / "hall.blend"), shown.name
    key(shown, "left_knee", 9, (11.0, 12.0))
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    found = read(bpy.data.objects[name])
    assert found.points[8, KNEE].tolist() == [11.0, 12.0]
    assert (found.points[:8] == detected.points[:8]).all()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda o: setattr(o.pose.bones["left_knee"], "name", "knie"), "has no bone left_knee"),
        (lambda o: o.animation_data_clear(), "has no Action"),
        (lambda o: setattr(o.animation_data, "action_slot", None), "has no Action"),
        (lambda o: clear(o), "moves no point"),
        (lambda o: setattr(o.videomdm_keypoints, "loaded", "!x"), "are damaged"),
        (lambda o: curve_to_nan(o), "left_knee are no number on frame 3"),
    ],
)
def test_damage_is_told_in_one_sentence(shown: Any, damage: Any, words: str) -> None:
    damage(shown)
    with pytest.raises(UserError, match=words):
        read(shown)


def clear(armature: Any) -> None:
    strip = armature.animation_data.action.layers[0].strips[0]
    strip.channelbags.remove(strip.channelbags[0])


def curve_to_nan(armature: Any) -> None:
    curve(armature, 'pose.bones["left_knee"].location').keyframe_points[2].co.y = float("nan")


def test_a_deleted_camera_comes_back(bpy: Any, shown: Any) -> None:
    bpy.data.objects.remove(bpy.context.scene.camera)
    assert bpy.ops.videomdm.close_keypoints() == {"FINISHED"}
    assert bpy.context.scene.name == "Scene"
    assert bpy.ops.videomdm.open_keypoints(name="hall keypoints") == {"FINISHED"}
    assert bpy.context.scene.camera.data.type == "ORTHO"
    with pytest.raises(RuntimeError, match="no keypoints in a scene"):
        bpy.ops.videomdm.open_keypoints(name="Scene")


def test_greyed_buttons_say_why(bpy: Any, shown: Any, character: Any) -> None:
    from videomdm_blender.footage.shown import select

    with pytest.raises(RuntimeError, match="keypoints of footage, not a character"):
        bpy.ops.videomdm.apply_take()
    bpy.context.scene.frame_set(FRAMES + 1)
    with pytest.raises(RuntimeError, match="outside the footage"):
        bpy.ops.videomdm.ignore_keypoints()
    for bone in shown.pose.bones:
        select(bone, bone.name in ("neck", "nose"))
    bpy.context.scene.frame_set(1)
    with pytest.raises(RuntimeError, match="has another side"):
        bpy.ops.videomdm.swap_keypoints()
    select(shown.pose.bones["nose"], False)
    with pytest.raises(RuntimeError, match="No point is selected"):  # the neck is hidden
        bpy.ops.videomdm.ignore_keypoints()
    bpy.data.objects.remove(character)
    with pytest.raises(RuntimeError, match="No character is chosen"):
        bpy.ops.videomdm.lift_keypoints()
    bpy.ops.videomdm.close_keypoints()
    with pytest.raises(RuntimeError, match="no keypoints in this scene"):
        bpy.ops.videomdm.save_keypoints(filepath="x.json")


def test_what_was_moved_without_a_key_is_named(shown: Any) -> None:
    from videomdm_blender.footage.read import unkeyed

    assert unkeyed(shown, 1) == []
    shown.pose.bones["left_hip"].location[1] += 5.0
    assert unkeyed(shown, 1) == ["left_hip"]


@pytest.mark.parametrize(("fps", "pictures"), [(30.0, [30, 31, 32, 33]), (10.0, [30, 33, 36, 39])])
def test_each_frame_has_its_picture(
    bpy: Any, character: Any, shared_data: Path, fps: float, pictures: list[int]
) -> None:
    """The video has 30 frames a second, and the points begin a second into it."""
    from videomdm_blender.footage.build import build

    seen = Keypoints(np.ones((4, COUNT, 2)), np.ones((4, COUNT)), fps, 1768, 994, "", {"start": 1.0})
    build(seen, "walk", shared_data / "footage" / "sports2d_walk.mp4")
    scene = bpy.data.scenes["walk keypoints"]
    behind = scene.camera.data.background_images[0]
    assert behind.image.source == "MOVIE" and not bpy.data.movieclips
    found = []
    for frame in range(1, 5):
        scene.frame_set(frame)
        found.append(frame - 1 + scene.camera.data.background_images[0].image_user.frame_offset)
    assert found == pictures


@pytest.mark.parametrize(
    ("source", "words"),
    [("hall.mp4", "hall.mp4 is not there"), ("hall.json", "name no footage"), ("", "no footage")],
)
def test_footage_that_is_missing_is_told_and_so_is_what_was_assumed(
    bpy: Any, character: Any, detected: Keypoints, tmp_path: Path, source: str, words: str
) -> None:
    from videomdm_blender.footage import points_ops
    from videomdm_blender.generate import jobs

    seen = replace(detected, source=source, provenance={"notes": ["Two people were found."]})
    home = bpy.context.scene.session_uid
    points_ops.arrive(seen, tmp_path / "hall.json", home, character.session_uid)
    assert words in jobs.desk.notes[0] and jobs.desk.notes[1:] == ("Two people were found.",)
    assert bpy.context.scene.name == "hall keypoints" and not bpy.data.images
    bpy.ops.videomdm.close_keypoints()
    assert bpy.context.scene.session_uid == home
