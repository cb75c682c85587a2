# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver on rigs made of numbers: directions, twist, travel, height, continuity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
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
from tests.support.actor import joint, perform

from videomdm.motion import Motion, rotations
from videomdm.motion.skeleton import JOINT_NAMES
from videomdm_blender.retarget import Carrier, retarget

LIMBS = {
    f"{side}_{slot}": (f"{side}_{start}", f"{side}_{end}", f"{side}_{following}")
    for side in ("left", "right")
    for slot, start, end, following in (
        ("upper_arm", "shoulder", "elbow", "forearm"),
        ("forearm", "elbow", "wrist", "hand"),
        ("thigh", "hip", "knee", "shin"),
        ("shin", "knee", "ankle", "foot"),
    )
}
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
QUARTER = rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array(np.pi / 2))


@pytest.fixture(scope="module")
def actor() -> Any:
    return perform()


@pytest.mark.parametrize(
    "options",
    [
        {"pose": T_POSE},
        {"pose": A_POSE},
        {"pose": RELAXED},
        {"pose": A_POSE, "axes": IDENTITY, "unit": 100.0},
        {"pose": T_POSE, "axes": rotations.multiply(Z_UP, QUARTER)},
        {"pose": RELAXED, "axes": rotations.multiply(Z_UP, rotations.multiply(QUARTER, QUARTER))},
        {"pose": A_POSE, "spine": 1, "twist": True},
        {"pose": A_POSE, "proportions": lambda joint: 0.7 if "knee" in joint or "elbow" in joint else 1.2},
    ],
)
def test_limbs_take_the_directions_of_the_motion(actor: Any, options: dict[str, Any]) -> None:
    rest, mapping = body(**options)
    heads, _ = play(rest, retarget(actor.motion, rest, mapping))
    for slot, (start, end, following) in LIMBS.items():
        bone = heads[mapping.first(following)] - heads[mapping.first(slot)]
        wanted = joint(actor.motion, end) - joint(actor.motion, start)
        error = angles_between(into_motion_axes(bone, options.get("axes", Z_UP)), wanted)
        assert error.max() < 1e-3, slot


@pytest.mark.parametrize("pose", [T_POSE, A_POSE, RELAXED], ids=["T", "A", "relaxed"])
def test_the_whole_body_turns_as_the_actor_does(actor: Any, pose: Any) -> None:
    """Twist too: the turn of each bone is the actor's turn from the rig's rest pose."""
    rest, mapping = body(pose)
    _, turns = play(rest, retarget(actor.motion, rest, mapping))
    _, at_rest = _body_rotations(pose)
    for slot, name, limit in (
        ("hips", "pelvis", 0.1),
        ("spine", "spine3", 0.1),
        ("head", "neck", 0.1),
        ("left_upper_arm", "left_shoulder", 8.0),
        ("right_upper_arm", "right_shoulder", 8.0),
        ("right_forearm", "right_elbow", 8.0),
        ("left_hand", "left_elbow", 8.0),
        ("left_thigh", "left_hip", 5.0),
        ("right_shin", "right_knee", 5.0),
        ("left_foot", "left_ankle", 22.0),  # positions do not tell how a foot rolls, nor when it is flat
    ):
        index = JOINT_NAMES.index(name)
        wanted = rotations.multiply(
            actor.world[:, index],
            np.broadcast_to(rotations.conjugate(at_rest[index]), (len(actor.motion), 4)),
        )
        turn = turns[mapping.chain(slot)[-1]]
        in_axes = rotations.multiply(
            rotations.multiply(np.broadcast_to(rotations.conjugate(Z_UP), turn.shape), turn),
            np.broadcast_to(Z_UP, turn.shape),
        )
        assert np.degrees(rotations.angle_between(in_axes, wanted)).max() < limit, slot


def _body_rotations(pose: Any) -> tuple[np.ndarray, np.ndarray]:
    from tests.blender_addon.support.rigs import _pose

    return _pose(pose, lambda joint: 1.0)


@pytest.mark.parametrize("count", range(1, 7))
def test_spine_bones_share_the_bend(actor: Any, count: int) -> None:
    rest, mapping = body(spine=count)
    _, turns = play(rest, retarget(actor.motion, rest, mapping))
    chain = [turns[bone] for bone in (mapping.first("hips"), *mapping.chain("spine"))]
    steps = [rotations.angle_between(a, b) for a, b in pairwise(chain)]
    whole = rotations.angle_between(chain[0], chain[-1])
    for step in steps:
        np.testing.assert_allclose(step, whole / count, atol=1e-6)


