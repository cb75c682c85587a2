# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a take: the rig as it was played against the motion that was asked for.  Pure NumPy.

Everything is in the axes of the motion (metres, Y up) and at the size of the motion's body: a rig with legs
twice as long is halved first, so that a millimetre means the same on every rig.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from videomdm.motion import Motion

from ..retarget.frames import Y, dot, rotate, unit
from ..retarget.reference import joint
from ..retarget.rig import Array, Flags
from ..retarget.slots import SIDES
from .capsules import IN_LIMBS, IN_TORSO, added_depth, capsules, pointing
from .held import MILLIMETRES, Hold, held
from .twist import twist_excess, twist_jump

# The slot at whose beginning a joint of the motion lies.
JOINT_OF = {
    f"{side}_{slot}": f"{side}_{name}"
    for side in SIDES
    for slot, name in (
        ("upper_arm", "shoulder"), ("forearm", "elbow"), ("hand", "wrist"), ("thigh", "hip"),
        ("shin", "knee"), ("foot", "ankle"), ("toe", "foot"),
    )
} | {"neck": "neck", "head": "head"}  # fmt: skip

LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
ENDS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}
QUIET_JERK = 25.0  # limbs a second cubed: a trembling of about 0.1 mm at 20 fps; less is none


@dataclass(frozen=True)
class Body:
    """A rig as it was played.

    joints:  name of a motion's joint -> (T, 3) where the rig's is; joints that it lacks are missing.
    resting: the same at rest, (3,).
    turns:   slot -> (T, 4) turn from rest.
    stretch: (T,) largest share by which a bone is scaled.
    floor:   height of the floor.
    sole:    height of the soles at rest.
    tips:    name of a foot's joint -> (T, 3) of the tip of its toes, raised by as much as it lies lower at rest; of
             feet whose skin shows it.
    """

    joints: AnyMapping[str, Array]
    resting: AnyMapping[str, Array]
    turns: AnyMapping[str, Array]
    stretch: Array
    floor: float
    sole: float
    fps: float
    tips: AnyMapping[str, Array] = field(default_factory=dict)


def source_joints(motion: Motion) -> dict[str, Array]:
    """Name -> (T, 3) of the joints that are compared."""
    return {name: motion.positions[:, joint(name)].astype(float) for name in JOINT_OF.values()}


def measure(motion: Motion, body: Body, holds: Sequence[Hold] = ()) -> dict[str, float]:
    """All measures of one take; ``motion`` has the frame rate at which it was played.

    holds: what was asked of hands; their arms are not compared with the motion's.
    """
    source = source_joints(motion)
    contacts = np.asarray(motion.contacts, bool)
    free = {f"{hold.side}_arm" for hold in holds}
    return {
        **limb_directions(source, body, free),
        **end_effectors(source, body, free),
        **held(source, body, contacts, holds),
        **stretches(body),
        "twist_beyond_deg": twist_excess(body.turns, body.resting),
        "twist_jump_deg": twist_jump(body.turns, body.resting, motion.fps),
        **foot_slide(source, body, contacts),
        "penetration_mm": penetration(source, body, contacts),
        "root_path_mm": root_path(source, body),
        **collisions(source, body),
        "jitter_ratio": jitter(source, body, motion.fps, free),
    }


def _angles(a: Array, b: Array) -> Array:
    """(...) degrees between vectors (..., 3); exact for small angles too."""
    a, b = unit(a), unit(b)
    angles: Array = np.degrees(
        2.0 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    )
    return angles


