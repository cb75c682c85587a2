# SPDX-License-Identifier: GPL-3.0-or-later
"""Every measure is nothing for a rig that does exactly what the motion does, and finds the fault it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from videomdm.motion import Motion, rotations
from videomdm.motion.inverse import joint_rotations
from videomdm_blender.certify.battery import BATTERY
from videomdm_blender.certify.capsules import segment_distance
from videomdm_blender.certify.limits import LIMITS, broken
from videomdm_blender.certify.measures import Body, measure, source_joints
from videomdm_blender.retarget.reference import joint

TURNED_BY = {"hips": "pelvis", "spine": "spine3"} | {
    f"{side}_{slot}": f"{side}_{name}"
    for side in ("left", "right")
    for slot, name in (("upper_arm", "shoulder"), ("forearm", "elbow"), ("thigh", "hip"), ("shin", "knee"),
                       ("foot", "ankle"), ("toe", "ankle"))
}  # fmt: skip


def perfect(motion: Motion) -> Body:
    """A rig that is the motion's own body."""
    found = joint_rotations(motion.positions)
    resting = found.skeleton.rest_positions + np.array([0.0, 0.935, 0.0])
    return Body(
        joints=source_joints(motion),
        resting={name: resting[joint(name)] for name in source_joints(motion)},
        turns={slot: found.world[:, joint(name)] for slot, name in TURNED_BY.items()},
        stretch=np.zeros(len(motion)),
        floor=0.0,
        sole=float(min(resting[joint("left_ankle")][1] - 0.055, resting[joint("left_foot")][1] - 0.015)),
        fps=motion.fps,
    )


def moved(body: Body, name: str, by: Any) -> Body:
    """The same rig with one joint moved."""
    return replace(body, joints={**body.joints, name: body.joints[name] + by})


@pytest.mark.parametrize("name", BATTERY)
def test_a_perfect_rig_passes(name: str) -> None:
    motion = BATTERY[name]()
    found = measure(motion, perfect(motion))
    assert broken(found) == [], found
    for key in (
        "arm_direction_deg",
        "leg_direction_deg",
        "limb_direction_deg",
        "end_position_percent",
        "slide_mm",
        "root_path_mm",
    ):
        assert found[key] == pytest.approx(0.0, abs=1e-6)
    assert found["jitter_ratio"] == pytest.approx(1.0)


def bent(body: Body) -> Body:
    arm = body.joints["left_wrist"] - body.joints["left_elbow"]
    side = np.cross(arm, [0.0, 1.0, 0.0])
    turn = rotations.from_axis_angle(rotations.normalise(side), np.full(len(arm), np.radians(20.0)))
    return moved(body, "left_wrist", rotations.rotate(turn, arm) - arm)


def sliding(body: Body) -> Body:
    path = np.zeros((len(body.stretch), 3))
    path[:, 0] = 0.003 * np.arange(len(path))
    return replace(body, joints={name: track + path for name, track in body.joints.items()})


def trembling(body: Body) -> Body:
    sign = (-1.0) ** np.arange(len(body.stretch))
    return moved(body, "right_wrist", 0.01 * sign[:, None] * np.array([0.0, 1.0, 0.0]))


def twisted(body: Body) -> Body:
    upper = body.resting["left_knee"] - body.resting["left_hip"]
    turn = rotations.from_axis_angle(rotations.normalise(upper), np.radians(100.0))
    thigh = rotations.multiply(body.turns["left_thigh"], np.broadcast_to(turn, (len(body.stretch), 4)))
    return replace(body, turns={**body.turns, "left_thigh": thigh})


def flipping(body: Body) -> Body:
    twist, half = twisted(body), len(body.stretch) // 2
    thigh = np.concatenate([body.turns["left_thigh"][:half], twist.turns["left_thigh"][half:]])
    return replace(body, turns={**body.turns, "left_thigh": thigh})


def hugging(body: Body) -> Body:
    middle = (body.joints["left_hip"] + body.joints["right_shoulder"]) / 2
    return replace(
        body, joints={**body.joints, "left_elbow": middle, "left_wrist": middle + np.array([0.0, 0.1, 0.0])}
    )


@pytest.mark.parametrize(
    ("fault", "key", "value"),
    [
        (bent, "limb_direction_deg", 20.0),
        (lambda body: moved(body, "left_knee", [0.0, 0.1, 0.0]), "limb_direction_deg", None),
        (lambda body: moved(body, "left_wrist", [0.2, 0.0, 0.0]), "end_position_percent", None),
        (lambda body: moved(body, "left_wrist", [0.2, 0.0, 0.0]), "end_angle_deg", None),
        (lambda body: replace(body, stretch=np.full(len(body.stretch), 0.02)), "stretch_percent", 2.0),
        (twisted, "twist_beyond_deg", None),
        (flipping, "twist_jump_deg", 100.0),
        (sliding, "slide_mm", 3.0),
        (lambda body: replace(body, floor=0.03), "penetration_mm", None),
        (lambda body: sliding(body), "root_path_mm", 3.0 * 59),
        (hugging, "collision_mm", None),
        (trembling, "jitter_ratio", None),
    ],
)  # fmt: skip
def test_each_fault_is_found_by_its_measure(
    fault: Callable[[Body], Body], key: str, value: float | None
) -> None:
    motion = BATTERY["squat"]()
    found = measure(motion, fault(perfect(motion)))
    assert key in {limit.key for limit in broken(found)}, found[key]
    if value is not None:
        assert found[key] == pytest.approx(value, rel=0.02)


def test_the_size_of_a_step_is_told_at_the_motions_rate() -> None:
    """What the motion slides itself is not the rig's fault."""
    motion = BATTERY["squat"]()
    path = np.zeros((len(motion), 1, 3))
    path[:, 0, 0] = 0.005 * np.arange(len(motion))
    slid = replace(motion, positions=motion.positions + path)
    found = measure(slid, perfect(slid))
    assert found["slide_mm"] == 0.0 and found["source_slide_mm"] == pytest.approx(5.0, rel=1e-3)


def test_distances_between_segments() -> None:
    def distance(*points: tuple[float, float, float]) -> float:
        return float(segment_distance(*(np.array([point], float) for point in points))[0])

    assert distance((0, 0, 0), (1, 0, 0), (0.5, -1, 2), (0.5, 1, 2)) == pytest.approx(2.0)
    assert distance((0, 0, 0), (1, 0, 0), (3, 0, 0), (2, 0, 0)) == pytest.approx(1.0)
    assert distance((0, 0, 0), (0, 0, 0), (0, 3, 4), (0, 3, 4)) == pytest.approx(5.0)
    assert distance((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)) == pytest.approx(1.0)


def test_every_limit_has_a_measure() -> None:
    motion = BATTERY["squat"]()
    assert {limit.key for limit in LIMITS} <= measure(motion, perfect(motion)).keys()