def test_twist_bones_share_the_twist() -> None:
    """An upper arm that turns about itself twists its first half half as far."""
    still = perform(1.0, turns=0.0).motion.positions[:1].astype(float)
    shoulder, elbow, wrist = (JOINT_NAMES.index(f"left_{name}") for name in ("shoulder", "elbow", "wrist"))
    angles = np.linspace(0, np.radians(60), 30)
    positions = np.repeat(still, len(angles), axis=0)
    axis = positions[0, elbow] - positions[0, shoulder]
    turn = rotations.from_axis_angle(np.broadcast_to(axis / np.linalg.norm(axis), (len(angles), 3)), angles)
    positions[:, wrist] = positions[:, elbow] + rotations.rotate(
        turn, positions[:, wrist] - positions[:, elbow]
    )
    rest, mapping = body(A_POSE, twist=True)
    take = retarget(Motion(positions, 20.0), rest, mapping)
    _, turns = play(rest, take)
    first, second = (turns[bone] for bone in mapping.chain("left_upper_arm"))
    half = np.degrees(rotations.angle_between(first[:1], first[-1:]))[0]
    whole = np.degrees(rotations.angle_between(second[:1], second[-1:]))[0]
    assert whole == pytest.approx(60, abs=2)
    assert half == pytest.approx(whole / 2, abs=0.1)


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_travel_is_in_proportion_to_the_legs(unit: float) -> None:
    motion = perform(turns=0.0).motion
    rest, mapping = body(unit=unit, proportions=lambda joint: 0.5)
    take = retarget(motion, rest, mapping)
    heads, _ = play(rest, take)
    hips = into_motion_axes(heads[mapping.first("hips")])
    travel = joint(motion, "pelvis")[-1] - joint(motion, "pelvis")[0]
    assert take.scale == pytest.approx(0.5 * unit)
    np.testing.assert_allclose((hips[-1] - hips[0])[[0, 2]], 0.5 * unit * travel[[0, 2]], atol=0.01 * unit)


@pytest.mark.parametrize(
    "proportions",
    [
        lambda joint: 1.0,
        lambda joint: 0.6 if "knee" in joint else 1.3,
        lambda joint: 2.0 if "foot" in joint else 1.0,
    ],
)
def test_feet_stand_on_the_floor_of_the_rest_pose(proportions: Callable[[str], float]) -> None:
    motion = perform().motion
    rest, mapping = body(A_POSE, proportions=proportions)
    heads, _ = play(rest, retarget(motion, rest, mapping))
    toes = [mapping.first(f"{side}_toe") for side in ("left", "right")]
    heights = np.stack(
        [into_motion_axes(heads[toe])[:, 1] - into_motion_axes(rest.head(toe))[1] for toe in toes]
    )
    assert np.abs(heights.min(axis=0)).max() < 0.03


def test_rotations_are_continuous_over_several_turns() -> None:
    motion = perform(8.0, turns=3.0).motion
    rest, mapping = body(RELAXED)
    take = retarget(motion, rest, mapping)
    assert np.allclose(np.linalg.norm(take.rotations, axis=-1), 1.0)
    assert np.sum(take.rotations[1:] * take.rotations[:-1], axis=-1).min() > 0.9


def test_a_straight_arm_that_swings_does_not_flip() -> None:
    """The elbow opens, passes through straight and closes again while the arm swings: no jump of the twist."""
    still = perform(1.0, turns=0.0).motion.positions[:1].astype(float)
    shoulder, elbow, wrist = (JOINT_NAMES.index(f"right_{name}") for name in ("shoulder", "elbow", "wrist"))
    frames = 80
    positions = np.repeat(still, frames, axis=0)
    noise = np.random.default_rng(0).normal(scale=0.002, size=(frames, 3))
    lift = np.linspace(-1.4, 1.2, frames)
    upper = np.stack([-np.cos(lift), np.sin(lift), np.zeros(frames)], axis=-1)
    bend = np.abs(np.linspace(-0.9, 0.9, frames)) ** 2
    axis = np.cross(upper, [0.0, 0.0, 1.0])
    lower = rotations.rotate(rotations.from_axis_angle(axis, bend), upper)
    positions[:, elbow] = positions[:, shoulder] + 0.26 * upper
    positions[:, wrist] = positions[:, elbow] + 0.26 * lower + noise
    rest, mapping = body(A_POSE)
    take = retarget(Motion(positions, 20.0), rest, mapping)
    arm = take.rotations[:, take.bones.index(mapping.first("right_upper_arm"))]
    assert np.degrees(rotations.angle_between(arm[1:], arm[:-1])).max() < 12


