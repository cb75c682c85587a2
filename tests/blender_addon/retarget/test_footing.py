# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet of bodies with other proportions stand still without legs that turn, on rigs made of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, T_POSE, angles_between, body, into_motion_axes, play
from tests.blender_addon.support.walker import walk

from videomdm.motion import Motion
from videomdm_blender.certify.battery import BATTERY
from videomdm_blender.retarget import Mapping, Options, RigRest, Take, retarget
from videomdm_blender.retarget.cleanup import P99, QUIET
from videomdm_blender.retarget.slots import SIDES

AUTO = Options(contact="auto")
LEGS = ("thigh", "shin", "foot", "toe")


def stubby(joint: str) -> float:
    """Wide hips, high ankles, a long sole: a toy's."""
    return {"hip": 1.9, "knee": 0.9, "ankle": 1.05, "foot": 1.35}.get(joint.split("_")[-1], 1.0)


def lean(joint: str) -> float:
    """Narrow hips, long shins and short feet."""
    return {"hip": 0.7, "knee": 0.92, "ankle": 1.1, "foot": 0.8}.get(joint.split("_")[-1], 1.0)


RIGS: dict[str, dict[str, Any]] = {
    "stubby": {"pose": A_POSE, "proportions": stubby},
    "lean, straight legs at rest": {"pose": T_POSE, "proportions": lean},
}


@pytest.fixture(scope="module", params=RIGS)
def rig(request: pytest.FixtureRequest) -> tuple[RigRest, Mapping]:
    return body(**RIGS[request.param])


def legs(rest: RigRest, mapping: Mapping, take: Take) -> dict[str, np.ndarray]:
    """Part -> (2, T, 3) where it begins, in the motion's axes and size."""
    heads, _ = play(rest, take)
    return {
        part: np.stack([into_motion_axes(heads[mapping.first(f"{side}_{part}")]) for side in SIDES])
        / take.scale
        for part in LEGS
    }


