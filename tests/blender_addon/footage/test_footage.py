# SPDX-License-Identifier: GPL-3.0-or-later
"""From a file of footage to the Action, through the backend's own verbs and a real backend."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.conftest import BACKEND_PYTHON

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, NAMES
from videomdm.motion.skeleton import JOINT_NAMES

PATIENCE = 240.0  # of a busy machine


@pytest.fixture
def footage(bpy: Any, addon: None, mannequin: Any, puppet: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings of the panel; ``videomdm`` is on the PATH, and the puppet runs."""
    monkeypatch.setenv("PATH", f"{Path(BACKEND_PYTHON).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VIDEOMDM_DATA", str(puppet.parent))
    bpy.context.scene.videomdm.steps = 3
    return bpy.context.scene.videomdm.footage


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Two seconds of somebody who stands still."""
    places = np.random.default_rng(1).uniform(100.0, 400.0, (1, COUNT, 2)).astype(np.float32)
    seen = Keypoints(places.repeat(40, axis=0), np.ones((40, COUNT)), 20.0, 640, 480, "hall.mp4")
    return seen.save(tmp_path / "hall.json")


@pytest.fixture
def verbs() -> None:
    """Skips where the backend's verbs for footage cannot run."""
    if sys.executable == BACKEND_PYTHON and importlib.util.find_spec("scipy") is None:
        pytest.skip("this environment holds Blender and no backend")


def finish(job: Any) -> None:
    from videomdm_blender.connection import hub

    assert hub.wait(lambda: job.ended, PATIENCE), job


def test_footage_becomes_an_action(bpy: Any, verbs: None, footage: Any, mannequin: Any, points: Path) -> None:
    from videomdm_blender.footage import jobs as footage_jobs
    from videomdm_blender.generate import jobs

    footage.file = str(points)
    assert not footage.is_video
    assert bpy.ops.videomdm.lift_footage() == {"FINISHED"}
    job = jobs.desk.current
    folder = footage_jobs.running[job.id].folder
    assert job.stage == "Lifting" and folder.is_dir()
    finish(job)
    assert job.state is jobs.State.DONE, job.error
    assert mannequin.animation_data.action.name == "hall"
    assert [take.name for take in jobs.desk.takes] == ["hall"]
    assert jobs.desk.takes[0].motion.seconds == pytest.approx(2.0, abs=0.1)
    assert not footage_jobs.running and not folder.exists()


def test_a_video_becomes_an_action(bpy: Any, footage: Any, mannequin: Any, shared_data: Path) -> None:
    """A second of a real one."""
    from videomdm_blender.generate import jobs

    if importlib.util.find_spec("mediapipe") is None or sys.executable != BACKEND_PYTHON:
        pytest.skip("this environment detects nobody in video")
    footage.file = str(shared_data / "footage" / "sports2d_walk.mp4")
    footage.start, footage.length = 3.0, 1.0
    assert bpy.ops.videomdm.lift_footage() == {"FINISHED"}
    job = jobs.desk.current
    assert job.stage == "Looking at the footage"
    finish(job)
    assert job.state is jobs.State.DONE, job.error
    assert mannequin.animation_data.action.name == "sports2d_walk"
    assert jobs.desk.takes[0].motion.seconds == pytest.approx(1.0, abs=0.15)


def test_a_verb_that_fails_says_why_and_leaves_the_scene(
    bpy: Any, verbs: None, footage: Any, mannequin: Any, tmp_path: Path
) -> None:
    from videomdm_blender.footage import jobs as footage_jobs
    from videomdm_blender.generate import jobs

    footage.file = str(tmp_path / "broken.json")
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.videomdm.lift_footage()
    Path(footage.file).write_text("{}")
    bpy.ops.videomdm.lift_footage()
    job = jobs.desk.current
    finish(job)
    assert job.state is jobs.State.FAILED and "broken.json" in str(job.error)
    assert mannequin.animation_data is None and not bpy.data.actions and not footage_jobs.running


def test_cancel_ends_the_process(bpy: Any, footage: Any, mannequin: Any, points: Path) -> None:
    from videomdm_blender.footage import jobs as footage_jobs
    from videomdm_blender.generate import jobs

    footage.file, footage.prompt = str(points), "slow"
    bpy.ops.videomdm.lift_footage()
    job = jobs.desk.current
    verbs = footage_jobs.running[job.id]
    assert bpy.ops.videomdm.cancel() == {"FINISHED"}
    assert job.state is jobs.State.CANCELLED and not footage_jobs.running
    assert not verbs.folder.exists()
    assert mannequin.animation_data is None


def test_a_video_is_looked_at_first(bpy: Any, footage: Any, tmp_path: Path) -> None:
    from videomdm_blender.footage.jobs import Footage

    footage.file = str(tmp_path / "dance.MP4")
    assert footage.is_video
    steps = Footage(Path(footage.file), True, 2.0, 3.5, 2, ("--seed", "1")).steps(tmp_path)
    assert [step.words[0] for step in steps] == ["keypoints", "lift"]
    words = " ".join(steps[0].words)
    assert "--person 2 --start 2 --end 5.5" in words
    assert steps[1].words[1] == steps[0].words[steps[0].words.index("-o") + 1]


