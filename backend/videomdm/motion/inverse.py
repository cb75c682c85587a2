# SPDX-License-Identifier: Apache-2.0
"""Joint rotations from joint positions: what export and retargeting need and positions leave open.

A bone's direction fixes two of a joint's three turns.  The third, the twist, is found from what else is
known:

* pelvis and chest carry three bones each, which fix the orientation (Kabsch's least squares);
* the spine between them shares out their difference;
* elbows and knees are hinges: the plane of the bent limb twists upper arm and thigh.  A limb that is nearly
  straight has no plane; then the foot tells for the leg, and the frames before and after for both;
* leaves (head, wrists, toes) go on from their parent.

The rest pose is a T-pose with the body's own bone lengths, facing +Z, palms down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import kinematics, rotations
from .skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS, Skeleton

# Bone directions of the rest pose: a T-pose of a person who stands upright, joints where SMPL has them (the
# foot joint on the outer half of the foot).
REST_DIRECTIONS = rotations.normalise(np.array([
    [0.0, 0.0, 0.0], [0.058, -0.085, -0.010], [-0.058, -0.085, -0.010], [0.0, 0.122, -0.042],
    [0.0, -1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.140, 0.020], [0.0, -1.0, 0.0], [0.0, -1.0, 0.0],
    [0.0, 0.055, 0.012], [0.028, -0.049, 0.130], [-0.028, -0.049, 0.130], [0.0, 0.215, -0.025],
    [0.073, 0.119, -0.015], [-0.073, 0.119, -0.015], [0.0, 0.088, 0.050], [0.116, -0.048, -0.015],
    [-0.116, -0.048, -0.015], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0],
]))  # fmt: skip

_JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}
_CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS) if parent == joint) for joint in range(JOINT_COUNT)
)

_TRUNK = (_JOINT["pelvis"], _JOINT["spine3"])  # each carries three bones, which fix how it is turned

# Joints whose place in the parent's frame is not fixed, because the parent carries several bones.
LOOSE_JOINTS = tuple(child for children in _CHILDREN if len(children) > 1 for child in children)

# Upper bone's joint, hinge, end, toe or None, and the axis about which the hinge bends the rest pose.
_LIMBS = tuple(
    (*(name and _JOINT[f"{side}_{name}"] for name in (upper, hinge, end, toe)), axis)
    for side, sign in (("left", -1.0), ("right", 1.0))
    for upper, hinge, end, toe, axis in (
        ("hip", "knee", "ankle", "foot", (1.0, 0.0, 0.0)),
        ("shoulder", "elbow", "wrist", None, (0.0, sign, 0.0)),
    )
)  # fmt: skip

# Trust in what tells the twist, relative to a hinge bent by a right angle (1).
_FOOT_WEIGHT = 0.05
_REST_WEIGHT = 1e-4
_SMOOTHNESS = 0.3  # resistance against a change of twist from frame to frame
_STRAIGHT = 0.1  # sine of the bend below which noise, not the joint, decides on the plane


@dataclass(frozen=True)
class JointRotations:
    """Rotations that put a rest skeleton into given positions.

    skeleton:     joint names, parents and rest offsets, metres.
    world:        (T, 22, 4) rotation from the rest pose, in the world; unit quaternions (w, x, y, z).
    local:        (T, 22, 4) the same relative to the parent.
    translations: (T, 22, 3) joint position in the parent's frame, of the root in the world; metres.
                  Equal to the skeleton's offsets but for the root and for ``LOOSE_JOINTS``, which keep what
                  is not rigid.
    """

    skeleton: Skeleton
    world: np.ndarray
    local: np.ndarray
    translations: np.ndarray

    def positions(self) -> np.ndarray:
        """(T, 22, 3) forward kinematics; the given positions, but for changes of bone length."""
        return kinematics.forward(PARENTS, self.local, self.translations)[0]


def joint_rotations(positions: np.ndarray) -> JointRotations:
    """Rotations of the 22 joints (``skeleton.JOINT_NAMES``) from their positions (T, 22, 3), metres, Y up.

    Bone lengths of the skeleton are medians over the clip.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (JOINT_COUNT, 3) or len(positions) == 0:
        raise ValueError(f"positions must be (T, 22, 3) with T > 0, not {positions.shape}")
    bones = positions - positions[:, np.maximum(np.array(PARENTS), 0)]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    offsets = REST_DIRECTIONS * lengths[:, None]
    world, offsets = _fit_trunk(bones, offsets)

    def swing(joint: int, child: int, guess: np.ndarray) -> np.ndarray:
        """``guess`` (T, 4), turned the shortest way so that the bone to ``child`` has its direction."""
        rest = np.broadcast_to(offsets[child], (*guess.shape[:-1], 3))
        return rotations.multiply(rotations.between(rotations.rotate(guess, rest), bones[:, child]), guess)

    pelvis, chest = _JOINT["pelvis"], _JOINT["spine3"]
    for joint, share in ((_JOINT["spine1"], 1 / 3), (_JOINT["spine2"], 2 / 3)):
        guess = rotations.slerp(world[pelvis], world[chest], np.full(len(positions), share))
        world[joint] = swing(joint, _CHILDREN[joint][0], guess)
    limbs = {limb[0]: limb for limb in _LIMBS}
    for joint, parent in enumerate(PARENTS):
        if joint in world:
            continue
        if not _CHILDREN[joint]:
            world[joint] = world[parent]
            continue
        child = _CHILDREN[joint][0]
        world[joint] = swing(joint, child, world[parent])
        if joint in limbs:
            twist = _limb_twist(limbs[joint], bones, world[joint])
            axis = rotations.normalise(bones[:, child])
            world[joint] = rotations.multiply(rotations.from_axis_angle(axis, twist), world[joint])
    everything = rotations.normalise(np.stack([world[joint] for joint in range(JOINT_COUNT)], axis=1))
    translations = np.broadcast_to(offsets, bones.shape).copy()
    translations[:, 0] = positions[:, 0]
    for joint in LOOSE_JOINTS:
        inverse = rotations.conjugate(everything[:, PARENTS[joint]])
        translations[:, joint] = rotations.rotate(inverse, bones[:, joint])
    return JointRotations(
        skeleton=Skeleton(JOINT_NAMES, PARENTS, offsets),
        world=everything,
        local=kinematics.to_local(PARENTS, everything),
        translations=translations,
    )


