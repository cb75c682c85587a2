# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs made of numbers, for tests without Blender: any rest pose, any bone roll, any axes and unit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from tests.support.actor import OFFSETS

from videomdm.motion import kinematics, rotations
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS
from videomdm_blender.retarget import Mapping as Slots
from videomdm_blender.retarget import RigRest, Take
from videomdm_blender.retarget.slots import SIDES

# Joint of the motion's body at which each slot begins.
STARTS = {
    "hips": "pelvis",
    "neck": "neck",
    "head": "head",
    **{
        f"{side}_{slot}": f"{side}_{joint}"
        for side in SIDES
        for slot, joint in {
            "collar": "collar", "upper_arm": "shoulder", "forearm": "elbow", "hand": "wrist",
            "thigh": "hip", "shin": "knee", "foot": "ankle", "toe": "foot",
        }.items()
    },
}  # fmt: skip
T_POSE: Mapping[str, tuple[float, float, float]] = {}
A_POSE = {"left_shoulder": (0.0, 0.0, -50.0), "right_shoulder": (0.0, 0.0, 50.0)}
RELAXED = {
    "left_shoulder": (5.0, 0.0, -72.0),
    "right_shoulder": (5.0, 0.0, 72.0),
    "left_elbow": (0.0, -25.0, 0.0),
    "right_elbow": (0.0, 25.0, 0.0),
    "left_hip": (-4.0, 0.0, 8.0),
    "right_hip": (-4.0, 0.0, -8.0),
    "left_knee": (9.0, 0.0, 0.0),
    "right_knee": (9.0, 0.0, 0.0),
}
Z_UP = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.array(np.pi / 2))


def body(
    pose: Mapping[str, tuple[float, float, float]] = T_POSE,
    *,
    spine: int = 3,
    twist: bool = False,
    axes: np.ndarray = Z_UP,
    unit: float = 1.0,
    proportions: Callable[[str], float] = lambda joint: 1.0,
    name: Callable[[str], str] = str,
) -> tuple[RigRest, Slots]:
    """A rig in the shape of the motion's body, with its true mapping.

    pose:        joint -> Euler angles (degrees, X then Y then Z about fixed axes) of the rest pose.
    spine:       number of spine bones.
    twist:       limbs have a second bone in each half.
    axes:        rotation from the motion's axes to those of the armature.
    unit:        armature units in a metre.
    proportions: joint -> length of the bone that ends there, relative to the motion's body.
    name:        slot and number -> bone name.
    """
    rest, _ = _pose(pose, proportions)
    places: dict[str, list[np.ndarray]] = {
        slot: [rest[JOINT_NAMES.index(joint)]] for slot, joint in STARTS.items()
    }
    hips, neck = places["hips"][0], places["neck"][0]
    places["spine"] = [hips + (neck - hips) * (i + 1) / (spine + 1) for i in range(spine)]
    if twist:
        for side in SIDES:
            for slot, after in (
                ("upper_arm", "forearm"),
                ("forearm", "hand"),
                ("thigh", "shin"),
                ("shin", "foot"),
            ):
                first, end = places[f"{side}_{slot}"][0], places[f"{side}_{after}"][0]
                places[f"{side}_{slot}"].append((first + end) / 2)
    parents = {"spine": "hips", "neck": "spine", "head": "neck"}
    for side in SIDES:
        for chain in (
            ("spine", "collar", "upper_arm", "forearm", "hand"),
            ("hips", "thigh", "shin", "foot", "toe"),
        ):
            for parent, slot in pairwise(chain):
                parents[f"{side}_{slot}"] = parent if parent in ("spine", "hips") else f"{side}_{parent}"
    order = ["hips", "spine", "neck", "head", *(slot for slot in STARTS if slot[:4] in ("left", "righ"))]
    names: list[str] = []
    heads: list[np.ndarray] = []
    indices: list[int] = []
    slots: dict[str, tuple[str, ...]] = {}
    for slot in order:
        chain = [name(f"{slot}.{i}") for i in range(len(places[slot]))]
        for i, head in enumerate(places[slot]):
            if i:
                indices.append(len(names) - 1)
            else:
                indices.append(names.index(slots[parents[slot]][-1]) if slot in parents else -1)
            names.append(chain[i])
            heads.append(head)
        slots[slot] = tuple(chain)
    heads_array = rotations.rotate(np.broadcast_to(axes, (len(heads), 4)), np.array(heads)) * unit
    tails = heads_array.copy()
    for index, parent in enumerate(indices):
        if parent >= 0:
            tails[parent] = heads_array[index]
    leaves = [i for i in range(len(names)) if i not in indices]
    tails[leaves] = heads_array[leaves] + 0.1 * unit * rotations.rotate(axes, np.array([0.0, 0.3, 1.0]))
    count = len(names)
    rolls = [np.random.default_rng(zlib.crc32(bone.encode())).normal(size=4) for bone in names]
    return (
        RigRest(
            names=tuple(names),
            parents=tuple(indices),
            heads=heads_array,
            tails=tails,
            rotations=rotations.normalise(np.array(rolls)),
            pose=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
            inherits=np.ones(count, bool),
            local_location=np.ones(count, bool),
            connected=np.zeros(count, bool),
            up=np.round(rotations.rotate(axes, np.array([0.0, 1.0, 0.0]))),
            front=np.round(rotations.rotate(axes, np.array([0.0, 0.0, 1.0]))),
        ),
        Slots(slots, "test"),
    )


