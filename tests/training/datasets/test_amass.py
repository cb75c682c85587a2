# SPDX-License-Identifier: Apache-2.0
"""AMASS folders with a tiny SMPL-H model: axes, rates, captions of both kinds, broken files."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("smplx")

from videomdm.errors import UserError
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.skeleton import PARENTS
from videomdm_training.datasets import amass
from videomdm_training.datasets.formats import detect, prepare_set
from videomdm_training.datasets.left_out import LeftOut
from videomdm_training.datasets.pack import Pack
from videomdm_training.datasets.smpl import SmplBody
from videomdm_training.datasets.takes import Options

from .bodies import poses, write_model


@pytest.fixture
def folder(tmp_path):
    """Two good takes at 60 and 120 Hz, one broken, one with NaN, one without a rate, and a subject's shape."""
    root = tmp_path / "amass"
    (root / "KIT" / "3").mkdir(parents=True)
    np.savez(
        root / "KIT" / "3" / "walk_poses.npz", **poses(361), gender=np.array("male"), mocap_framerate=60.0
    )
    np.savez(
        root / "KIT" / "3" / "fast_poses.npz",
        **poses(361, 1),
        gender=np.array(b"female"),
        mocap_frame_rate=120.0,
    )
    np.savez(root / "KIT" / "3" / "shape.npz", betas=np.zeros(16))
    np.savez(root / "KIT" / "3" / "timeless_poses.npz", **poses(100))
    wrong = poses(100)
    wrong["poses"][5, 5] = np.nan
    np.savez(root / "KIT" / "3" / "nan_poses.npz", **wrong, mocap_framerate=60.0)
    half = (root / "KIT" / "3" / "walk_poses.npz").read_bytes()
    (root / "KIT" / "3" / "broken_poses.npz").write_bytes(half[: len(half) // 2])
    write_model(tmp_path / "models" / "male" / "model.npz")
    return root


def options(folder, **more):
    return Options(body_models=folder.parent / "models", **more)


def takes(folder, **more):
    left_out = LeftOut()
    found = {take.name.split("/")[-1]: take for take in amass.read(folder, options(folder, **more), left_out)}
    return found, {name.split("/")[-1]: reason for name, reason in left_out.items()}


def test_joints_come_out_upright_on_the_standard_body_at_20_fps(folder):
    found, left_out = takes(folder)
    walk = found["walk_poses"].positions
    assert walk.shape == (121, 22, 3) and found["fast_poses"].positions.shape == (61, 22, 3)
    lengths = np.linalg.norm(walk - walk[:, np.maximum(PARENTS, 0)], axis=-1)[:, 1:]
    np.testing.assert_allclose(lengths, np.broadcast_to(BONE_LENGTHS[1:], lengths.shape), atol=1e-4)
    assert (walk[:, 15, 1] > walk[:, 0, 1] + 0.3).all()  # the head is above the pelvis
    # six seconds at 0.8 m/s, for the size of the body
    travelled = np.linalg.norm(walk[-1, 0, [0, 2]] - walk[0, 0, [0, 2]])
    assert travelled == pytest.approx(4.8 * 0.821 / _leg(folder), rel=0.02)
    assert set(left_out) == {"broken_poses.npz", "nan_poses.npz", "timeless_poses.npz"}
    assert "NaN" in left_out["nan_poses.npz"] and "frame rate" in left_out["timeless_poses.npz"]


def _leg(folder):
    given = poses(361)
    body = SmplBody.load(folder.parent / "models" / "male" / "model.npz")
    joints = body.joints(given["poses"][:1], given["trans"][:1], given["betas"])[0]
    return np.linalg.norm(joints[4] - joints[1]) + np.linalg.norm(joints[7] - joints[4])


def test_without_captions_the_takes_are_the_lifters(folder, tmp_path):
    assert detect(folder) == "amass"
    prepare_set("amass", folder, tmp_path / "set.pack", options(folder))
    pack = Pack.load(tmp_path / "set.pack")
    assert {s.role for s in pack.segments} == {"teacher"} and not any(s.captions for s in pack.segments)
    assert all(s.subject == "KIT/3" for s in pack.segments)


def test_a_table_of_captions(folder):
    (folder / "captions.csv").write_text(
        "file,caption,from,to,split\nKIT/3/walk_poses.npz,a man walks,1,3,val\nKIT/3/walk_poses,he strolls,,,\n"
        "KIT/3/gone,nobody,,,\n"
    )
    found, left_out = takes(folder)
    part, whole = found["walk_poses"].segments
    assert part.captions == ("a man walks",) and (part.start_frame, part.end_frame, part.split) == (
        20,
        60,
        "val",
    )
    assert len(whole) == 121 and whole.split == "train"
    assert "no such file" in left_out["gone"]
    (folder / "captions.csv").write_text("file,caption\nKIT/3/walk_poses,\n")
    with pytest.raises(UserError, match="line 2"):
        takes(folder)


def test_captions_and_bounds_of_humanml3d(folder, tmp_path):
    """Frames are counted as HumanML3D does: every third of 60 Hz, from the index's first frame on."""
    words = tmp_path / "HumanML3D"
    (words / "texts").mkdir(parents=True)
    (words / "train.txt").write_text("000007\n")
    (words / "texts" / "000007.txt").write_text("a man walks.#a/DET#0.0#0.0\nhe turns.#he/PRON#1.0#2.5\n")
    (words / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/3/walk_poses.npy,10,90,000007.npy\n"
        "./pose_data/humanact12/humanact12/P01.npy,0,-1,000008.npy\n"
    )
    found, _ = takes(folder, captions=words)
    whole, part = found["walk_poses"].segments
    assert (whole.start_frame, whole.end_frame) == (10, 90) and whole.humanml3d == "000007"
    assert (part.start_frame, part.end_frame) == (30, 60) and part.captions == ("he turns.",)
    (words / "index.csv").unlink()
    with pytest.raises(UserError, match=r"index\.csv"):
        takes(folder, captions=words)


def test_body_models_are_asked_for(folder, tmp_path):
    with pytest.raises(UserError, match="body-models"):
        list(amass.read(folder, Options(), LeftOut()))
    with pytest.raises(UserError, match="no body model"):
        list(amass.read(folder, Options(body_models=tmp_path), LeftOut()))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (poses(0), "number of frames"),
        ({"poses": np.float64(1)}, "number of frames"),
        ({"poses": np.array(["a"] * 100)}, "real numbers"),
        ({"trans": np.array(["a"] * 100)}, "real numbers"),
        ({"betas": np.zeros((0, 16))}, "fit together"),
        (
            {"poses": None, "root_orient": np.zeros((100, 3)), "pose_body": np.zeros((99, 63))},
            "number of frames",
        ),
        ({"mocap_framerate": np.array("sixty")}, "frame rate"),
        ({"mocap_framerate": np.array([60.0, 60.0])}, "frame rate"),
        ({"trans": np.full((100, 3), 1e300)}, "infinite"),
        ({"trans": np.linspace([0, 0, 0], [0, 1e4, 0], 100)}, "from the origin"),
    ],
)
def test_one_bad_file_is_named_and_the_others_are_packed(folder, tmp_path, wrong, reason):
    arrays = {**poses(100), "mocap_framerate": 60.0, **wrong}
    file = folder / "KIT" / "3" / "bad_poses.npz"
    np.savez(file, **{name: value for name, value in arrays.items() if value is not None})
    report = prepare_set("amass", folder, tmp_path / "set.pack", options(folder))
    assert set(Pack.load(tmp_path / "set.pack").takes) == {"KIT/3/walk_poses", "KIT/3/fast_poses"}
    (said,) = (said for name, said in report.takes_left_out.items() if "bad_poses" in name)
    assert reason in said


