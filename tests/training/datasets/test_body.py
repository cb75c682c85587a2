# SPDX-License-Identifier: Apache-2.0
"""Other bodies and skeletons onto the one body of the representation."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS
from videomdm_training.datasets.body import (
    H36M,
    NBA,
    check,
    from_joints,
    from_points,
    on_standard_body,
    packed,
    to_y_up,
)

from ..motions import person

WALK = person(60, walking=1.2).astype(np.float64)


def lengths(positions):
    parents = np.maximum(np.array(PARENTS), 0)
    return np.linalg.norm(positions - positions[:, parents], axis=-1)


def test_the_standard_body_stays_as_it_is():
    standard, scale = on_standard_body(WALK)
    assert scale == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(standard, WALK, atol=5e-4)  # a straight knee bends by rounding


def test_a_larger_body_becomes_the_standard_one_and_walks_as_far_for_its_size():
    standard, scale = on_standard_body(1.2 * WALK)
    assert scale == pytest.approx(1 / 1.2, rel=1e-6)
    np.testing.assert_allclose(standard, WALK, atol=5e-4)  # a straight knee bends by rounding


def test_other_proportions_keep_directions_and_planted_feet():
    """Long shins, short thighs: the bones get the standard's lengths, ankles stay where they are, scaled."""
    other = WALK.copy()
    for hip, knee, ankle, foot in ((1, 4, 7, 10), (2, 5, 8, 11)):
        thigh, shin, toe = (WALK[:, b] - WALK[:, a] for a, b in ((hip, knee), (knee, ankle), (ankle, foot)))
        other[:, knee] = other[:, hip] + 0.95 * thigh
        other[:, ankle] = other[:, knee] + 1.1 * shin
        other[:, foot] = other[:, ankle] + toe
    standard, scale = on_standard_body(other)
    np.testing.assert_allclose(
        lengths(standard)[:, 1:], np.broadcast_to(BONE_LENGTHS[1:], (60, 21)), atol=1e-6
    )
    for side in (0, 1):
        hip, ankle = 1 + side, 7 + side
        was, is_ = other[:, ankle] - other[:, hip], standard[:, ankle] - standard[:, hip]
        np.testing.assert_allclose(is_, scale * was, atol=2e-3)


def test_packed_motion_stands_on_the_floor_at_the_origin():
    turned = WALK @ np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]) + [3.0, 0.7, -2.0]
    made = packed(turned, 20.0)
    np.testing.assert_allclose(made[0, 0, [0, 2]], 0, atol=1e-6)
    assert made[-1, 0, 2] > 3.0  # walks towards +Z
    assert abs(made[..., 1].min()) < 0.06
    assert len(packed(turned, 40.0)) == 30
    with pytest.raises(UserError, match="frame rate"):
        packed(turned, 0.0)


@pytest.mark.parametrize(
    ("axes", "down"), [("y-up", [0, -1, 0]), ("z-up", [0, 0, -1]), ("camera", [0, 1, 0])]
)
def test_axes_are_turned_not_mirrored(axes, down):
    np.testing.assert_allclose(to_y_up(np.array(down, float), axes), [0, -1, 0])
    basis = np.stack([to_y_up(row, axes) for row in np.eye(3)])
    assert np.linalg.det(basis) == pytest.approx(1.0)
    with pytest.raises(UserError, match="axes"):
        to_y_up(np.zeros(3), "up")


def h36m(positions):
    """What Human3.6M would have seen of the 22: hips at the width of the pelvis, a nose and a top of the head."""
    at = {name: positions[:, joint] for joint, name in enumerate(JOINT_NAMES)}
    middle = (at["left_hip"] + at["right_hip"]) / 2
    seen = at | {
        "mid_hip": middle,
        "left_hip": middle + (at["left_hip"] - middle) / 0.6,
        "right_hip": middle + (at["right_hip"] - middle) / 0.6,
        "": at["spine2"],
        "shoulder_centre": (at["left_shoulder"] + at["right_shoulder"]) / 2,
        "nose": at["head"],
    }
    seen["head_top"] = 1.5 * at["head"] - 0.5 * seen["shoulder_centre"]
    return np.stack([seen[name] for name in H36M], axis=1)


def test_human36m_joints_find_their_places():
    made, real = from_points(h36m(WALK), H36M)
    apart = dict(zip(JOINT_NAMES, np.linalg.norm(made - WALK, axis=-1).mean(0), strict=True))
    assert {name for name, seen in zip(JOINT_NAMES, real, strict=True) if not seen} == {
        "spine1", "spine2", "spine3", "left_collar", "right_collar", "left_foot", "right_foot"
    }  # fmt: skip
    for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        assert max(apart[f"left_{name}"], apart[f"right_{name}"]) < 1e-6
    assert max(apart[name] for name in ("pelvis", "neck", "head")) < 0.04
    assert max(apart[name] for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar")) < 0.04
    assert max(apart["left_foot"], apart["right_foot"]) < 0.06
    standard, _ = on_standard_body(made)
    assert np.linalg.norm(standard - WALK, axis=-1)[:, real].max() < 0.06


def test_the_nba_sets_16_points_are_known_too():
    seen = dict(zip(H36M, np.moveaxis(h36m(WALK), 1, 0), strict=True))
    seen["neck"] = (seen["shoulder_centre"] + seen["nose"]) / 2
    made = from_joints(np.stack([seen[name] for name in NBA], axis=1))
    np.testing.assert_allclose(made, from_joints(h36m(WALK)), atol=1e-6)


@pytest.mark.parametrize("count", [22, 24, 52])
def test_the_smpl_family_begins_with_the_22(count):
    points = np.concatenate([WALK, np.ones((60, count - 22, 3))], axis=1)
    np.testing.assert_array_equal(from_joints(points), WALK)


def test_what_is_no_person_in_metres_is_refused():
    with pytest.raises(UserError, match="21 joints"):
        from_joints(WALK[:, :21])
    with pytest.raises(UserError, match="shape"):
        from_joints(WALK[..., :2])
    with pytest.raises(UserError, match="legs are 8"):
        on_standard_body(1000 * WALK)
    bad = WALK.copy()
    bad[3, 4, 1] = np.nan
    with pytest.raises(UserError, match="NaN"):
        check(bad)