def _pose(
    pose: Mapping[str, tuple[float, float, float]], proportions: Callable[[str], float]
) -> tuple[np.ndarray, np.ndarray]:
    local = np.zeros((22, 4))
    local[:, 0] = 1.0
    for joint, (x, y, z) in pose.items():
        local[JOINT_NAMES.index(joint)] = rotations.from_euler(np.radians(np.array([z, y, x])), "ZYX")
    lengths = np.array([proportions(joint) for joint in JOINT_NAMES])
    positions, world = kinematics.forward(PARENTS, local, OFFSETS * lengths[:, None])
    return positions, world


def play(rest: RigRest, take: Take) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Bone heads (T, 3) in armature space, and turns (T, 4) against the rest pose, as Blender would have them."""
    frames = len(take.location)
    heads: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for index, (name, parent) in enumerate(zip(rest.names, rest.parents, strict=True)):
        at_rest = np.broadcast_to(rest.rotations[index], (frames, 4))
        if parent >= 0:
            carrier = turns[rest.names[parent]]
            offset = np.broadcast_to(rest.heads[index] - rest.heads[parent], (frames, 3))
            head = heads[rest.names[parent]] + rotations.rotate(carrier, offset)
        else:
            carrier = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), (frames, 4))
            head = np.broadcast_to(rest.heads[index], (frames, 3))
        if not rest.inherits[index]:
            carrier = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), (frames, 4))
        posed = rotations.multiply(carrier, at_rest)
        if name == take.root:
            head = head + rotations.rotate(posed, take.location)
        basis = np.broadcast_to(rest.pose[index], (frames, 4))
        if name in take.bones:
            basis = take.rotations[:, take.bones.index(name)]
        heads[name] = head
        turns[name] = rotations.multiply(rotations.multiply(posed, basis), rotations.conjugate(at_rest))
    return heads, turns


def into_motion_axes(vectors: np.ndarray, axes: np.ndarray = Z_UP) -> np.ndarray:
    """Vectors (..., 3) of the armature in the axes of the motion."""
    inverse = np.broadcast_to(rotations.conjugate(axes), (*vectors.shape[:-1], 4))
    return rotations.rotate(inverse, vectors)


def angles_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees (...) between directions (..., 3)."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, axis=-1)))