@pytest.mark.parametrize("stretch", ["nan,3", "0,inf", "inf,", "0,-3", "-1,3", "3,1", "1,1e400", "1,1e308"])
def test_stretches_that_are_none_are_named_by_line(folder, tmp_path, stretch):
    (folder / "captions.csv").write_text(
        f"file,caption,from,to\nKIT/3/fast_poses,a man runs,,\nKIT/3/walk_poses,a man walks,{stretch}\n"
    )
    with pytest.raises(UserError, match=r"captions\.csv .*line 3"):
        prepare_set("amass", folder, tmp_path / "set.pack", options(folder))
    assert not (tmp_path / "set.pack").exists()


@pytest.mark.parametrize("given", ["", "KIT", "KIT/3"])
def test_people_are_told_apart_whichever_folder_is_given(folder, tmp_path, given):
    """Takes of one person stay together, and HumanML3D's captions find theirs."""
    words = tmp_path / "HumanML3D"
    (words / "texts").mkdir(parents=True)
    (words / "train.txt").write_text("000007\n")
    (words / "texts" / "000007.txt").write_text("a man walks.#a/DET#0.0#0.0\n")
    (words / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/3/walk_poses.npy,10,90,000007.npy\n"
    )
    left_out = LeftOut()
    read = amass.read(folder / given, options(folder, captions=words), left_out)
    segments = {take.name.split("/")[-1]: take.segments for take in read}
    assert {s.subject for found in segments.values() for s in found} == {"KIT/3"}
    assert [s.captions for s in segments["walk_poses"]] == [("a man walks.",)]
    assert "KIT/3/walk_poses" not in left_out
