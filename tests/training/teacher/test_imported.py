# SPDX-License-Identifier: Apache-2.0
"""Motion that other tools lifted: joints and parameters, axes and rates, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from videomdm.errors import UserError
from videomdm.motion.clip import Motion
from videomdm_training.datasets.left_out import LeftOut
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