def test_unmapped_bones_between_are_counted_in() -> None:
    """A helper bone in the arm that stands turned: the forearm still points where the motion's does."""
    motion = perform().motion
    rest, mapping = body(A_POSE, twist=True)
    helper = mapping.chain("left_upper_arm")[1]
    slots = dict(mapping.slots) | {"left_upper_arm": mapping.chain("left_upper_arm")[:1]}
    pose = rest.pose.copy()
    pose[rest.index(helper)] = rotations.from_axis_angle(
        rotations.normalise(np.array([1.0, 2.0, 3.0])), np.array(0.4)
    )
    rest = replace(rest, pose=pose)
    mapping = replace(mapping, slots=slots)
    heads, _ = play(rest, retarget(motion, rest, mapping))
    bone = heads[mapping.first("left_hand")] - heads[mapping.first("left_forearm")]
    wanted = joint(motion, "left_wrist") - joint(motion, "left_elbow")
    assert angles_between(into_motion_axes(bone), wanted).max() < 1e-3


def test_bones_that_do_not_inherit_rotation() -> None:
    motion = perform().motion
    rest, mapping = body(A_POSE)
    inherits = rest.inherits.copy()
    inherits[[rest.index(mapping.first(slot)) for slot in ("left_upper_arm", "right_shin", "head")]] = False
    rest = replace(rest, inherits=inherits)
    heads, _ = play(rest, retarget(motion, rest, mapping))
    for slot, (start, end, following) in LIMBS.items():
        bone = heads[mapping.first(following)] - heads[mapping.first(slot)]
        assert angles_between(into_motion_axes(bone), joint(motion, end) - joint(motion, start)).max() < 1e-3


def test_hips_fixed_to_a_root_bone_travel_with_it() -> None:
    motion = perform(turns=0.0).motion
    rest, mapping = body()
    count = len(rest.names)
    rest = replace(
        rest,
        names=("root", *rest.names),
        parents=(-1, *(parent + 1 for parent in rest.parents)),
        **{
            key: np.concatenate([value[:1], value])
            for key in ("heads", "tails", "rotations", "pose", "inherits", "local_location", "connected")
            if len(value := getattr(rest, key)) == count
        },
    )
    rest.connected[rest.index(mapping.first("hips"))] = True
    take = retarget(motion, rest, mapping)
    assert take.root == "root" and "root" not in take.bones
    heads, _ = play(rest, take)
    hips = into_motion_axes(heads[mapping.first("hips")])
    assert hips[-1, 2] - hips[0, 2] == pytest.approx(1.2 * 3.95, abs=0.05)


def test_carriers_replace_parents() -> None:
    """A control that keeps the armature's direction gets its whole turn; one that follows half, the rest."""
    motion = perform().motion
    rest, mapping = body()
    head, neck, hips = (mapping.chain(slot)[-1] for slot in ("head", "neck", "hips"))
    plain = retarget(motion, rest, mapping)
    _, turns = play(rest, plain)
    free = retarget(motion, rest, replace(mapping, carriers={head: Carrier(neck, "", 1.0)}))
    at_rest = rest.rotations[rest.index(head)]
    own = free.rotations[:, free.bones.index(head)]
    seen = rotations.multiply(np.broadcast_to(at_rest, own.shape), own)
    seen = rotations.multiply(seen, np.broadcast_to(rotations.conjugate(at_rest), own.shape))
    assert rotations.angle_between(seen, turns[head]).max() < 1e-6
    half = retarget(motion, rest, replace(mapping, carriers={head: Carrier(neck, hips, 0.5)}))
    assert not np.allclose(half.rotations, plain.rotations)


def test_two_runs_are_bit_identical() -> None:
    rest, mapping = body(A_POSE)
    one, two = (retarget(perform().motion, rest, mapping) for _ in range(2))
    assert one.rotations.tobytes() == two.rotations.tobytes()
    assert one.location.tobytes() == two.location.tobytes()


def test_a_single_frame_is_enough() -> None:
    rest, mapping = body(A_POSE)
    take = retarget(Motion(perform().motion.positions[:1], 20.0), rest, mapping)
    assert take.rotations.shape == (1, len(take.bones), 4)
    assert np.isfinite(take.rotations).all() and np.isfinite(take.location).all()


def test_a_rig_without_toes_hands_neck_and_collars() -> None:
    motion = perform().motion
    rest, mapping = body()
    wanted = {
        s: c for s, c in mapping.slots.items() if not s.endswith(("toe", "hand", "neck", "head", "collar"))
    }
    take = retarget(motion, rest, replace(mapping, slots=wanted))
    assert set(take.bones) == {bone for chain in wanted.values() for bone in chain}
    heads, _ = play(rest, take)
    bone = heads[mapping.first("left_shin")] - heads[mapping.first("left_thigh")]
    assert (
        angles_between(into_motion_axes(bone), joint(motion, "left_knee") - joint(motion, "left_hip")).max()
        < 1e-3
    )
