# SPDX-License-Identifier: Apache-2.0
"""Fit3D folders: which side is left, which way is up, and cameras that still see the packed take where it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

from videomdm.camera import look_at, project
from videomdm.motion.skeleton import JOINT_NAMES
from videomdm_training.datasets import fit3d
from videomdm_training.datasets.body import H36M
from videomdm_training.datasets.formats import detect, prepare_set
from videomdm_training.datasets.left_out import LeftOut
from videomdm_training.datasets.pack import Pack
from videomdm_training.datasets.takes import Options

from ..motions import person
from .test_body import h36m

Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # y-up rows to z-up


def points(walk, left_first=False):
    """25 points, 50 fps, Z up, somewhere in the room and larger than the standard body."""
    body = h36m(walk)
    toes = {}
    for side in ("left", "right"):
        ankle, foot = (walk[:, JOINT_NAMES.index(f"{side}_{part}")] for part in ("ankle", "foot"))
        tip = ankle + (foot - ankle) / 0.85
        apart = np.array([0.02, 0, 0])
        toes[side] = [tip + apart, tip - apart]
    hands = [body[:, H36M.index(f"{side}_wrist")] for side in ("left", "left", "right", "right")]
    if left_first:
        body = body[:, [0, 4, 5, 6, 1, 2, 3, *range(7, 17)]]
    order = ("left", "right") if left_first else ("right", "left")
    feet = [p for side in order for p in toes[side]]
    return (1.1 * np.concatenate([body, np.stack([*feet, *hands], 1)], axis=1) + [0.5, 0.1, -1.0]) @ Z_UP


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "fit3d"
    walk = person(200, walking=0.5).astype(np.float64)
    for subject, left_first in (("s03", False), ("s04", True), ("s05", False), ("s07", False)):
        there = root / "train" / subject
        (there / "joints3d_25").mkdir(parents=True)
        seen = points(walk, left_first)
        (there / "joints3d_25" / "warm_up.json").write_text(json.dumps({"joints3d_25": seen.tolist()}))
        for name, place in (("501", [4.0, 1.5, 2.0]), ("502", [-4.0, 1.2, 2.0])):
            camera = look_at(np.array(place), np.array([0.5, 1.0, 1.0]))
            R = camera.R @ Z_UP
            centre = (np.array(place)) @ Z_UP
            _camera(there, name, R, centre)
    return root


def _camera(there, name, R, centre):
    folder = there / "camera_parameters" / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {"extrinsics": {"R": np.asarray(R).tolist(), "T": [np.asarray(centre).tolist()]}}
    (folder / "warm_up.json").write_text(json.dumps(content))


def test_takes_face_forward_with_left_on_the_left(folder):
    """Whichever leg the file lists first."""
    for take in fit3d.read(folder, Options(), LeftOut()):
        made = take.positions
        assert len(made) == 80  # 200 frames at 50 fps
        assert (made[:, 1, 0] > made[:, 2, 0]).all() and (made[:, 16, 0] > made[:, 17, 0]).all()
        assert made[-1, 0, 2] > 1.0 and (made[:, 15, 1] > 1.3).all()


def test_the_cameras_see_the_packed_take_where_they_saw_the_person(folder):
    take = next(iter(fit3d.read(folder, Options(), LeftOut())))
    assert len(take.cameras) == 2
    walk = points(person(200, walking=0.5).astype(np.float64))
    extrinsics = json.loads((folder / "train/s03/camera_parameters/501/warm_up.json").read_text())[
        "extrinsics"
    ]
    camera = (walk - extrinsics["T"]) @ np.array(extrinsics["R"]).T
    there = camera[::5, :, :2] / camera[::5, :, 2:]
    R, t = (np.array(take.cameras[0][name]) for name in ("R", "t"))
    again, visible = project(take.positions @ R.T + t)
    assert visible.all()
    for joint, name in enumerate(H36M):
        if name in ("left_wrist", "right_ankle", "left_knee", "right_shoulder"):
            apart = np.abs(again[::2, JOINT_NAMES.index(name)] - there[:, joint])
            assert apart.max() < 0.02, name  # of a person 0.4 high: other proportions


def test_held_out_subjects_captions_and_the_pack(folder, tmp_path):
    assert detect(folder) == "fit3d"
    prepare_set("fit3d", folder, tmp_path / "set.pack", Options())
    pack = Pack.load(tmp_path / "set.pack")
    assert {s.subject: s.split for s in pack.segments} == {
        "s03": "train", "s04": "train", "s05": "val", "s07": "test"
    }  # fmt: skip
    assert pack.segments[0].captions == ("a person does warm up",)
    assert len(pack.notes["cameras"]["s03/warm_up"]) == 2


def test_bad_files_are_named(folder):
    there = folder / "train" / "s03"
    (there / "joints3d_25" / "cut.json").write_text('{"joints3d_25": [[')
    (there / "joints3d_25" / "few.json").write_text(
        json.dumps({"joints3d_25": np.zeros((9, 17, 3)).tolist()})
    )
    bad = points(person(60).astype(np.float64))
    bad[3, 3, 0] = np.nan
    (there / "joints3d_25" / "nan.json").write_text(json.dumps({"joints3d_25": bad.tolist()}))
    # a camera that looks away from the person
    away = look_at(np.array([4.0, 1.5, 2.0]), np.array([9.0, 1.5, 2.0]))
    _camera(there, "503", away.R @ Z_UP, np.array([4.0, 1.5, 2.0]) @ Z_UP)
    (there / "camera_parameters" / "502" / "warm_up.json").write_text('{"extrinsics": {"R": [[1, 0, 0]]}}')
    left_out = LeftOut()
    takes = {take.name: take for take in fit3d.read(folder, Options(), left_out)}
    reasons = {name.split("s03/")[-1]: reason for name, reason in left_out.items()}
    assert len(takes["s03/warm_up"].cameras) == 1
    assert "JSON" in reasons["joints3d_25/cut.json"]
    assert "shape (9, 17, 3)" in reasons["joints3d_25/few.json"]
    assert "NaN" in reasons["joints3d_25/nan.json"]
    assert "behind" in reasons["camera_parameters/503/warm_up.json"]
    assert "camera_parameters/502/warm_up.json" in reasons