def trunk_rotations(positions: np.ndarray) -> np.ndarray:
    """(T, 3, 4) world rotations of pelvis, chest (``spine3``) and neck, as :func:`joint_rotations` finds them.

    positions: (T, 22, 3), metres, Y up.  For who needs no limbs: these are most of the work.
    """
    positions = np.asarray(positions, dtype=np.float64)
    joints = [child for parent in _TRUNK for child in _CHILDREN[parent]]
    bones = np.zeros_like(positions)
    bones[:, joints] = positions[:, joints] - positions[:, np.array(PARENTS)[joints]]
    world, _ = _fit_trunk(bones, REST_DIRECTIONS * np.median(np.linalg.norm(bones, axis=-1), axis=0)[:, None])
    neck, head = _JOINT["neck"], _JOINT["head"]
    chest = world[_JOINT["spine3"]]
    now = positions[:, head] - positions[:, neck]
    rest = rotations.rotate(chest, np.broadcast_to(REST_DIRECTIONS[head], now.shape))
    turned = rotations.multiply(rotations.between(rest, now), chest)
    return np.stack([world[_JOINT["pelvis"]], chest, turned], axis=1)


def _fit_trunk(bones: np.ndarray, offsets: np.ndarray) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """World rotations (T, 4) of pelvis and chest, and ``offsets`` (22, 3) with their children where they are."""
    children = np.array([_CHILDREN[joint] for joint in _TRUNK])
    turns, own = _fit(offsets[children][:, None], np.moveaxis(bones[:, children], 1, 0))
    offsets = offsets.copy()
    offsets[children] = own[:, 0]
    return dict(zip(_TRUNK, turns, strict=True)), offsets