def limb_directions(
    source: AnyMapping[str, Array], body: Body, free: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """Degrees between the directions of upper arms, forearms, thighs and shins on rig and motion, 99 of 100.

    Of all together, their median too, and of arms and legs.  ``free``: limbs ("left_arm") that are left out.
    """
    errors: dict[str, list[Array]] = {"limb": [], "arm": [], "leg": []}
    for side in SIDES:
        for start, end in LIMBS:
            kind = "arm" if start in ENDS["arm"] else "leg"
            if f"{side}_{kind}" in free:
                continue
            a, b = f"{side}_{start}", f"{side}_{end}"
            found = _angles(body.joints[b] - body.joints[a], source[b] - source[a])
            errors["limb"].append(found)
            errors[kind].append(found)
    worst = {f"{kind}_direction_deg": float(np.percentile(e, 99)) for kind, e in errors.items() if e}
    return {"limb_median_deg": float(np.median(errors["limb"])), **worst}


def end_effectors(
    source: AnyMapping[str, Array], body: Body, free: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """Where wrists and ankles are, seen from shoulders and hips: percent of the limb's length, and degrees."""
    away, angle = [], []
    for side in SIDES:
        for kind, (start, middle, end) in ENDS.items():
            if f"{side}_{kind}" in free:
                continue
            vectors, lengths = [], []
            for joints in (body.joints, source):
                points = [joints[f"{side}_{name}"] for name in (start, middle, end)]
                lengths.append(_length(points))
                vectors.append(points[2] - points[0])
            away.append(np.linalg.norm(vectors[0] / lengths[0] - vectors[1] / lengths[1], axis=-1))
            angle.append(_angles(vectors[0], vectors[1]))
    return {
        "end_position_percent": 100.0 * float(np.percentile(away, 99)),
        "end_angle_deg": float(np.percentile(angle, 99)),
    }


def stretches(body: Body) -> dict[str, float]:
    """Largest share, in percent, by which a bone or the way between two joints of a limb changes its length."""
    shares = [float(np.max(body.stretch))]
    for side in SIDES:
        for start, end in (*LIMBS, ("ankle", "foot")):
            a, b = f"{side}_{start}", f"{side}_{end}"
            length = float(np.linalg.norm(body.resting[b] - body.resting[a]))
            played = np.linalg.norm(body.joints[b] - body.joints[a], axis=-1)
            shares.append(float(np.abs(played / max(length, 1e-9) - 1.0).max()))
    return {"stretch_percent": 100.0 * max(shares)}


def foot_slide(source: AnyMapping[str, Array], body: Body, contacts: Flags) -> dict[str, float]:
    """Millimetres a frame that planted ankles and toes move over the floor, 95 of 100.

    Of the rig what it adds to the motion's own, which is told beside it.  Toes are planted where they begin or on
    their tips, as of ``held``.
    """
    slides: dict[str, list[Array]] = {"rig": [], "source": []}
    for channel, name in enumerate(f"{side}_{part}" for side in SIDES for part in ("ankle", "foot")):
        planted = contacts[1:, channel] & contacts[:-1, channel]
        slides["source"].append(_steps(source[name])[planted])
        steps = _steps(body.joints[name])
        if name in body.tips:
            steps = np.minimum(steps, _steps(body.tips[name]))
        slides["rig"].append(steps[planted])
    found = {key: np.concatenate(parts) for key, parts in slides.items()}
    rig, own = (
        MILLIMETRES * float(np.percentile(found[key], 95)) if len(found[key]) else 0.0
        for key in ("rig", "source")
    )
    return {"slide_mm": max(rig - own, 0.0), "source_slide_mm": own}


def _steps(path: Array) -> Array:
    """(T - 1,) metres over the floor from frame to frame of a path (T, 3)."""
    steps: Array = np.linalg.norm(np.diff(path[:, [0, 2]], axis=0), axis=-1)
    return steps


def penetration(source: AnyMapping[str, Array], body: Body, contacts: Flags) -> float:
    """Millimetres by which soles or joints are under the floor, beyond what the motion's own are; the worst.

    The sole is two points under ankle and toe joint that turn with foot and toes.  The motion's sole lies
    under its joints as far as they are above the floor while they stand.
    """
    depths, own = [], []
    for number, side in enumerate(SIDES):
        for channel, (name, slot) in enumerate((("ankle", "foot"), ("foot", "toe"))):
            bone = f"{side}_{slot}" if f"{side}_{slot}" in body.turns else f"{side}_foot"
            under = (body.sole - body.resting[f"{side}_{name}"][1]) * Y
            point = body.joints[f"{side}_{name}"] + rotate(body.turns[bone], under)
            depths.append(body.floor - point[:, 1])
            height = source[f"{side}_{name}"][:, 1]
            planted = contacts[:, 2 * number + channel]
            lift = float(np.median(height[planted])) if planted.any() else float(np.min(height))
            own.append(np.maximum(lift, 0.0) - height)
        for name in ("knee", "wrist", "elbow"):
            depths.append(body.floor - body.joints[f"{side}_{name}"][:, 1])
            own.append(-source[f"{side}_{name}"][:, 1])
    rig, motion = (np.maximum(np.max(parts, axis=0), 0.0) for parts in (depths, own))
    return MILLIMETRES * float(np.maximum(rig - motion, 0.0).max())


def root_path(source: AnyMapping[str, Array], body: Body) -> float:
    """Millimetres between the ways that the middle of the hips takes over the floor, from its start; the worst."""
    ways = []
    for joints in (body.joints, source):
        middle = (joints["left_hip"] + joints["right_hip"]) / 2
        ways.append((middle - middle[0])[:, [0, 2]])
    return MILLIMETRES * float(np.linalg.norm(ways[0] - ways[1], axis=-1).max())


def collisions(source: AnyMapping[str, Array], body: Body) -> dict[str, float]:
    """Millimetres by which limbs are in the torso, and in each other, beyond the motion's body; the worst."""
    rig = capsules(body.joints, pointing(body.joints, body.resting, body.turns))
    motion = capsules(source, pointing(source, {}, {}))
    return {
        "collision_mm": MILLIMETRES * added_depth(rig, motion, IN_TORSO),
        "limbs_crossing_mm": MILLIMETRES * added_depth(rig, motion, IN_LIMBS),
    }


def jitter(
    source: AnyMapping[str, Array], body: Body, fps: float, free: AbstractSet[str] = frozenset()
) -> float:
    """How much jerkier limbs and hips move than the motion's: ratio of root mean square jerks.

    Wrists are seen from the shoulders and ankles from the hips in lengths of the limb, so that other
    proportions do not count as jitter.
    """
    if len(source["left_hip"]) < 4:
        return 1.0
    jerks = []
    for joints in (body.joints, source):
        leg = _length([joints[f"left_{name}"] for name in ENDS["leg"]])
        paths = [(joints["left_hip"] + joints["right_hip"]) / (2 * leg)]
        for side, (kind, names) in product(SIDES, ENDS.items()):
            if f"{side}_{kind}" not in free:
                points = [joints[f"{side}_{name}"] for name in names]
                paths.append((points[2] - points[0]) / _length(points))
        jerks.append(np.sqrt(np.mean([dot(j, j) for j in (np.diff(p, 3, axis=0) * fps**3 for p in paths)])))
    return float(max(jerks[0], QUIET_JERK) / max(jerks[1], QUIET_JERK))


def _length(points: list[Array]) -> float:
    """Metres of a limb of three joints, each (T, 3)."""
    a, b, c = points
    return float(np.mean(np.linalg.norm(b - a, axis=-1) + np.linalg.norm(c - b, axis=-1)))
