# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet on rigs made of numbers: they stay, nothing stretches, flips or pops, and worse is never kept."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.rigs import (
    A_POSE,
    RELAXED,
    T_POSE,
    Z_UP,
    angles_between,
    body,
    into_motion_axes,
    play,
)
from tests.blender_addon.support.walker import ANKLE, TOE, Walk, walk

from videomdm.motion import Motion, rotations
from videomdm.motion.skeleton import JOINT_NAMES
from videomdm_blender.retarget import Mapping, Options, RigRest, Take, retarget
from videomdm_blender.retarget.cleanup import QUIET
from videomdm_blender.retarget.slots import SIDES

ON = Options(contact=True)
AUTO = Options(contact="auto")
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
LEGS = ("thigh", "shin", "foot", "toe")
RIGS: dict[str, dict[str, Any]] = {
    "T-pose": {"pose": T_POSE},
    "A-pose with twist bones": {"pose": A_POSE, "twist": True},
    "relaxed, centimetres, other axes": {"pose": RELAXED, "axes": IDENTITY, "unit": 100.0},
    "short thighs, long feet": {
        "pose": A_POSE,
        "proportions": lambda joint: 0.85 if "knee" in joint else 1.2 if "foot" in joint else 1.0,
    },
}


@pytest.fixture(scope="module")
def skating() -> Walk:
    return walk(slide=0.25, tremble=0.003)


def middle_of_stands(stands: np.ndarray, margin: int = 3) -> np.ndarray:
    """(2, T) without the frames next to a step."""
    result = stands.copy()
    for shift in range(1, margin + 1):
        result[:, shift:] &= stands[:, :-shift]
        result[:, :-shift] &= stands[:, shift:]
    return result


