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
from videomdm_blender.certify.capsules import capsules, depths, pointing, segment_distance
from videomdm_blender.certify.held import Hold
from videomdm_blender.certify.layout import lay_out
from videomdm_blender.certify.limits import LIMITS, broken
from videomdm_blender.certify.marks import TICKS, stands, ticks
from videomdm_blender.certify.measures import Body, measure, source_joints
from videomdm_blender.certify.tracks import FLAT_PITCH, FOOT_LENGTH, TOE_HEIGHT
from videomdm_blender.retarget.frames import Y, compose, cross, frame, inverse, unit
from videomdm_blender.retarget.reference import joint

TURNED_BY = {"hips": "pelvis", "spine": "spine3"} | {
    f"{side}_{slot}": f"{side}_{name}"
    for side in ("left", "right")
    for slot, name in (("upper_arm", "shoulder"), ("forearm", "elbow"), ("thigh", "hip"), ("shin", "knee"),
                       ("foot", "ankle"), ("toe", "ankle"))
}  # fmt: skip


def perfect(motion: Motion) -> Body:
    """A rig that is the motion's own body; at rest its feet lie flat."""
    found = joint_rotations(motion.positions)
    resting = found.skeleton.rest_positions + np.array([0.0, 0.935, 0.0])
    turns = {slot: found.world[:, joint(name)] for slot, name in TURNED_BY.items()}
    for side in ("left", "right"):
        ankle, toe = joint(f"{side}_ankle"), joint(f"{side}_foot")
        flat = np.array([0.0, -np.sin(FLAT_PITCH), np.cos(FLAT_PITCH)])
        resting[toe] = resting[ankle] + FOOT_LENGTH * flat
        lines = unit(motion.positions[:, toe].astype(float) - motion.positions[:, ankle])
        upright, at_rest = (frame(line, unit(cross(Y, line))) for line in (lines, flat))
        turns |= dict.fromkeys((f"{side}_foot", f"{side}_toe"), compose(upright, inverse(at_rest)))
    return Body(
        joints=source_joints(motion),
        resting={name: resting[joint(name)] for name in source_joints(motion)},
        turns=turns,
        stretch=np.zeros(len(motion)),
        floor=0.0,
        sole=float(resting[joint("left_foot")][1] - TOE_HEIGHT),
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
    assert found["held_turn_deg"] < 0.01
    for key in (
        "arm_direction_deg",
        "leg_direction_deg",
        "limb_direction_deg",
        "limb_median_deg",
        "held_place_mm",
        "end_position_percent",
        "slide_mm",
        "root_path_mm",
        "collision_mm",
        "limbs_crossing_mm",
    ):
        assert found[key] == pytest.approx(0.0, abs=1e-4)
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


def tilted(body: Body) -> Body:
    """Its feet stand on their heels by 5 degrees."""
    turn = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.array(np.radians(-5.0)))
    feet = {
        slot: rotations.multiply(turns, np.broadcast_to(turn, turns.shape))
        for slot, turns in body.turns.items()
        if slot.endswith("_foot")
    }
    return replace(body, turns={**body.turns, **feet})


def hugging(body: Body) -> Body:
    middle = (body.joints["left_hip"] + body.joints["right_shoulder"]) / 2
    return replace(
        body, joints={**body.joints, "left_elbow": middle, "left_wrist": middle + np.array([0.0, 0.1, 0.0])}
    )


def kneed(body: Body) -> Body:
    """Its left knee is in the belly."""
    hips, shoulders = (
        (body.joints[f"left_{end}"] + body.joints[f"right_{end}"]) / 2 for end in ("hip", "shoulder")
    )
    return replace(body, joints={**body.joints, "left_knee": (hips + shoulders) / 2})


def crossed(body: Body) -> Body:
    """Its shins are where those of the other side are."""
    names = {f"{side}_{end}": f"{other}_{end}" for side, other in (("left", "right"), ("right", "left"))
             for end in ("knee", "ankle")}  # fmt: skip
    return replace(
        body, joints={**body.joints, **{name: body.joints[other] for name, other in names.items()}}
    )


