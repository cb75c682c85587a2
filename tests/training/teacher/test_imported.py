# SPDX-License-Identifier: Apache-2.0
"""Motion that other tools lifted: joints and parameters, axes and rates, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from videomdm.errors import UserError
from videomdm.motion.clip import Motion
from videomdm_training.datasets.left_out import LeftOut
from videomdm_training.datasets.smpl import Bodies
from videomdm_training.teacher.command import lifted
from videomdm_training.teacher.imported import read_lifted, read_teachers

from ..datasets.bodies import poses, write_model
from ..motions import person

WALK = person(60, walking=1.0).astype(np.float64)
TO = {"y-up": np.eye(3), "z-up": [[1, 0, 0], [0, 0, 1], [0, -1, 0]], "camera": np.diag([1, -1, -1])}


@pytest.mark.parametrize("axes", list(TO))
def test_joints_in_any_axes_and_size_become_the_same_motion(tmp_path, axes):
    joints = 1.3 * np.concatenate([WALK, WALK[:, :2]], axis=1) @ np.array(TO[axes], float)
    np.savez(tmp_path / "a.npz", joints=joints, fps=30.0, axes=axes)
    motion = read_lifted(tmp_path / "a.npz")
    assert motion.fps == 30.0
    np.testing.assert_allclose(motion.positions, WALK, atol=5e-4)
    assert motion.at_model_rate(0.5).shape == (30, 22, 3)
    np.testing.assert_allclose(motion.at_model_rate(0.5)[0], WALK[15], atol=5e-4)


def test_what_the_file_does_not_say_the_caller_does(tmp_path):
    np.save(tmp_path / "a.npy", WALK @ np.array(TO["camera"], float))
    with pytest.raises(UserError, match="frame rate"):
        read_lifted(tmp_path / "a.npy")
    np.testing.assert_allclose(read_lifted(tmp_path / "a.npy", 25, "camera").positions, WALK, atol=5e-4)


def test_sizes_that_mean_nothing_and_poses_without_a_path(tmp_path):
    """As unsupervised image lifters leave them; saved and read again they are the same."""
    pose = (WALK - WALK[:, :1]) * [1, -1, -1]
    np.save(tmp_path / "a.npy", 37.0 * pose)
    with pytest.raises(UserError, match="legs"):
        read_lifted(tmp_path / "a.npy", 30, "camera")
    motion = read_lifted(tmp_path / "a.npy", 30, "camera", units="any")
    assert motion.about_root
    np.testing.assert_allclose(motion.positions, WALK - WALK[:, :1], atol=1e-3)
    again = read_lifted(motion.save(tmp_path / "b.npz"))
    assert again.about_root and again.axes == "camera" and again.fps == 30
    np.testing.assert_allclose(again.positions, motion.positions, atol=1e-3)
    np.save(tmp_path / "c.npy", 1000.0 * WALK * [1, -1, -1])
    moving = read_lifted(tmp_path / "c.npy", 30, "camera", units="mm")
    assert not moving.about_root
    np.testing.assert_allclose(moving.positions, WALK, atol=1e-3)
    with pytest.raises(UserError, match="units"):
        read_lifted(tmp_path / "c.npy", 30, units="inches")


def test_the_projects_own_clips_are_read(tmp_path):
    Motion(WALK, 20.0).save(tmp_path / "a.npz")
    np.testing.assert_allclose(read_lifted(tmp_path / "a.npz").positions, WALK, atol=5e-4)


def test_smpl_parameters_become_clips_for_a_folder_of_footage(tmp_path):
    pytest.importorskip("smplx")
    models = write_model(tmp_path / "models" / "neutral" / "model.npz").parents[1]
    given = poses(90)
    np.savez(tmp_path / "walk.npz", **given, mocap_framerate=60, axes="z-up")
    words = [str(tmp_path / "walk.npz"), "-o", str(tmp_path / "lifted")]
    result = CliRunner().invoke(lifted, [*words, "--body-models", str(models)])
    assert result.exit_code == 0, result.output
    (motion,) = read_teachers(tmp_path / "lifted").values()
    assert motion.fps == 60 and len(motion.at_model_rate()) == 30
    assert (motion.positions[:, 15, 1] > motion.positions[:, 0, 1] + 0.3).all()
    failed = CliRunner().invoke(lifted, words)
    assert isinstance(failed.exception, UserError) and "body models" in str(failed.exception)


def test_broken_files_and_pickles_are_named(tmp_path):
    np.savez(tmp_path / "good.npz", joints=WALK, fps=20)
    np.savez(tmp_path / "few.npz", joints=WALK[:, :19], fps=20)
    hole = WALK.copy()
    hole[3, 3] = np.nan
    np.savez(tmp_path / "nan.npz", joints=hole, fps=20)
    np.savez(tmp_path / "millimetres.npz", joints=1000 * WALK, fps=20)
    np.savez(tmp_path / "objects.npz", joints=np.array([{}], dtype=object), fps=20)
    np.savez(tmp_path / "frozen.npz", joints=WALK, fps=0)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:500])
    (tmp_path / "wham.pkl").write_bytes(b"\x80\x04.")
    left_out = LeftOut()
    assert list(read_teachers(tmp_path, left_out=left_out)) == ["good"]
    reasons = {name.split("/")[-1]: reason for name, reason in left_out.items()}
    assert set(reasons) == {
        "few.npz", "nan.npz", "millimetres.npz", "objects.npz", "frozen.npz", "cut.npz", "wham.pkl"
    }  # fmt: skip
    assert "19 joints" in reasons["few.npz"] and "NaN" in reasons["nan.npz"]
    assert "metres" in reasons["millimetres.npz"] or "legs" in reasons["millimetres.npz"]
    (tmp_path / "good.npz").unlink()
    with pytest.raises(UserError, match="no lifted motion"):
        read_teachers(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"fps": "thirty"}, "frame rate"),
        ({"fps": np.array([])}, "frame rate"),
        ({"fps": np.array([30, 30])}, "frame rate"),
        ({"joints": np.zeros((60, 22))}, "(60, 22)"),
        ({"joints": np.zeros((60, 3))}, "(60, 3)"),
        ({"joints": np.float64(1)}, "()"),
        ({"joints": np.zeros((0, 17, 3))}, "(0, 17, 3)"),
        ({"joints": np.zeros((0, 22, 3))}, "(0, 22, 3)"),
        ({"joints": np.array(["a"])}, "real numbers"),
        ({"axes": 3}, "axes"),
        ({"units": "inches"}, "units"),
        ({"joints": None, "poses": np.zeros((0, 156))}, "number of frames"),
        ({"joints": None, "global_orient": np.zeros((60, 3)), "body_pose": np.zeros((59, 63))}, "frames"),
        ({"joints": None, "poses": np.array(["a"] * 60)}, "real numbers"),
    ],
)
def test_one_bad_file_is_named_and_the_others_are_read(tmp_path, arrays, reason):
    np.savez(tmp_path / "good.npz", joints=WALK, fps=20)
    arrays = {"joints": WALK, "fps": 20, **arrays}
    np.savez(tmp_path / "bad.npz", **{name: value for name, value in arrays.items() if value is not None})
    left_out = LeftOut()
    assert list(read_teachers(tmp_path, left_out=left_out)) == ["good"]
    assert list(left_out) == [str(tmp_path / "bad.npz")] and reason in left_out[str(tmp_path / "bad.npz")]
    failed = CliRunner().invoke(lifted, [str(tmp_path / "bad.npz"), "-o", str(tmp_path / "lifted")])
    assert isinstance(failed.exception, UserError) and "bad.npz" in str(failed.exception)


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_archives_and_arrays_under_each_others_names_are_left_out(tmp_path, part):
    np.savez(tmp_path / "good.npz", joints=WALK, fps=20)
    np.save(tmp_path / "good.npy", WALK)
    for source, name in (("good.npz", "bad.npy"), ("good.npy", "worse.npz")):
        data = (tmp_path / source).read_bytes()
        (tmp_path / name).write_bytes(data[: int(part * len(data))])
    left_out = LeftOut()
    assert list(read_teachers(tmp_path, 20, left_out=left_out)) == ["good"]
    assert {name.split("/")[-1] for name in left_out} == {"bad.npy", "worse.npz"}


@pytest.mark.parametrize(
    ("units", "size"), [("m", 1.0), ("mm", 1000.0), ("any", 1.0), ("any", 0.004), ("any", 300.0)]
)
def test_whether_the_root_moves_is_seen_in_all_units(tmp_path, units, size):
    """A path of metres, and poses about a root that jitters by a millimetre."""
    walk = WALK * [1, -1, -1] + [0, 0, 5]
    noise = np.random.default_rng(0).normal(0, 0.001, (60, 1, 3))
    for joints, about_root in ((walk, False), (walk - walk[:, :1] + noise, True)):
        np.savez(tmp_path / "a.npz", joints=size * joints, fps=20, axes="camera", units=units)
        motion = read_lifted(tmp_path / "a.npz")
        assert motion.about_root is about_root
        moved = np.ptp(motion.positions[:, 0, 2])
        assert moved == 0 if about_root else moved > 2


@pytest.mark.parametrize(
    "gender", [np.array("female"), np.array(b"female"), np.array("female", dtype=object)]
)
def test_genders_are_read_as_amass_writes_them(tmp_path, gender, caplog):
    pytest.importorskip("smplx")
    models = write_model(tmp_path / "models" / "female" / "model.npz").parents[1]
    write_model(models / "neutral" / "model.npz")
    np.savez(tmp_path / "a.npz", **poses(60), fps=60, gender=gender, axes="z-up")
    assert len(read_lifted(tmp_path / "a.npz", bodies=Bodies(models)).positions) == 60
    assert not caplog.records  # the model was there


def test_files_of_one_name_do_not_overwrite_each_other(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "output.npz", joints=WALK, fps=20)
    files = [str(tmp_path / folder / "output.npz") for folder in "ab"]
    failed = CliRunner().invoke(lifted, [*files, "-o", str(tmp_path / "lifted")])
    assert isinstance(failed.exception, UserError) and "output" in str(failed.exception)
    assert not (tmp_path / "lifted").exists()