def legs(rest: RigRest, mapping: Mapping, take: Take, options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Part -> (2, T, 3) where it begins, in the motion's axes and metres of the rig."""
    heads, _ = play(rest, take)
    axes = options.get("axes", Z_UP)
    return {
        part: np.stack([into_motion_axes(heads[mapping.first(f"{side}_{part}")], axes) for side in SIDES])
        / options.get("unit", 1.0)
        for part in LEGS
    }


def slides(places: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """Millimetres a frame that standing points (2, T, 3) move over the floor."""
    steps = np.linalg.norm(np.diff(places[..., [0, 2]], axis=1), axis=-1)
    return 1e3 * steps[stands[:, 1:] & stands[:, :-1]]


@pytest.mark.parametrize("name", RIGS)
def test_standing_feet_stay_where_they_are(skating: Walk, name: str) -> None:
    rest, mapping = body(**RIGS[name])
    stands = middle_of_stands(skating.stands)
    before = legs(rest, mapping, retarget(skating.motion, rest, mapping), RIGS[name])
    after = legs(rest, mapping, retarget(skating.motion, rest, mapping, ON), RIGS[name])
    for part in ("foot", "toe"):
        assert np.percentile(slides(before[part], stands), 95) > 8
        assert np.percentile(slides(after[part], stands), 95) < 0.1
    at_rest = {
        part: into_motion_axes(rest.head(mapping.first(f"left_{part}")), RIGS[name].get("axes", Z_UP))[1]
        / RIGS[name].get("unit", 1.0)
        for part in ("foot", "toe")
    }
    for part in ("foot", "toe"):
        height = after[part][..., 1] - at_rest[part]
        assert np.abs(height[stands]).max() < 1e-3
        assert height.min() > -2e-3


@pytest.mark.parametrize("name", RIGS)
def test_nothing_stretches_and_no_knee_flips(skating: Walk, name: str) -> None:
    rest, mapping = body(**RIGS[name])
    after = legs(rest, mapping, retarget(skating.motion, rest, mapping, ON), RIGS[name])
    for start, end in (("thigh", "shin"), ("shin", "foot"), ("foot", "toe")):
        length = np.linalg.norm(after[end] - after[start], axis=-1)
        np.testing.assert_allclose(length, np.broadcast_to(length[:, :1], length.shape), rtol=1e-9)
    bend = np.cross(after["shin"] - after["thigh"], after["foot"] - after["shin"])[..., 0]
    assert bend.min() > 0  # it walks along +Z: knees bend about +X


@pytest.mark.parametrize("name", RIGS)
def test_nothing_pops(name: str) -> None:
    """Feet that slide without trembling: they come to rest and leave as softly as the motion's do."""
    motion = walk(slide=0.25).motion
    rest, mapping = body(**RIGS[name])
    takes = [retarget(motion, rest, mapping, options) for options in (None, ON)]
    turns = [rotations.angle_between(take.rotations[1:], take.rotations[:-1]) for take in takes]
    assert turns[1].max() < 1.4 * turns[0].max()
    places = [legs(rest, mapping, take, RIGS[name]) for take in takes]
    for part in ("shin", "foot", "toe"):
        jolt = [np.linalg.norm(np.diff(place[part], n=2, axis=1), axis=-1).max() for place in places]
        assert jolt[1] < 1.5 * jolt[0], part
    assert np.sum(takes[1].rotations[1:] * takes[1].rotations[:-1], axis=-1).min() > 0.9


def test_arms_and_torso_do_not_change(skating: Walk) -> None:
    rest, mapping = body(A_POSE)
    before, after = (retarget(skating.motion, rest, mapping, options) for options in (None, ON))
    moved = {bone for side in SIDES for part in LEGS for bone in mapping.chain(f"{side}_{part}")}
    same = [number for number, bone in enumerate(before.bones) if bone not in moved]
    np.testing.assert_array_equal(before.rotations[:, same], after.rotations[:, same])


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize(("slide", "tremble"), [(0.0, 0.0), (0.25, 0.0), (0.25, 0.003), (0.0, 0.006)])
def test_what_is_kept_is_better_by_every_measure(name: str, slide: float, tremble: float) -> None:
    rest, mapping = body(**RIGS[name])
    motion = walk(slide=slide, tremble=tremble).motion
    take = retarget(motion, rest, mapping, AUTO)
    report = take.contact
    assert report is not None
    if not report.kept:
        assert report.reason
        plain = retarget(motion, rest, mapping)
        assert take.rotations.tobytes() == plain.rotations.tobytes()
        assert take.location.tobytes() == plain.location.tobytes()
        return
    assert report.before is not None and report.after is not None and report.stands > 0
    assert report.after.slide <= report.before.slide
    assert report.after.gap <= report.before.gap
    assert report.after.penetration <= max(report.before.penetration, 0.5)
    assert report.after.jerk <= np.hypot(report.before.jerk, QUIET)
    assert report.direction[0] < 0.5 and report.direction[1] < 2.0
    heads, _ = play(rest, take)
    plain_heads, _ = play(rest, retarget(motion, rest, mapping))
    errors = [
        angles_between(
            heads[mapping.first(f"{side}_{end}")] - heads[mapping.first(f"{side}_{start}")],
            plain_heads[mapping.first(f"{side}_{end}")] - plain_heads[mapping.first(f"{side}_{start}")],
        )
        for side in SIDES
        for start, end in (
            ("thigh", "shin"),
            ("shin", "foot"),
            ("upper_arm", "forearm"),
            ("forearm", "hand"),
        )
    ]
    assert np.median(errors) < 0.5 and np.percentile(errors, 99) < 2.0


def test_skating_is_cleaned_up_by_itself(skating: Walk) -> None:
    rest, mapping = body(A_POSE)
    report = retarget(skating.motion, rest, mapping, AUTO).contact
    assert report is not None and report.kept
    assert report.before is not None and report.before.slide > 8
    assert report.after is not None and report.after.slide < 2
    assert report.travel[1] < report.travel[0] - 0.5  # the steps go less far than the slide made it look
    assert "cleaned up" in str(report)


@pytest.mark.parametrize(
    ("motion", "options", "reason"),
    [
        (lambda: walk(0.05).motion, AUTO, "too short"),
        (lambda: walk(0.05).motion, ON, "too short"),
        (lambda: Motion(np.repeat(walk(1.2).motion.positions[10:11], 40, axis=0), 20.0), AUTO, "nothing to"),
    ],
)
def test_what_cannot_be_cleaned_up_stays_as_it_is(
    motion: Callable[[], Motion], options: Options, reason: str
) -> None:
    rest, mapping = body()
    take = retarget(motion(), rest, mapping, options)
    assert take.contact is not None and not take.contact.kept and reason in str(take.contact)
    plain = retarget(motion(), rest, mapping, replace(options, contact=False))
    assert take.rotations.tobytes() == plain.rotations.tobytes() and plain.contact is None


def test_the_body_goes_the_motion_s_way_where_its_feet_do_not_slide() -> None:
    """On a rig of other proportions standing feet would slide; step by step that must not add up."""
    motion = walk(9.6).motion
    rest, mapping = body(**RIGS["short thighs, long feet"])
    takes = [retarget(motion, rest, mapping, options) for options in (None, ON)]
    hips = [into_motion_axes(play(rest, take)[0][mapping.first("hips")]) for take in takes]
    assert np.linalg.norm((hips[1] - hips[0])[:, [0, 2]], axis=-1).max() < 0.03


def test_a_raised_heel_rolls_about_the_toes() -> None:
    """The body sways forward over the toes: ankles rise, toes stay and lie flat."""
    still = walk(1.2).motion.positions[10].astype(float)
    count = 60
    positions = np.repeat(still[None], count, axis=0)
    angle = 0.5 * np.sin(np.linspace(0, np.pi, count)) ** 2
    for side in SIDES:
        hip, knee, ankle, toe = (JOINT_NAMES.index(f"{side}_{n}") for n in ("hip", "knee", "ankle", "foot"))
        positions[:, [knee, ankle, toe]] = still[[knee, ankle, toe]] * (1.0, 1.0, 0.0)
        positions[:, hip, 2] = positions[:, ankle, 2]
        sole = np.array([0.0, TOE - ANKLE, 0.13])
        turned = rotations.rotate(
            rotations.from_axis_angle(np.tile([1.0, 0.0, 0.0], (count, 1)), angle), np.tile(sole, (count, 1))
        )
        positions[:, ankle, 1] = ANKLE
        positions[:, toe] = positions[:, ankle] + sole
        lift = positions[:, toe] - turned - positions[:, ankle]
        rest_of_leg = [index for index in range(22) if index != toe]
        if side == "left":
            positions[:, [i for i in rest_of_leg if "right" not in JOINT_NAMES[i]]] += lift[:, None]
        else:
            positions[:, [knee, ankle, hip]] += lift[:, None]
    motion = Motion(positions, 30.0, np.ones((count, 4), bool))
    rest, mapping = body(A_POSE)
    after = legs(rest, mapping, retarget(motion, rest, mapping, ON), {})
    assert np.ptp(after["foot"][..., 1], axis=1).min() > 0.03
    assert np.abs(after["toe"] - after["toe"][:, :1]).max() < 2e-3


def test_two_runs_are_bit_identical(skating: Walk) -> None:
    rest, mapping = body(A_POSE)
    one, two = (retarget(skating.motion, rest, mapping, ON) for _ in range(2))
    assert one.rotations.tobytes() == two.rotations.tobytes()
    assert one.location.tobytes() == two.location.tobytes()


def test_memory_grows_with_the_frames_only() -> None:
    rest, mapping = body(A_POSE)
    peaks = []
    for seconds in (12.0, 48.0):
        motion = walk(seconds, slide=0.2).motion
        tracemalloc.start()
        retarget(motion, rest, mapping, ON)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4.6 * peaks[0]


def test_who_lies_on_the_floor_is_not_lifted_off_it() -> None:
    """Ankles of one who lies are lower than those of flat feet; that is no reason to raise the body."""
    still = walk(1.2).motion.positions[10].astype(float)
    lying = still[:, [0, 2, 1]] * (1.0, 1.0, -1.0)  # on the back, head to -Z
    lying[:, 1] += 0.03 - lying[[JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")], 1].min()
    motion = Motion(np.repeat(lying[None], 40, axis=0), 30.0, np.zeros((40, 4), bool))
    rest, mapping = body(A_POSE)
    plain, cleaned = (retarget(motion, rest, mapping, options) for options in (None, ON))
    np.testing.assert_allclose(cleaned.location, plain.location, atol=1e-9)