@pytest.mark.parametrize(
    ("fault", "key", "value"),
    [
        (bent, "limb_direction_deg", 20.0),
        (lambda body: moved(body, "left_knee", [0.0, 0.1, 0.0]), "limb_direction_deg", None),
        (lambda body: moved(body, "left_foot", [0.0, 0.03, 0.0]), "held_place_mm", 30.0),
        (sliding, "held_place_mm", None),
        (tilted, "held_turn_deg", 5.0),
        (lambda body: moved(body, "left_wrist", [0.2, 0.0, 0.0]), "end_position_percent", None),
        (lambda body: moved(body, "left_wrist", [0.2, 0.0, 0.0]), "end_angle_deg", None),
        (lambda body: replace(body, stretch=np.full(len(body.stretch), 0.02)), "stretch_percent", 2.0),
        (twisted, "twist_beyond_deg", None),
        (flipping, "twist_jump_deg", 100.0),
        (sliding, "slide_mm", 3.0),
        (lambda body: replace(body, floor=0.03), "penetration_mm", None),
        (lambda body: sliding(body), "root_path_mm", 3.0 * 59),
        (hugging, "collision_mm", None),
        (kneed, "collision_mm", None),
        (crossed, "limbs_crossing_mm", None),
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


def test_toes_stand_on_their_tips_too_but_tips_must_stay() -> None:
    motion = BATTERY["squat"]()
    body = moved(perfect(motion), "left_foot", [0.0, 0.03, 0.0])
    tip = perfect(motion).joints["left_foot"] + np.array([0.0, 0.0, 0.07])
    assert measure(motion, replace(body, tips={"left_foot": tip}))["held_place_mm"] == pytest.approx(
        0.0, abs=1e-3
    )
    slides = np.outer(np.arange(len(motion)), [0.0, 0.0, 0.003])
    slid = replace(moved(body, "left_foot", slides), tips={"left_foot": tip + slides})
    found = measure(motion, slid)
    assert found["slide_mm"] == pytest.approx(3.0, rel=0.02) and found["held_place_mm"] > 10.0
    raised = replace(body, tips={"left_foot": tip + np.array([0.0, 0.02, 0.0])})
    assert measure(motion, raised)["held_place_mm"] == pytest.approx(20.0)


def test_most_limbs_a_little_off_is_a_fault_too() -> None:
    """Under 2 degrees everywhere, but over half a degree in the middle."""
    motion = BATTERY["squat"]()
    body = perfect(motion)
    turn = rotations.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array(np.radians(1.0)))
    spun = {
        name: rotations.rotate(np.broadcast_to(turn, (len(path), 4)), path)
        for name, path in body.joints.items()
    }
    found = measure(motion, replace(body, joints=spun))
    assert 0.5 < found["limb_median_deg"] < found["limb_direction_deg"] < 1.1
    assert "limb_median_deg" in {limit.key for limit in broken(found)}


def test_held_hands_are_measured_and_their_arms_not_compared() -> None:
    motion = BATTERY["hold"]()
    body = perfect(motion)
    off = moved(moved(body, "left_wrist", [0.0, 0.06, 0.0]), "left_elbow", [0.0, 0.06, 0.0])
    start, end = 30, 70
    place = off.joints["left_wrist"][start]
    stays = off.joints["left_wrist"].copy()
    stays[start:end] = place
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (len(motion), 1))
    keeps = replace(off, joints={**off.joints, "left_wrist": stays}, turns={**off.turns, "left_hand": turns})
    hold = Hold("left", start, end, place, turns)
    found = measure(motion, keeps, (hold,))
    assert found["held_place_mm"] == pytest.approx(0.0, abs=1e-3) and found["held_turn_deg"] < 1e-6
    assert found["limb_direction_deg"] < 1e-3 < measure(motion, keeps)["limb_direction_deg"]
    away = replace(hold, place=place + np.array([0.0, 0.02, 0.0]))
    assert measure(motion, keeps, (away,))["held_place_mm"] == pytest.approx(20.0)
    tilt = rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array(np.radians(7.0)))
    turned = replace(hold, turn=np.tile(tilt, (len(motion), 1)))
    assert measure(motion, keeps, (turned,))["held_turn_deg"] == pytest.approx(7.0)


def test_a_big_head_does_not_cover_the_row_above() -> None:
    boxes = [[np.array([[-0.3, -0.1], [0.3, height]]) for _ in range(2)] for height in (1.7, 3.4, 0.5)]
    layout = lay_out(boxes)
    bottom = 0.0
    for row, places in zip(boxes, layout.places, strict=True):
        (x, y), (other, _) = places
        assert x + row[0][0, 0] >= 0.0 and other + row[1][0, 0] > x + row[0][1, 0]
        assert y - row[0][1, 1] >= bottom and y - row[0][0, 1] <= layout.height
        bottom = y - row[0][0, 1]
    assert layout.places[0][1][0] + 0.3 <= layout.width


