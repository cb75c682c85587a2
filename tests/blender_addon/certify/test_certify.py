# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm certify`` on real rigs in a real Blender, and round trips through every format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from videomdm.errors import UserError
from videomdm_blender.certify.battery import BATTERY

RIG = "CesiumMan.glb"  # small, and its names tell nothing


@pytest.fixture(scope="module")
def answer(bpy: Any, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The examination of one rig, in this process."""
    from videomdm_blender.certify.examination import perform

    picture = tmp_path_factory.mktemp("picture") / "overlay.png"
    request = {
        "rig": str(shared_data / "rigs" / RIG), "armature": "", "mapping": "", "battery": ["squat", "arms"],
        "clips": [], "fps": 20.0, "contact": False, "formats": ["fbx", "glb", "bvh", "usd", "usdz", "blend"],
        "picture": str(picture),
    }  # fmt: skip
    yield perform(request) | {"picture": picture}


def test_blender_shows_what_was_asked_for(answer: dict[str, Any]) -> None:
    for name in ("squat", "arms"):
        measures = answer["clips"][name]["measures"]
        assert measures["arm_direction_deg"] < 0.1 and measures["leg_direction_deg"] < 0.1
        assert measures["stretch_percent"] < 0.01 and measures["root_path_mm"] < 1.0
        assert measures["held_place_mm"] < 10.0 and measures["held_turn_deg"] < 2.0
    assert answer["bones"] == 19 and answer["clips"]["arms"]["frames"] == len(BATTERY["arms"]())


def test_nothing_else_is_changed_and_a_change_is_told(bpy: Any, answer: dict[str, Any]) -> None:
    from videomdm_blender.certify.untouched import changes, state, strangers

    assert all(clip["changed"] == [] for clip in answer["clips"].values())
    scene = bpy.context.scene
    armature = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    bone, other, third = armature.pose.bones[:3]
    before = state(scene)
    assert changes(before, state(scene)) == []
    scene.frame_end += 1
    bone.rotation_mode = "XYZ"
    other.constraints.new("COPY_LOCATION")
    bpy.data.actions.new("stray")
    third.location.x += 0.1
    assert changes(before, state(scene)) == sorted([
        "the scene's frame_end", f"the rotation mode of {bone.name} of {armature.name}",
        f"the constraints of {other.name} of {armature.name}", "the Action stray", "the number of actions",
        f"the pose of {third.name} of {armature.name}",
    ])  # fmt: skip
    armature.animation_data.action = None
    before = state(scene)
    for frame in (1, 2):
        bone.keyframe_insert("location", frame=frame)
        other.keyframe_insert("rotation_quaternion", frame=1)
    action = armature.animation_data.action
    assert strangers(action, []) == [f"keys of {bone.name}"] and strangers(action, [bone.name]) == []
    assert changes(before, state(scene, but=action)) == []


def test_every_format_comes_back_as_it_was(answer: dict[str, Any]) -> None:
    for suffix, trip in answer["round_trip"].items():
        assert trip.get("error") is None, (suffix, trip)
        assert trip["angle_deg"] < 0.1 and trip["distance_mm"] < 0.1 and trip["bones"] == 19, (suffix, trip)


def test_a_rig_without_skin_keeps_its_rest_pose(bpy: Any, shared_data: Path, tmp_path: Path) -> None:
    """FBX would take the pose of the current frame for it, BVH the one that Blender evaluated last."""
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.armature.exporting import export_rig
    from videomdm_blender.armature.importing import open_rig
    from videomdm_blender.certify.round_trip import round_trip

    for suffix in (".fbx", ".bvh"):
        armature = open_rig(shared_data / "rigs" / "Neo.fbx").armature
        scene = bpy.context.scene
        scene.render.fps = 24
        applied = apply_take(scene, armature, BATTERY["jump"](), name="jump", start_frame=5)
        scene.frame_set(20)
        before = [action.name for action in bpy.data.actions]
        export_rig(tmp_path / f"out{suffix}", scene, armature, applied)
        assert armature.animation_data.action == applied.action and scene.frame_current == 20
        assert [action.name for action in bpy.data.actions] == before
        found = round_trip(suffix, armature, applied, [bone.name for bone in armature.data.bones], 1.0)
        assert found.angle_deg < 0.1 and found.distance_mm < 0.1, suffix


def test_the_picture_shows_both_skeletons_over_the_skin(bpy: Any, answer: dict[str, Any]) -> None:
    image = bpy.data.images.load(str(answer["picture"]))
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    red, green, blue = pixels.reshape(-1, 4)[:, :3].T
    size = len(red)
    bpy.data.images.remove(image)
    assert np.sum((red > 0.4) & (blue < 0.15)) > 0.002 * size, "the motion, orange"
    assert np.sum((blue > 0.3) & (red < 0.15)) > 0.002 * size, "the rig, blue"
    assert np.sum((green > 0.4) & (red < 0.15) & (blue < 0.3)) > 0.0001 * size, "feet that stand, green"
    assert np.sum((np.abs(red - blue) < 0.1) & (red < 0.7) & (red > 0.15)) > 0.01 * size, "the skin, grey"


def test_a_changed_take_is_noticed() -> None:
    from videomdm.motion import rotations
    from videomdm_blender.certify.round_trip import Seen, compare

    turns = np.tile([1.0, 0.0, 0.0, 0.0], (5, 1))
    before = Seen({"arm": np.zeros((5, 3))}, {"arm": turns})
    tilted = turns.copy()
    tilted[3] = rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.radians(2.0))
    places = np.zeros((5, 3))
    places[1, 2] = 0.5
    found = compare(before, Seen({"arm": places}, {"arm": tilted}), metre=100.0)
    assert found.angle_deg == pytest.approx(2.0) and found.distance_mm == pytest.approx(5.0)


def test_the_verb_certifies_some_and_refuses_others(bpy: Any, shared_data: Path, tmp_path: Path) -> None:
    from videomdm_blender.certify.verb import certify

    rigs, out = tmp_path / "rigs", tmp_path / "out"
    rigs.mkdir()
    for name in (RIG, "human-a-pose.glb"):
        shutil.copyfile(shared_data / "rigs" / name, rigs / name)
    clip = BATTERY["arms"]().save(tmp_path / "mine.npz")
    arguments = [rigs, "--battery", "arms", "--clips", clip, "--formats", "bvh", "-o", out, "--jobs", "1"]
    result = CliRunner().invoke(certify, list(map(str, arguments)))
    assert result.exit_code == 1, result.output
    assert "human-a-pose.glb: refused" in result.output and "holds no armature" in result.output
    assert f"{RIG}: passed" in result.output and "1 of 2 rigs passed" in result.output
    assert sorted(path.name for path in out.iterdir()) == [
        f"{RIG}.png",
        "certificates.json",
        "certificates.md",
    ]
    passed, refused = json.loads((out / "certificates.json").read_text())
    assert (passed["verdict"], refused["verdict"]) == ("passed", "refused")
    assert set(passed["result"]["clips"]) == {"arms", "mine"}
    assert f"![The motions over the rig]({RIG}.png)" in (out / "certificates.md").read_text()


def test_mistakes_are_named_before_blender_starts(tmp_path: Path) -> None:
    from videomdm_blender.certify.verb import certify

    rig = tmp_path / "rig.glb"
    rig.write_bytes(b"")
    for arguments, words in (
        (["none.glb"], "does not exist"),
        ([tmp_path / "out"], "does not exist"),
        ([rig, "--battery", "dance"], "no dance"),
        ([rig, "--formats", "obj"], "no format"),
        ([rig, "--clips", "none.npz"], "none.npz cannot be read"),
    ):
        result = CliRunner().invoke(certify, [*map(str, arguments), "-o", str(tmp_path / "certificates")])
        assert isinstance(result.exception, UserError) and words in str(result.exception), result.output
    assert [path.name for path in tmp_path.iterdir()] == ["rig.glb"]