def turned(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> np.ndarray:
    """Degrees by which thighs and shins point elsewhere, and of as many arms that do not."""
    errors = [
        angles_between(before[end] - before[start], after[end] - after[start])
        for start, end in (("thigh", "shin"), ("shin", "foot"))
    ]
    return np.concatenate([np.ravel(errors), np.zeros(np.size(errors))])


@pytest.mark.parametrize("name", ["walk", "turn", "squat", "jump"])
def test_feet_stand_and_legs_do_not_turn(rig: tuple[RigRest, Mapping], name: str) -> None:
    """The bars of the certificate, by the battery's own contacts, with default options."""
    motion = BATTERY[name]()
    takes = [retarget(motion, *rig, options) for options in (None, AUTO)]
    before, after = (legs(*rig, take) for take in takes)
    assert takes[1].contact is not None and takes[1].contact.kept, takes[1].contact
    slides, skates = [], []
    for channel, (side, part) in enumerate((side, part) for side in range(2) for part in ("foot", "toe")):
        planted = motion.contacts[1:, channel] & motion.contacts[:-1, channel]
        for places, found in ((after, slides), (before, skates)):
            steps = np.linalg.norm(np.diff(places[part][side][:, [0, 2]], axis=0), axis=-1)
            found.append(1e3 * steps[planted])
    assert np.percentile(np.concatenate(skates), 95) > 2.0, "there was something to do"
    assert np.percentile(np.concatenate(slides), 95) < 0.1
    angles = turned(before, after)
    assert np.percentile(angles, 99) < P99 and np.median(angles) < 0.5
    ways = [(places["thigh"].mean(axis=0))[:, [0, 2]] for places in (before, after)]
    assert np.linalg.norm((ways[0] - ways[0][0]) - (ways[1] - ways[1][0]), axis=-1).max() < 0.06


def test_while_one_foot_stands_no_leg_turns(rig: tuple[RigRest, Mapping]) -> None:
    """Then the body alone can keep the foot in place."""
    motion = BATTERY["walk"]()
    before, after = (legs(*rig, retarget(motion, *rig, options)) for options in (None, AUTO))
    flat = motion.contacts[:, [0, 2]].T
    alone = flat & ~motion.contacts[:, [3, 1]].T
    alone[:, 1:-1] &= alone[:, 2:] & alone[:, :-2]
    for start, end in (("thigh", "shin"), ("shin", "foot")):
        angles = angles_between(before[end] - before[start], after[end] - after[start])
        assert np.median(angles[alone]) < 0.15


def test_a_heel_that_is_up_is_pitched_instead_of_turning_the_leg(rig: tuple[RigRest, Mapping]) -> None:
    """Where the toes alone stand the foot's slope is free, and the ball stays on the floor under it."""
    motion = BATTERY["walk"]()
    before, after = (legs(*rig, retarget(motion, *rig, options)) for options in (None, AUTO))
    rolls = motion.contacts[:, [1, 3]].T & ~motion.contacts[:, [0, 2]].T
    change = angles_between(before["toe"] - before["foot"], after["toe"] - after["foot"])
    assert change[rolls].max() > 1.0
    rise = after["toe"][..., 1] - np.median(after["toe"][..., 1][motion.contacts[:, [1, 3]].T])
    assert rise[rolls].min() > -0.002 and np.percentile(rise[rolls], 90) < 0.03


def trembling(size: float) -> Motion:
    """A walk whose joints tremble by ``size`` metres."""
    walk = BATTERY["walk"]()
    noise = np.random.default_rng(3).normal(scale=size, size=walk.positions.shape)
    return Motion((walk.positions + noise).astype(np.float32), walk.fps, walk.contacts)


@pytest.mark.parametrize("size", [0.0, 0.004, 0.02])
def test_nothing_becomes_worse_however_bad_the_motion(rig: tuple[RigRest, Mapping], size: float) -> None:
    report = retarget(trembling(size), *rig, AUTO).contact
    assert report is not None and report.before is not None and report.after is not None
    if size < 0.02:
        assert report.kept, report
    if report.kept:
        assert report.after.slide < 0.5 * report.before.slide
        assert report.after.gap <= report.before.gap
        assert report.after.penetration <= max(report.before.penetration, 0.5)
        assert report.after.jerk <= np.hypot(report.before.jerk, QUIET)
        assert report.direction[0] < 0.5 and report.direction[1] < P99


def test_feet_that_would_turn_legs_too_far_go_part_of_the_way_and_sink_less() -> None:
    """A motion whose feet tremble by centimetres: what cannot stand slides less and sinks less."""
    rest, mapping = body(A_POSE)
    walk = BATTERY["squat"]()
    noise = np.random.default_rng(5).normal(scale=0.012, size=(len(walk), 4, 3))
    positions = walk.positions.astype(float)
    positions[:, [7, 8, 10, 11]] += noise
    report = retarget(Motion(positions, walk.fps, walk.contacts), rest, mapping, AUTO).contact
    assert report is not None and report.before is not None and report.after is not None
    assert report.after.slide < 0.7 * report.before.slide
    assert report.after.penetration < 0.5 * report.before.penetration
    assert report.direction[1] < P99


def drifting(speed: float) -> Motion:
    """Two seconds of standing on feet that drift apart, and back, by ``speed`` metres a second each."""
    still = BATTERY["squat"]().positions[:1].astype(float)
    away = speed * (1.0 - np.abs(np.arange(40) / 20.0 - 1.0))[:, None]
    positions = np.repeat(still, 40, axis=0)
    for sign, joints in ((1.0, (4, 7, 10)), (-1.0, (5, 8, 11))):
        for joint in joints:
            positions[:, joint, [0]] += sign * away * (0.5 if joint < 6 else 1.0)
    return Motion(positions, 20.0, np.ones((40, 4), bool))


def test_feet_that_drift_apart_creep_instead_of_turning_legs_too_far() -> None:
    rig = body(A_POSE)
    report = retarget(drifting(0.06), *rig, AUTO).contact
    assert report is not None and report.before is not None and report.after is not None
    assert report.kept, report
    assert report.before.slide > 2.5 and report.after.slide < 2.0
    assert report.direction[0] < 0.5 and report.direction[1] < P99
    always = retarget(drifting(0.06), *rig, Options(contact=True)).contact
    assert always is not None and always.after is not None
    assert always.after.slide < 0.1 and always.direction[1] > P99


def test_a_walk_whose_feet_slide_a_little_keeps_more_of_its_way() -> None:
    """The legs make up for a few centimetres of each stand; the feet stand all the same."""
    rig = body(A_POSE)
    reports = [retarget(walk(slide=slide).motion, *rig, AUTO).contact for slide in (0.0, 0.04)]
    ways = [report.travel for report in reports if report is not None]
    assert reports[1] is not None and reports[1].after is not None
    assert reports[1].kept and reports[1].after.slide < 0.5 and reports[1].direction[1] < P99
    slid = ways[1][0] - ways[0][0]
    assert slid > 0.15 and ways[1][1] - ways[0][1] > 0.5 * slid


def shuffling(jump: float) -> Motion:
    """Five seconds on feet that jump away from each other every fifth of a second, and back, ``jump`` metres each."""
    count = 100
    positions = np.repeat(BATTERY["squat"]().positions[:1].astype(float), count, axis=0)
    away = jump * (np.arange(count) // 4)
    away = np.minimum(away, away[::-1])[:, None]
    for sign, joints in ((1.0, (4, 7, 10)), (-1.0, (5, 8, 11))):
        for joint in joints:
            positions[:, joint, [2]] += sign * away * (0.5 if joint < 6 else 1.0)
    return Motion(positions, 20.0, np.ones((count, 4), bool))


@pytest.mark.parametrize("jump", [0.006, 0.01])
def test_feet_that_disagree_too_far_stand_and_take_a_few_steps(jump: float) -> None:
    """As feet of generated motions do: they do not slide in between, and step no faster than feet go."""
    rest, mapping = body(A_POSE)
    motion = shuffling(jump)
    before, take = (retarget(motion, rest, mapping, options) for options in (None, AUTO))
    report = take.contact
    assert report is not None and report.before is not None and report.after is not None
    assert report.kept and report.direction[1] < P99, report
    assert report.after.slide < 0.3 * report.before.slide and report.after.gap <= report.before.gap
    moves = [
        np.linalg.norm(np.diff(places["toe"][..., [0, 2]], axis=1), axis=-1)
        for places in (legs(rest, mapping, one) for one in (before, take))
    ]
    assert np.mean(moves[1] > 0.003) < 0.06 < 0.2 < np.mean(moves[0] > 0.003)
    assert moves[1].max() < 0.075


def test_a_long_walk_is_planted_as_well_as_a_short_one() -> None:
    """The slide of all its steps adds up to many metres, which no stand is to feel."""
    for seconds in (8.0, 60.0):
        report = retarget(walk(seconds, slide=0.25, tremble=0.003).motion, *body(A_POSE), AUTO).contact
        assert report is not None and report.kept and report.after is not None, report
        assert report.after.slide < 0.1 and report.after.gap < 0.5 and report.after.penetration < 0.5
        assert report.direction[1] < P99