def _fit(rest: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (..., T, 4) that take bones ``rest`` (..., 1, N, 3) to ``observed`` (..., T, N, 3), and the own.

    The first fit, to the general rest pose, shows how this body's bones lie to each other; the second fits
    those (Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976).
    """
    turn = _kabsch(rest, observed)
    inverse = np.broadcast_to(rotations.conjugate(turn)[..., None, :], (*observed.shape[:-1], 4))
    own = np.median(rotations.rotate(inverse, observed), axis=-3, keepdims=True)
    return _kabsch(own, observed), own


def _kabsch(rest: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Quaternions (..., T, 4) of the turns that bring ``rest`` (..., N, 3) nearest to ``observed`` (..., T, N, 3)."""
    covariance = np.swapaxes(observed, -1, -2) @ rest
    u, _, vt = np.linalg.svd(covariance)
    mirror = np.ones((*u.shape[:-2], 1, 3))
    mirror[..., 0, 2] = np.linalg.det(u) * np.linalg.det(vt)
    return rotations.from_matrix((u * mirror) @ vt)


def _limb_twist(limb: tuple[Any, ...], bones: np.ndarray, untwisted: np.ndarray) -> np.ndarray:
    """Angle (T,) about the upper bone that ``untwisted`` (T, 4) lacks for the hinge to bend in its plane."""
    _, hinge, end, toe, axis = limb
    upper, lower = rotations.normalise(bones[:, hinge]), rotations.normalise(bones[:, end])
    normal = np.cross(upper, lower)
    sine = np.linalg.norm(normal, axis=-1)
    observations = [(normal, np.clip(sine**2 - _STRAIGHT**2, 0.0, None))]
    if toe is not None:
        # the toes point to the outside in the rest pose, and turn the normal with them
        outward = np.arctan2(REST_DIRECTIONS[toe, 0], REST_DIRECTIONS[toe, 2])
        foot = np.cross(bones[:, toe], lower)
        back = rotations.from_axis_angle(lower, np.full(len(lower), outward))
        foot = rotations.rotate(back, foot)
        clear = np.linalg.norm(foot, axis=-1) > 0.5 * np.linalg.norm(bones[:, toe], axis=-1)
        # only a leg that is nearly straight is twisted as its foot is
        straight = np.clip(np.sum(upper * lower, axis=-1), 0.0, None) ** 2
        observations.append((foot, _FOOT_WEIGHT * straight * clear))
    zero = rotations.rotate(untwisted, np.broadcast_to(np.array(axis), upper.shape))
    quarter = np.cross(upper, zero)
    total = np.full(len(upper), _REST_WEIGHT)
    target = np.full(len(upper), _REST_WEIGHT, dtype=complex)
    for vector, weight in observations:
        angle = np.arctan2(np.sum(vector * quarter, axis=-1), np.sum(vector * zero, axis=-1))
        total += weight
        target += weight * np.exp(1j * angle)
    return np.angle(_smooth(target, total))


def _smooth(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Minimise the sum of weight |z - target / weight|^2 + smoothness |difference of z|^2 over complex z.

    Unit complex numbers stand for angles, so nothing wraps around.  The normal equations are tridiagonal and
    are solved by elimination from front to back.
    """
    T = len(target)
    diagonal = weight + _SMOOTHNESS * np.array([(t > 0) + (t < T - 1) for t in range(T)])
    ratio = np.zeros(T)
    right = np.array(target)
    for t in range(T):
        pivot = diagonal[t] - (_SMOOTHNESS * ratio[t - 1] if t else 0.0)
        ratio[t] = _SMOOTHNESS / pivot
        right[t] = (right[t] + (_SMOOTHNESS * right[t - 1] if t else 0.0)) / pivot
    for t in range(T - 2, -1, -1):
        right[t] += ratio[t] * right[t + 1]
    return right
