# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes among other animation: blended with it, looped, interpolated, pushed down; it stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.armature.test_settings import channels_of, every_byte, everything
from tests.blender_addon.support.stage_rigs import OpenedRig, playback
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm.motion import rotations
from videomdm_blender.edit.settings import TakeSettings

WALK = perform(2.0, turns=0.2).motion
OTHER = perform(2.0, turns=0.0).motion
MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "ZXY")


def apply(armature: Any, motion: Any, start: int, **chosen: Any) -> Any:
    import bpy

    from videomdm_blender.armature.apply import apply_take

    return apply_take(
        bpy.context.scene, armature, motion, name="take", start_frame=start, settings=TakeSettings(**chosen)
    )


def world(armature: Any, frames: range, bones: tuple[str, ...] = ("Hips", "LeftHand", "RightFoot")) -> Any:
    """(T, B, 3) where bones begin."""
    places = playback(armature, frames, list(bones))
    return np.stack([places[bone][:, 0] for bone in bones], axis=1)


@pytest.mark.parametrize("turned", [False, True])
def test_a_take_grows_out_of_the_animation_that_is_there(scene: Any, mannequin: Any, turned: bool) -> None:
    for number, bone in enumerate(mannequin.pose.bones):
        bone.rotation_mode = MODES[number % len(MODES)] if turned else "QUATERNION"
    first = apply(mannequin, WALK, 1)
    bones = list(first.take.bones)
    whole = range(20, 32 + 48)
    truth, places = channels_of(mannequin, bones, whole)
    path = world(mannequin, whole)
    scene.frame_set(5)
    before = everything()
    second = apply(mannequin, OTHER, 32, blend_in=0.5, blend_out=0.25)
    after = everything()
    assert after["actions"].pop(second.action.name)
    after["data"]["actions"].remove(second.action.name)
    assert after == before
    shown, moved = channels_of(mannequin, bones, range(32, second.end_frame + 1))
    for frame, there in ((0, 12), (-1, second.end_frame - 20)):
        assert np.degrees(rotations.angle_between(shown[frame], truth[there])).max() < 0.05
        np.testing.assert_allclose(moved[frame], places[there], atol=1e-5)
    # No jump where it begins: the walk's last steps, then the take's first.
    took = world(mannequin, range(32, second.end_frame + 1))
    joined = np.concatenate([path[:12], took])
    bend = np.linalg.norm(np.diff(joined, 2, axis=0), axis=-1)
    assert bend[10:13].max() < 1.2 * np.linalg.norm(np.diff(path, 2, axis=0), axis=-1).max()
    # Aligned, it goes on from there; the other way it would return to the armature's origin.
    assert np.linalg.norm((took[:14, 0] - path[12, 0])[:, :2], axis=-1).max() < 1.0


@pytest.mark.parametrize("root", ["object", "in-place"])
def test_whoever_travels_the_character_does_not_jump(scene: Any, mannequin: Any, root: str) -> None:
    apply(mannequin, WALK, 1)
    path = world(mannequin, range(20, 33))
    second = apply(mannequin, OTHER, 32, blend_in=0.5, root=root)
    took = world(mannequin, range(32, second.end_frame + 1))
    np.testing.assert_allclose(took[0], path[-1], atol=1e-4)
    travelled = np.linalg.norm((took[-1, 0] - took[0, 0])[:2])
    assert (travelled > 1.0) if root == "object" else (travelled < 0.7)


def test_a_take_blends_with_nla_strips_and_with_a_pose(scene: Any, mannequin: Any) -> None:
    from videomdm_blender.armature.nla import push_down

    apply(mannequin, WALK, 1)
    push_down(mannequin)
    truth, _ = channels_of(mannequin, ["LeftArm"], range(20, 21))
    before = everything()
    second = apply(mannequin, OTHER, 20, blend_in=0.5)
    shown, _ = channels_of(mannequin, ["LeftArm"], range(20, 21))
    assert np.degrees(rotations.angle_between(shown, truth)).max() < 0.05
    assert everything()["nla"] == before["nla"]

    mannequin.animation_data_clear()
    posed = mannequin.pose.bones["LeftArm"]
    posed.rotation_quaternion = (0.6, 0.8, 0.0, 0.0)
    second = apply(mannequin, OTHER, 1, blend_in=0.5)
    shown, _ = channels_of(mannequin, ["LeftArm"], range(1, 2))
    np.testing.assert_allclose(np.abs(shown[0, 0]), (0.6, 0.8, 0.0, 0.0), atol=1e-5)
    assert second.take.rotations.shape[0] > 40


def test_leftovers_are_led_to_rest(open_any: Callable[[str], OpenedRig]) -> None:
    """CesiumMan's own animation moves and scales bones that a take keeps at rest."""
    rig = open_any("CesiumMan.glb")
    bones = ["Skeleton_neck_joint_1", "leg_joint_L_2"]
    _, there = channels_of(rig.armature, bones, range(10, 11))
    second = apply(rig.armature, OTHER, 10, blend_in=0.5)
    _, moved = channels_of(rig.armature, bones, range(10, second.end_frame + 1))
    np.testing.assert_allclose(moved[0], there[0], atol=1e-6)
    np.testing.assert_allclose(moved[12:], 0.0, atol=1e-6)


