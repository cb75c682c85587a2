# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's take settings and the operators on the take that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import curves, playback
from tests.support.actor import perform

from videomdm_blender.edit.settings import TakeSettings


@pytest.fixture
def jobs(addon: None, mannequin: Any) -> Iterator[Any]:
    """The desk with one take on it; the mannequin nods before."""
    from videomdm_blender.generate import jobs

    head = mannequin.pose.bones["Head"]
    for frame, angle in ((1, 0.0), (30, 0.5)):
        head.rotation_quaternion = (np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0)
        head.keyframe_insert("rotation_quaternion", frame=frame)
    mannequin.animation_data.action.name = "nod"
    jobs.desk.takes.append(jobs.Take("walk", perform(2.0, turns=0.0).motion, "job"))
    yield jobs
    jobs.desk.clear()


def apply(bpy: Any, **chosen: Any) -> Any:
    """Press Apply with some settings; the new Action."""
    for name, value in chosen.items():
        setattr(bpy.context.scene.videomdm.take, name, value)
    assert bpy.ops.videomdm.apply_take() == {"FINISHED"}
    return bpy.context.active_object.animation_data.action


def test_the_panel_starts_with_the_defaults(bpy: Any, jobs: Any) -> None:
    assert bpy.context.scene.videomdm.take.chosen() == TakeSettings()


def test_what_has_no_effect_is_not_asked_for(bpy: Any, jobs: Any) -> None:
    take = bpy.context.scene.videomdm.take
    take.loop, take.blend_in, take.interpolation, take.reduce_degrees = "best", 1.0, "constant", 2.0
    assert take.chosen() == TakeSettings(loop="best", interpolation="constant")


def test_a_take_follows_the_panel(bpy: Any, mannequin: Any, jobs: Any) -> None:
    dense = curves(apply(bpy))
    sparse = curves(apply(bpy, reduce_degrees=2.0, interpolation="bezier"))
    assert dense.keys() == sparse.keys()
    assert sum(map(len, sparse.values())) < 0.6 * sum(map(len, dense.values()))


@pytest.mark.parametrize("root", ["hips", "object"])
def test_applying_again_is_as_if_for_the_first_time(bpy: Any, mannequin: Any, jobs: Any, root: str) -> None:
    bpy.context.scene.frame_set(20)
    before = curves(bpy.data.actions["nod"])
    once = apply(bpy, root=root, blend_in=0.5)
    keys = curves(once)
    bpy.context.scene.frame_set(43)
    assert bpy.ops.videomdm.reapply_take() == {"FINISHED"}
    again = mannequin.animation_data.action
    assert again != once and curves(again) == keys == curves(once)
    assert curves(bpy.data.actions["nod"]) == before
    assert once.users > 0 and bpy.data.actions["nod"].users > 0
    assert bpy.context.scene.frame_current == 43


def test_mirror_and_mirror_back(bpy: Any, mannequin: Any, jobs: Any) -> None:
    keys = curves(apply(bpy))
    assert bpy.ops.videomdm.mirror_take() == {"FINISHED"}
    assert curves(mannequin.animation_data.action) != keys
    assert bpy.ops.videomdm.mirror_take() == {"FINISHED"}
    assert curves(mannequin.animation_data.action) == keys


def test_make_loop(bpy: Any, mannequin: Any, jobs: Any) -> None:
    apply(bpy)
    assert bpy.ops.videomdm.loop_take(loop="whole") == {"FINISHED"}
    action = mannequin.animation_data.action
    assert action.use_cyclic
    first, last = (round(frame) for frame in action.frame_range)
    hand = playback(mannequin, range(first, 2 * last - first + 1), ["LeftHand"])["LeftHand"][:, 0]
    period = last - first
    step = hand[period] - hand[0]
    np.testing.assert_allclose(hand[period:] - hand[: period + 1], np.tile(step, (period + 1, 1)), atol=1e-4)


def test_push_down_and_undo_in_one_step(bpy: Any, mannequin: Any, jobs: Any) -> None:
    name = mannequin.name
    apply(bpy)
    bones = ["Hips", "LeftHand", "RightFoot"]
    before = playback(mannequin, range(1, 40, 6), bones)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.videomdm.push_down_take("EXEC_DEFAULT", True) == {"FINISHED"}
    data = mannequin.animation_data
    assert data.action is None and [track.name for track in data.nla_tracks] == ["walk"]
    strip = data.nla_tracks[0].strips[0]
    assert strip.action_slot == strip.action.slots[0]
    after = playback(mannequin, range(1, 40, 6), bones)
    for bone in bones:
        np.testing.assert_allclose(after[bone], before[bone], atol=1e-6)
    bpy.ops.ed.undo()
    data = bpy.data.objects[name].animation_data
    assert data.action.name == "walk" and not data.nla_tracks


def test_one_undo_takes_a_mirrored_take_back(bpy: Any, mannequin: Any, jobs: Any) -> None:
    name = mannequin.name
    apply(bpy)
    keys = curves(mannequin.animation_data.action)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.videomdm.mirror_take("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(bpy.data.actions) == 3
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == 2
    assert curves(bpy.data.objects[name].animation_data.action) == keys


class Layout:
    """Stands for Blender's, which exists only in a window: everything that is drawn must exist."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def column(self, **_: Any) -> Layout:
        return self

    row = column

    def prop(self, data: Any, name: str, **_: Any) -> None:
        assert name in data.bl_rna.properties
        self.drawn.append(name)

    def operator(self, name: str, **_: Any) -> None:
        import bpy

        assert getattr(bpy.ops.videomdm, name.removeprefix("videomdm.")).get_rna_type()
        self.drawn.append(name)


def test_the_panel_shows_every_setting(bpy: Any, jobs: Any) -> None:
    from videomdm_blender.generate.take_panel import VIDEOMDM_PT_take

    def drawn(**chosen: Any) -> set[str]:
        for name, value in chosen.items():
            setattr(bpy.context.scene.videomdm.take, name, value)
        layout = Layout()
        VIDEOMDM_PT_take.draw(SimpleNamespace(layout=layout), bpy.context)
        return set(layout.drawn)

    few = drawn()
    more = drawn(root="bone", reduce_degrees=1.0, blend_in=1.0)
    assert more - few == {"heading", "reduce_millimetres", "align"}
    loops = drawn(loop="best")
    assert loops - more == {"loop_window", "cycles"} and more - loops == {"blend_in", "blend_out", "align"}
    assert set(TakeSettings.__dataclass_fields__) | {"controls", "feet"} == more | loops


def test_only_takes_of_this_session_can_be_done_again(bpy: Any, mannequin: Any, jobs: Any) -> None:
    assert not bpy.ops.videomdm.reapply_take.poll()
    assert bpy.ops.videomdm.push_down_take.poll()
    apply(bpy)
    assert bpy.ops.videomdm.reapply_take.poll()


def test_a_failure_leaves_the_take_as_it_is(bpy: Any, mannequin: Any, jobs: Any) -> None:
    action = apply(bpy)
    bpy.context.scene.videomdm.take.root = "bone"
    with pytest.raises(RuntimeError, match="no root bone"):
        bpy.ops.videomdm.reapply_take()
    assert mannequin.animation_data.action == action