def test_without_footage_or_a_rig_the_button_says_what_is_missing(bpy: Any, footage: Any) -> None:
    with pytest.raises(RuntimeError, match="No footage is chosen"):
        bpy.ops.videomdm.lift_footage()
    footage.file = "dance.mp4"
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="No armature is active"):
        bpy.ops.videomdm.lift_footage()


def test_keypoints_are_shown_edited_and_become_an_action(
    bpy: Any, verbs: None, footage: Any, mannequin: Any, points: Path, tmp_path: Path
) -> None:
    """There and back through the backend's verbs; the edit is in the file that is lifted, and in the one saved."""
    from videomdm_blender.footage import jobs as footage_jobs
    from videomdm_blender.footage.shown import keypoints_in
    from videomdm_blender.generate import jobs

    home, loaded = bpy.context.scene, Keypoints.load(points)
    home.frame_set(7)
    footage.file = str(points)
    assert bpy.ops.videomdm.show_keypoints() == {"FINISHED"}
    shown_by = jobs.desk.current
    finish(shown_by)
    assert shown_by.state is jobs.State.DONE, shown_by.error
    assert bpy.context.scene.name == "hall keypoints" and not footage_jobs.running
    assert jobs.desk.notes and "hall.mp4 is not there" in jobs.desk.notes[0]
    armature = keypoints_in(bpy.context.scene)
    nose = armature.pose.bones["nose"]
    nose.location[:2] = (5.0, 6.0)
    nose.keyframe_insert("location", frame=11)

    assert bpy.ops.videomdm.lift_keypoints() == {"FINISHED"}
    job = jobs.desk.current
    given = Keypoints.load(footage_jobs.running[job.id].folder / footage_jobs.POINTS)
    assert given.points[10, 0].tolist() == [5.0, 6.0] and given.confidence[10, 0] == 1.0
    assert (given.points[:10] == loaded.points[:10]).all() and (given.points[11:] == loaded.points[11:]).all()
    assert (given.fps, given.width, given.height, given.source) == (20.0, 640, 480, "hall.mp4")
    finish(job)
    assert job.state is jobs.State.DONE, job.error
    assert bpy.context.scene.name == "hall keypoints"
    action = mannequin.animation_data.action
    assert (action.name, action.frame_range[0]) == ("hall", 7.0)

    file = tmp_path / "kept"
    assert bpy.ops.videomdm.save_keypoints(filepath=str(file)) == {"FINISHED"}
    assert Keypoints.load(f"{file}.json").to_bytes() == given.to_bytes()


def test_keypoints_of_a_broken_file_are_not_shown(
    bpy: Any, verbs: None, footage: Any, mannequin: Any, tmp_path: Path
) -> None:
    from videomdm_blender.generate import jobs

    footage.file = str(tmp_path / "broken.json")
    Path(footage.file).write_text("[]")
    bpy.ops.videomdm.show_keypoints()
    job = jobs.desk.current
    finish(job)
    assert job.state is jobs.State.FAILED and "broken.json" in str(job.error)
    assert len(bpy.data.scenes) == 1 and not bpy.data.actions


def test_the_base_model_follows_an_edit(
    bpy: Any, addon: None, mannequin: Any, walk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk towards the camera, its right hand dragged over the head from the middle on."""
    from videomdm_blender.footage import points_ops
    from videomdm_blender.footage.shown import keypoints_in
    from videomdm_blender.generate import jobs

    if importlib.util.find_spec("torch") is None or sys.executable != BACKEND_PYTHON:
        pytest.skip("this environment lifts nothing")
    monkeypatch.setenv("PATH", f"{Path(BACKEND_PYTHON).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path))
    home = bpy.context.scene
    home.videomdm.steps = 2
    points_ops.arrive(filmed(walk.positions), tmp_path / "walk.mp4", home.session_uid, mannequin.session_uid)
    pose = keypoints_in(bpy.context.scene).pose
    for frame in range(11, len(walk.positions) + 1):
        bpy.context.scene.frame_set(frame)
        shoulder = np.array(pose.bones["right_shoulder"].location[:2])
        for name, lift in (("right_elbow", 30.0), ("right_wrist", 60.0)):
            pose.bones[name].location[:2] = shoulder - (3.0, lift)
            pose.bones[name].keyframe_insert("location", frame=frame)
    bpy.ops.videomdm.lift_keypoints()
    job = jobs.desk.current
    finish(job)
    assert job.state is jobs.State.DONE, job.error
    wrist, head = (job.takes[0].motion.positions[:, JOINT_NAMES.index(n), 1] for n in ("right_wrist", "head"))
    assert wrist[:6].max() < head[:6].min() - 0.3
    assert (wrist[-6:] > head[-6:]).all()


def filmed(positions: np.ndarray) -> Keypoints:
    """The joints (T, 22, 3) of a figure as a camera 6 m before it sees them, as keypoints of sure points."""
    distance = 6.0 - positions[..., 2]
    seen = np.stack(
        [320 - 640 * positions[..., 0] / distance, 240 - 640 * (positions[..., 1] - 1) / distance], -1
    )
    points, sure = np.zeros((len(positions), COUNT, 2)), np.zeros((len(positions), COUNT))
    for number, name in enumerate(NAMES):
        joint = "head" if name in ("nose", "left_ear", "right_ear") else name.replace("big_toe", "foot")
        if joint in JOINT_NAMES:
            points[:, number], sure[:, number] = seen[:, JOINT_NAMES.index(joint)], 1.0
    return Keypoints(points, sure, 20.0, 640, 480)