def test_the_size_of_a_step_is_told_at_the_motions_rate() -> None:
    """What the motion slides itself is not the rig's fault."""
    motion = BATTERY["squat"]()
    path = np.zeros((len(motion), 1, 3))
    path[:, 0, 0] = 0.005 * np.arange(len(motion))
    slid = replace(motion, positions=motion.positions + path)
    found = measure(slid, perfect(slid))
    assert found["slide_mm"] == 0.0 and found["source_slide_mm"] == pytest.approx(5.0, rel=1e-3)


def arms_at_the_side(turn: float = 0.0) -> Body:
    """A body with arms that hang, and hands that are turned inwards by so many degrees."""
    motion = BATTERY["walk"]()
    body = perfect(motion)
    count = len(motion)
    joints, resting, turns = dict(body.joints), dict(body.resting), dict(body.turns)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for joint_name, down in (("elbow", 0.26), ("wrist", 0.52)):
            joints[f"{side}_{joint_name}"] = joints[f"{side}_shoulder"] - down * Y
            resting[f"{side}_{joint_name}"] = resting[f"{side}_shoulder"] - down * Y
        inwards = rotations.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array(np.radians(-sign * turn)))
        turns[f"{side}_hand"] = np.tile(inwards, (count, 1))
    return replace(body, joints=joints, resting=resting, turns=turns)


def test_hands_are_where_they_are_turned_to() -> None:
    def depth(turn: float) -> float:
        body = arms_at_the_side(turn)
        parts = capsules(body.joints, pointing(body.joints, body.resting, body.turns))
        return float(depths(parts, (("left hand", "left thigh"), ("right hand", "right thigh"))).max())

    assert depth(0.0) < depth(45.0) < depth(90.0) and depth(90.0) > 0.02
    stretched = pointing(arms_at_the_side().joints, {}, {})["left"]
    np.testing.assert_allclose(stretched, np.broadcast_to(-Y, stretched.shape), atol=1e-9)


def test_what_the_motion_does_to_itself_is_not_the_rigs() -> None:
    """And what it does with another limb is no excuse."""
    motion = BATTERY["squat"]()
    source = hugging(perfect(motion))
    positions = motion.positions.copy()
    for name in ("left_elbow", "left_wrist"):
        positions[:, joint(name)] = source.joints[name]
    hugs = replace(motion, positions=positions)
    found = measure(hugs, replace(source, joints=source_joints(hugs)))
    assert found["collision_mm"] == pytest.approx(0.0, abs=1e-3)
    mirrored = replace(source, joints=source.joints | {
        f"right_{end}": source.joints[f"left_{end}"] for end in ("elbow", "wrist")
    })  # fmt: skip
    assert measure(hugs, mirrored)["collision_mm"] > 30.0


def test_marks_show_what_stands_slides_and_twists() -> None:
    motion = BATTERY["squat"]()
    contacts = np.asarray(motion.contacts, bool)
    body = replace(perfect(motion), floor=0.02)
    still, slides = stands(body, contacts, 20)
    assert len(still) == 8 and len(slides) == 0 and still[..., 1] == pytest.approx(0.02)
    assert np.allclose(still[:2].mean(axis=(0, 1))[[0, 2]], body.joints["left_ankle"][20, [0, 2]])
    still, slides = stands(sliding(body), contacts, 20)
    assert len(still) == 0 and len(slides) == 8 + 4 * (len(motion) - 1)
    tips = {f"{side}_foot": body.joints[f"{side}_foot"] for side in ("left", "right")}
    still, slides = stands(replace(sliding(body), tips=tips), contacts, 20)
    assert len(still) == 4, "toes that stand on their tips do not slide"
    line = np.diff(ticks(body, 20), axis=1)[:, 0]
    other = np.diff(ticks(twisted(body), 20), axis=1)[:, 0]
    turned = np.degrees(np.arccos(np.clip(np.sum(line * other, axis=-1) / 0.15**2, -1.0, 1.0)))
    at = [slot for slot, *_ in TICKS].index("left_thigh")
    assert turned[at] == pytest.approx(100.0) and np.delete(turned, at) == pytest.approx(0.0, abs=1e-4)


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
