# SPDX-License-Identifier: Apache-2.0
"""BVH files: any hierarchy in, a motion out and back, and sentences for what is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion import JOINT_NAMES, Motion, rotations
from videomdm.motion.bvh import parse_bvh, read_bvh, to_motion, write_bvh

from .bodies import dancer, t_pose

HIERARCHY = """HIERARCHY
ROOT the hip
{
  OFFSET 9 9 9
  CHANNELS 6 Zposition Xposition Yposition Yrotation Xrotation Zrotation
  JOINT lever {
    OFFSET 10 0 0
    CHANNELS 1 Zrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
  JOINT slider
  {
    OFFSET 0 10 0
    CHANNELS 3 Xposition Yposition Zposition
    JOINT fixed
    {
      OFFSET 0 1 0
      CHANNELS 0
    }
  }
}
"""
MOTION = "MOTION\nFrames: 2\nFrame Time: 0.0416667\n0 0 0 0 0 0  0  0 10 0\n3 1 2 90 0 0  90  0 20 0\n"


def test_reads_any_hierarchy_and_channel_order() -> None:
    take = parse_bvh(HIERARCHY + MOTION, scale=0.1)
    assert take.skeleton.names == ("the hip", "lever", "slider", "fixed")
    assert take.skeleton.parents == (-1, 0, 0, 2)
    assert take.fps == 24.0
    positions = take.world[0]
    # position channels replace the offset; a quarter turn about Y takes +X to -Z
    expected = [
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1.1, 0]],
        [[0.1, 0.2, 0.3], [0.1, 0.2, -0.7], [0.1, 2.2, 0.3], [0.1, 2.3, 0.3]],
    ]
    np.testing.assert_allclose(positions, expected, atol=1e-9)
    assert [(site.parent, *site.offset) for site in take.end_sites] == [(1, 0.5, 0.0, 0.0)]


@pytest.mark.parametrize(
    ("text", "fps"),
    [("0.0333333", 30.0), ("0.033333", 30.0), ("0.0333667", 30 / 1.001), (".00833333", 120.0), ("0.05", 20.0),
     ("8.333e-3", 120.0), ("0.04", 25.0), ("0.0411", 1 / 0.0411)],
)  # fmt: skip
def test_frame_times_with_few_digits_become_the_rate_that_was_meant(text: str, fps: float) -> None:
    assert parse_bvh(HIERARCHY + MOTION.replace("0.0416667", text)).fps == pytest.approx(fps, rel=1e-9)


def test_windows_line_ends_and_byte_order_marks_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.bvh"
    path.write_bytes(b"\xef\xbb\xbf" + (HIERARCHY + MOTION).replace("\n", "\r\n").encode())
    assert len(read_bvh(path)) == 2


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("MOTION", "NOTION", "no MOTION section"),
        ("3 1 2 90", "3 1 2", "2 frames of 10 channels need 20 numbers, it holds 19"),
        ("3 1 2 90", "3 1 two 90", "not a number"),
        ("3 1 2 90", "3 1 nan 90", "NaN"),
        ("Frames: 2", "Frames: 0", "no frames"),
        ("Frames: 2", "Frames: many", "does not begin"),
        ("0.0416667", "0", "impossible"),
        ("0.0416667", "nan", "impossible"),
        ("0.0416667", "soon", "not a number"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "not three numbers"),
        ("OFFSET 10 0 0", "OFFSET 10 0 inf", "not three numbers"),
        ("CHANNELS 1 Z", "CHANNELS 2 Z", "not a count"),
        ("CHANNELS 1 Zrotation", "CHANNELS 9" + 9 * " Zrotation", "6 at most"),
        ("0.0416667", "0." + "3" * 10_000, "numbers, it holds"),
        ("CHANNELS 1 Zrotation", "CHANNELS 1 Wrotation", "not a count"),
        ("JOINT slider", "ROOT slider", "exactly one ROOT"),
        ("JOINT slider", "BONE slider", "no meaning"),
        ("HIERARCHY\nROOT the hip", "HIERARCHY\nJOINT hip", "exactly one ROOT"),
        ("OFFSET 0 1 0\n      CHANNELS 0\n    }", "OFFSET 0 1 0", "not closed"),
        ("HIERARCHY\n", "HIERARCHY\n}\n", "never opened"),
        ("HIERARCHY\n", "HIERARCHY\n{\n", "no joint begins"),
    ],
)
def test_broken_files_are_refused_with_the_reason(old: str, new: str, why: str) -> None:
    text = (HIERARCHY + MOTION).replace(old, new, 1)
    assert text != HIERARCHY + MOTION
    with pytest.raises(UserError, match=why) as caught:
        parse_bvh(text, "take.bvh")
    assert "take.bvh" in caught.value.message
    assert caught.value.advice


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none"):
        read_bvh(tmp_path / "none.bvh")


@pytest.mark.parametrize(("scale", "unit"), [(100.0, 0.01), (1.0, 1.0)])
def test_a_written_motion_comes_back(tmp_path: Path, scale: float, unit: float) -> None:
    motion = Motion(dancer(50), fps=30.0, contacts=np.zeros((50, 4), bool))
    again = to_motion(read_bvh(write_bvh(tmp_path / "dance.bvh", motion, scale), unit))
    assert again.fps == 30.0
    assert np.linalg.norm(again.positions - motion.positions, axis=-1).max() < 1e-3 / 10


def test_a_written_file_has_the_22_joints_and_their_names(tmp_path: Path) -> None:
    path = write_bvh(tmp_path / "still.bvh", Motion(t_pose(3), contacts=np.zeros((3, 4), bool)))
    take = read_bvh(path, 0.01)
    assert sorted(take.skeleton.names) == sorted(JOINT_NAMES)
    assert len(take.end_sites) == 5
    np.testing.assert_allclose(take.rotations[..., 0], 1.0, atol=1e-6)  # the T-pose is the rest pose
    assert [file.name for file in tmp_path.iterdir()] == ["still.bvh"]


def test_joints_that_do_not_stay_rigid_come_back_too(tmp_path: Path) -> None:
    positions = dancer(40)
    positions[:, 1] += 0.02 * np.sin(np.arange(40) / 5)[:, None]  # a hip that slides within the pelvis
    positions[:, 4] += 0.02 * np.sin(np.arange(40) / 5)[:, None]
    lengths = np.linalg.norm(positions[:, 4] - positions[:, 1], axis=-1)
    assert np.ptp(lengths) < 1e-9
    motion = Motion(positions, contacts=np.zeros((40, 4), bool))
    again = to_motion(read_bvh(write_bvh(tmp_path / "loose.bvh", motion), 0.01))
    # the shin is the one bone whose length changes, by a centimetre or two
    rigid = [joint for joint in range(22) if joint not in (7, 10)]
    assert np.linalg.norm(again.positions - motion.positions, axis=-1)[:, rigid].max() < 1e-3


def test_curves_have_no_jumps_of_a_whole_turn(tmp_path: Path) -> None:
    # a body that turns on the spot, twice
    frames = 80
    turn = rotations.about_y(np.linspace(0, 4 * np.pi, frames))
    positions = rotations.rotate(np.broadcast_to(turn[:, None], (frames, 22, 4)), t_pose(frames))
    path = write_bvh(tmp_path / "turn.bvh", Motion(positions, contacts=np.zeros((frames, 4), bool)))
    rows = np.array([line.split() for line in path.read_text().splitlines()[-frames:]], float)
    assert np.abs(np.diff(rows[:, 3:6], axis=0)).max() < 15.0
    assert np.abs(rows[-1, 3:6] - rows[0, 3:6]).max() == pytest.approx(720.0, abs=1e-3)


def test_a_foreign_skeleton_is_not_taken_for_the_22_joints() -> None:
    with pytest.raises(UserError, match="pelvis"):
        to_motion(parse_bvh(HIERARCHY + MOTION))
