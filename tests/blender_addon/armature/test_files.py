# SPDX-License-Identifier: GPL-3.0-or-later
"""From files to files: what other programs read is what was made, and bad input leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.blender_addon.support.stage_rigs import OpenedRig, limb_errors
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm.motion.bvh import write_bvh

MORE = ("--mirror", "--loop", "best", "--reduce", "1", "--interpolation", "bezier", "--start", "5")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``videomdm retarget`` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "videomdm.cli", "retarget", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".bvh", ".blend"])
@pytest.mark.parametrize("name", ["Female_Adult_01.fbx", "human-male.glb", "Example.vrm"])
def test_files_hold_the_take(
    open_any: Callable[[str], OpenedRig], tmp_path: Path, name: str, suffix: str
) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_take, mapping_of
    from videomdm_blender.armature.exporting import export_rig
    from videomdm_blender.armature.importing import open_rig

    rig = open_any(name)
    scene = bpy.context.scene
    fps = 24
    scene.render.fps = fps  # at which an empty scene reads them
    motion = perform(1.0).motion
    mapping = mapping_of(rig.armature, rig.humanoid)
    applied = apply_take(scene, rig.armature, motion, name="take", start_frame=1, mapping=mapping)
    path = export_rig(tmp_path / f"out{suffix}", scene, rig.armature, applied)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]

    again = open_rig(path).armature
    action = again.animation_data.action
    start, end = (round(frame) for frame in action.frame_range)
    assert end - start == applied.end_frame - applied.start_frame
    spaces = "_" if suffix == ".bvh" else " "  # a name in BVH is one word
    truth = {slot: tuple(bone.replace(" ", spaces) for bone in chain) for slot, chain in rig.truth.items()}
    errors = limb_errors(again, truth, motion, range(start, end + 1), fps)
    assert errors.max() < 0.1


def test_the_command_writes_a_rig_and_its_mapping(shared_data: Path, tmp_path: Path) -> None:
    clip = perform(1.0).motion.save(tmp_path / "wave.npz")
    out, mapping = tmp_path / "out.glb", tmp_path / "mapping.json"
    rig = shared_data / "rigs" / "human-male.glb"
    done = command(clip, rig, "-o", out, "--fps", "30", "--save-mapping", mapping)
    assert done.returncode == 0, done.stderr
    assert "29 frames at 30 fps on 22 bones (unreal)" in done.stdout
    assert out.read_bytes()[:4] == b"glTF"
    assert json.loads(mapping.read_text())["slots"]["left_toe"] == ["ball_l"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mapping.json", "out.glb", "wave.npz"]


def test_the_command_reads_bvh_and_uses_a_mapping(shared_data: Path, tmp_path: Path) -> None:
    clip = tmp_path / "walk.bvh"
    write_bvh(clip, perform(1.0).motion)
    rig = shared_data / "rigs" / "CesiumMan.glb"
    slots = {
        "hips": "Skeleton_torso_joint_1",
        "spine": ["Skeleton_torso_joint_2"],
        "left_upper_arm": "Skeleton_arm_joint_L__4_",
        "left_forearm": "Skeleton_arm_joint_L__3_",
        "right_upper_arm": "Skeleton_arm_joint_R",
        "right_forearm": "Skeleton_arm_joint_R__2_",
        **{
            f"{side}_{part}": f"leg_joint_{side[0].upper()}_{number}"
            for side in ("left", "right")
            for part, number in (("thigh", 1), ("shin", 2), ("foot", 3), ("toe", 5))
        },
    }
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"version": 1, "slots": slots}))
    done = command(clip, rig, "-o", tmp_path / "out.fbx", "--mapping", mapping, "--in-place", *MORE)
    assert done.returncode == 0, done.stderr
    assert "on 14 bones" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.npz", "rig.glb", "-o", "out.glb"), "nothing.npz cannot be read"),
        (("clip.npz", "nothing.glb", "-o", "out.glb"), "nothing.glb does not exist"),
        (("clip.npz", "rig.obj", "-o", "out.glb"), "no kind of rig file"),
        (("clip.npz", "clip.npz", "-o", "out.glb"), "no kind of rig file"),
        (("notes.txt", "rig.glb", "-o", "out.glb"), "no motion clip"),
        (("clip.npz", "rig.glb", "-o", "out.obj"), "no kind of file that a rig can be written to"),
        (("clip.npz", "rig.glb", "-o", "out.vrm"), "VRM data would be lost"),
        (("clip.npz", "rig.glb", "-o", "no/where/out.glb"), "cannot be written to"),
        (("clip.npz", "rig.glb", "-o", "out.glb", "--mapping", "none.json"), "none.json does not exist"),
        (("clip.npz", "broken.fbx", "-o", "out.glb"), "Blender cannot read the rig"),
        (("clip.npz", "mesh.glb", "-o", "out.glb"), "holds no armature"),
        (("clip.npz", "rig.glb", "-o", "out.glb", "--armature", "Bob"), "no armature called 'Bob'"),
        (("clip.npz", "rig.glb", "-o", "out.glb", "--nla"), "cannot hold NLA tracks"),
        (("clip.npz", "rig.glb", "-o", "out.fbx", "--loop", "best", "--cycles"), "cannot hold endless loops"),
        (("clip.npz", "rig.glb", "-o", "out.bvh", "--root-motion", "object"), "no object that could travel"),
        (
            ("clip.npz", "rig.glb", "-o", "out.glb", "--root-motion", "bone", "--in-place"),
            "leaves the travel",
        ),
        (("clip.npz", "rig.glb", "-o", "out.glb", "--loop", "whole", "--blend-in", "1"), "would not close"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    bpy: Any, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, words: str
) -> None:
    """In this process: the command's own checks, then the job that it would start."""
    from videomdm_blender import cli, headless

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "run_in_process", headless.perform)
    perform(0.2).motion.save(tmp_path / "clip.npz")
    shutil.copyfile(shared_data / "rigs" / "human-male.glb", tmp_path / "rig.glb")
    shutil.copyfile(shared_data / "rigs" / "human-a-pose.glb", tmp_path / "mesh.glb")
    (tmp_path / "rig.obj").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "broken.fbx").write_bytes(b"Kaydara FBX Binary  \x00 and then nothing")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=words) as caught:
        cli.retarget.main(list(map(str, arguments)), standalone_mode=False)
    assert caught.value.advice
    assert sorted(tmp_path.iterdir()) == before


def test_without_blender_the_advice_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from videomdm_blender import cli

    perform(0.2).motion.save(tmp_path / "clip.npz")
    (tmp_path / "rig.glb").write_bytes(b"")
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed") as caught:
        arguments = [str(tmp_path / "clip.npz"), str(tmp_path / "rig.glb"), "-o", str(tmp_path / "out.glb")]
        cli.retarget.main(arguments, standalone_mode=False)
    assert "pip install 'videomdm[blender]'" in caught.value.advice
