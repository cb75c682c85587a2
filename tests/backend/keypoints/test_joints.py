# SPDX-License-Identifier: Apache-2.0
"""From detected points to the body model's joints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support import pose2sim
from tests.support.figure import HEIGHT, WIDTH, side_camera, walking_joints, walking_keypoints

from videomdm.camera_fit import intrinsics_guess, normalise_points
from videomdm.keypoints import Keypoints
from videomdm.keypoints.joints import to_joints
from videomdm.keypoints.layout import INDEX
from videomdm.motion.skeleton import JOINT_NAMES

UNSEEN = {"spine1", "spine2", "spine3", "left_collar", "right_collar"}


def without(keypoints: Keypoints, *names: str) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[:, [INDEX[name] for name in names]] = 0
    return replace(keypoints, confidence=confidence)


def test_all_joints_that_can_be_seen_have_weight() -> None:
    xy, weight = to_joints(walking_keypoints(6))
    assert xy.shape == (6, 22, 2)
    assert xy.dtype == weight.dtype == np.float32
    assert {name for name, seen in zip(JOINT_NAMES, weight.any(axis=0), strict=True) if not seen} == UNSEEN
    assert (weight <= 0.9001).all()


@pytest.mark.parametrize("azimuth", [0.0, 0.8, np.pi / 2, 3.0])
def test_the_joints_lie_where_the_figure_has_them(azimuth: float) -> None:
    """Within 5 cm of the figure's own joints, from every side: the offsets hold in any view."""
    joints = walking_joints(30, 30.0)
    camera = side_camera(joints, azimuth=azimuth)
    K = intrinsics_guess(WIDTH, HEIGHT)
    xy, weight = to_joints(walking_keypoints(30, azimuth=azimuth), K)
    in_camera = joints @ camera.R.T + camera.t
    metres = np.linalg.norm(xy - in_camera[..., :2] / in_camera[..., 2:], axis=-1) * in_camera[..., 2]
    assert metres[weight > 0].max() < 0.05
    assert np.median(metres[weight > 0]) < 0.02


def test_normalised_is_pixels_without_intrinsics() -> None:
    keypoints = without(walking_keypoints(3), "left_ankle")
    K = intrinsics_guess(WIDTH, HEIGHT)
    pixels, weight = to_joints(keypoints)
    xy, same = to_joints(keypoints, K)
    np.testing.assert_array_equal(weight, same)
    seen = weight > 0
    np.testing.assert_allclose(xy[seen], normalise_points(pixels, K)[seen], atol=1e-6)
    assert (xy[~seen] == 0).all()


def test_stand_ins_have_less_weight() -> None:
    keypoints = walking_keypoints(4)
    full = to_joints(keypoints)[1][0]
    joint = {name: JOINT_NAMES.index(name) for name in JOINT_NAMES}

    one_ear = to_joints(without(keypoints, "left_ear"))[1][0]
    assert 0 < one_ear[joint["head"]] < full[joint["head"]]
    one_hip = to_joints(without(keypoints, "right_hip"))[1][0]
    assert one_hip[joint["right_hip"]] == 0
    assert 0 < one_hip[joint["left_hip"]] < full[joint["left_hip"]]
    no_heel = to_joints(without(keypoints, "left_heel"))[1][0]
    assert no_heel[joint["left_foot"]] == full[joint["left_foot"]]
    no_toe = to_joints(without(keypoints, "left_big_toe"))[1][0]
    assert no_toe[joint["left_foot"]] == 0


def test_the_proportions_are_the_models(shared_data: Path) -> None:
    """Joints made from a recorded person's markers have the distances of a published HumanML3D clip."""
    joints, weight = pose2sim.read_joints(shared_data / "lifting" / "pose2sim_single")
    published = np.load(next(iter(sorted(shared_data.glob("humanml3d/**/new_joints/012314.npy")))))
    index = JOINT_NAMES.index
    for a, b, tolerance in (
        ("left_hip", "right_hip", 0.02), ("pelvis", "left_hip", 0.02), ("pelvis", "neck", 0.04),
        ("neck", "head", 0.02), ("left_ankle", "left_foot", 0.02), ("right_ankle", "right_foot", 0.02),
        ("left_hip", "left_knee", 0.04), ("left_knee", "left_ankle", 0.03),
    ):  # fmt: skip
        ours, theirs = (
            np.median(np.linalg.norm(x[:, index(a)] - x[:, index(b)], axis=-1)) for x in (joints, published)
        )
        assert abs(ours - theirs) < tolerance, (a, b, ours, theirs)
    assert weight[:, index("left_knee")].all()