@pytest.mark.parametrize("root", ["hips", "in-place", "object"])
@pytest.mark.parametrize("reduce_degrees", [0.0, 1.0])
def test_loops_repeat_without_a_seam(scene: Any, mannequin: Any, root: str, reduce_degrees: float) -> None:
    applied = apply(mannequin, OTHER, 1, loop="best", cycles=True, root=root, reduce_degrees=reduce_degrees)
    action, period = applied.action, applied.end_frame - 1
    assert action.use_cyclic and tuple(action.frame_range) == (1.0, applied.end_frame)
    places = world(mannequin, range(1, 3 * period + 2))
    travel = places[period] - places[0]
    later = places[period:] - places[:-period]
    np.testing.assert_allclose(later, np.broadcast_to(travel, later.shape), atol=2e-4)
    assert abs(travel[..., 2]).max() < 1e-4
    moves = np.linalg.norm(travel[0, :2])
    assert (moves < 1e-4) if root == "in-place" else (moves > 0.8)
    step = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert step[period - 1 : period + 1].max() < 1.2 * step[: period - 2].max()


@pytest.mark.parametrize("interpolation", ["linear", "bezier", "constant"])
def test_interpolation_between_keys(scene: Any, mannequin: Any, interpolation: str) -> None:
    """Bezier keys follow the motion also between frames; held poses stay."""
    applied = apply(mannequin, WALK, 1, interpolation=interpolation)
    curve = applied.action.layers[0].strips[0].channelbag(applied.action.slots[0]).fcurves[0]
    points = curve.keyframe_points
    assert {point.interpolation for point in points} == {interpolation.upper()}
    for point, after in pairwise(points[10:15]):
        middle = curve.evaluate((point.co.x + after.co.x) / 2)
        if interpolation == "constant":
            assert middle == pytest.approx(point.co.y)
        else:
            assert middle == pytest.approx((point.co.y + after.co.y) / 2, abs=5e-3)
        assert (point.handle_right.x - point.co.x) == pytest.approx(1 / 3, abs=1e-4)
        assert (after.co.x - after.handle_left.x) == pytest.approx(1 / 3, abs=1e-4)
    if interpolation == "bezier":
        assert {point.handle_left_type for point in points} == {"ALIGNED"}
    curve_before = [tuple(point.handle_right) for point in points]
    curve.update()  # as any edit does
    if interpolation == "bezier":
        np.testing.assert_allclose([tuple(point.handle_right) for point in points], curve_before, atol=1e-5)


def test_a_take_pushed_down_shows_the_same(scene: Any, mannequin: Any) -> None:
    frames = range(1, 40, 5)
    under = apply(mannequin, WALK, 1)
    below = world(mannequin, frames)
    applied = apply(mannequin, OTHER, 60)
    above = world(mannequin, range(60, 90, 5))
    mannequin.animation_data.action = under.action
    mannequin.animation_data.action_slot = under.action.slots[0]
    from videomdm_blender.armature.nla import push_down

    first = push_down(mannequin)
    again = apply(mannequin, OTHER, 60, push_down=True)
    data = mannequin.animation_data
    assert data.action is None and len(data.nla_tracks) == 2
    strip = data.nla_tracks[1].strips[0]
    assert (strip.action, strip.action_slot) == (again.action, again.action.slots[0])
    assert (strip.frame_start, strip.frame_end) == tuple(again.action.frame_range)
    assert (first.extrapolation, strip.extrapolation) == ("HOLD", "HOLD_FORWARD")
    np.testing.assert_allclose(world(mannequin, frames), below, atol=1e-5)
    np.testing.assert_allclose(world(mannequin, range(60, 90, 5)), above, atol=1e-5)
    assert every_byte(again.action) == every_byte(applied.action)
    with pytest.raises(UserError, match="has no take to push down"):
        push_down(mannequin)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (60, 1.001), (25, 1.0), (50, 1.0)])
def test_keys_lie_on_whole_frames_at_any_rate(scene: Any, mannequin: Any, fps: int, base: float) -> None:
    scene.render.fps, scene.render.fps_base = fps, base
    applied = apply(mannequin, WALK, 7, reduce_degrees=1.0, interpolation="bezier")
    for data in every_byte(applied.action).values():
        count = len(data) // 36
        times = np.frombuffer(data[: 8 * count], np.float32)[::2]
        np.testing.assert_array_equal(times, np.round(times))
        assert times[0] == 7.0
    rate = fps / base
    assert applied.end_frame - 7 == int((len(WALK) - 1) * rate / WALK.fps + 1e-4)


def test_a_loop_that_turns_says_so(scene: Any, mannequin: Any) -> None:
    applied = apply(mannequin, perform(2.0, turns=0.3).motion, 1, loop="whole", cycles=True)
    assert any("turns by" in note for note in applied.notes)
    handed_on = apply(mannequin, perform(2.0, turns=0.3).motion, 1, loop="whole", root="object")
    assert not any("turns by" in note for note in handed_on.notes)
