# SPDX-License-Identifier: GPL-3.0-or-later
"""Do limbs go through the torso or through each other?  All are capsules whose sizes follow the body's own.

What a body does on its own counts on no rig: of each two parts it is the depth beyond that of the motion's body in
the same frame.  Parts that meet at a joint are left out, and of upper arms and thighs the half at the trunk.
Hands are as they turn on the rig; the motion's go on from the forearm.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..retarget.frames import rotate, unit
from ..retarget.rig import Array
from ..retarget.slots import SIDES

# Radii as shares of the distance between the shoulders.
TORSO = 0.33
ARM, HAND, THIGH, SHIN = 0.1, 0.08, 0.18, 0.12
PALM = 0.5  # length of a hand as a share of the forearm's
OUTER = 0.5  # share of an upper arm or thigh at which its outer part begins

ARM_PARTS, LEG_PARTS = ("upper arm", "forearm", "hand"), ("outer thigh", "shin")
IN_TORSO = tuple(("torso", f"{side} {part}") for side in SIDES for part in (*ARM_PARTS, *LEG_PARTS))
IN_LIMBS = (
    *((f"{side} {arm}", f"{other} {leg}") for side, other in product(SIDES, SIDES)
      for arm, leg in product(("forearm", "hand"), ("thigh", "shin"))),
    *(("left " + one, "right " + other) for one, other in product(("outer thigh", "shin"), repeat=2)),
    *(("left " + one, "right " + other) for one, other in product(("forearm", "hand"), repeat=2)),
)  # fmt: skip


@dataclass(frozen=True)
class Capsule:
    """All points within ``radius`` of a segment; both ends are (T, 3)."""

    start: Array
    end: Array
    radius: float


def capsules(joints: AnyMapping[str, Array], hands: AnyMapping[str, Array]) -> dict[str, Capsule]:
    """Name -> part of a body whose joints are (T, 3); ``hands``: side -> (T, 3) where they point."""
    hips = (joints["left_hip"] + joints["right_hip"]) / 2
    shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    across = joints["left_shoulder"] - joints["right_shoulder"]
    width = float(np.median(np.linalg.norm(across, axis=-1)))
    parts = {"torso": Capsule(hips, shoulders, TORSO * width)}
    for side in SIDES:
        shoulder, elbow, wrist, hip, knee, ankle = (
            joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        )
        palm = PALM * np.linalg.norm(wrist - elbow, axis=-1, keepdims=True) * hands[side]
        parts |= {
            f"{side} upper arm": Capsule(shoulder + OUTER * (elbow - shoulder), elbow, ARM * width),
            f"{side} forearm": Capsule(elbow, wrist, ARM * width),
            f"{side} hand": Capsule(wrist, wrist + palm, HAND * width),
            f"{side} thigh": Capsule(hip, knee, THIGH * width),
            f"{side} outer thigh": Capsule(hip + OUTER * (knee - hip), knee, THIGH * width),
            f"{side} shin": Capsule(knee, ankle, SHIN * width),
        }
    return parts


def pointing(
    joints: AnyMapping[str, Array], resting: AnyMapping[str, Array], turns: AnyMapping[str, Array]
) -> dict[str, Array]:
    """Side -> (T, 3) where a rig's hands point: at rest on from the forearm; without a hand bone always."""
    found = {}
    for side in SIDES:
        elbow, wrist, hand = f"{side}_elbow", f"{side}_wrist", turns.get(f"{side}_hand")
        found[side] = unit(joints[wrist] - joints[elbow])
        if hand is not None:
            at_rest = unit(resting[wrist] - resting[elbow])
            found[side] = rotate(hand, np.broadcast_to(at_rest, (len(hand), 3)))
    return found


def added_depth(
    rig: AnyMapping[str, Capsule], motion: AnyMapping[str, Capsule], pairs: tuple[tuple[str, str], ...]
) -> float:
    """Metres by which two parts are deeper in each other than on the motion's body, the worst."""
    own, other = (np.maximum(depths(parts, pairs), 0.0) for parts in (motion, rig))
    return float(np.maximum(other - own, 0.0).max())


def depths(parts: AnyMapping[str, Capsule], pairs: tuple[tuple[str, str], ...]) -> Array:
    """(P, T) metres by which pairs of capsules are in each other; negative where there is room between."""
    one, other = ([parts[pair[number]] for pair in pairs] for number in range(2))
    ends = [
        np.stack([getattr(part, end) for part in side]) for side in (one, other) for end in ("start", "end")
    ]
    reach = np.array([a.radius + b.radius for a, b in zip(one, other, strict=True)])
    found: Array = reach[:, None] - segment_distance(*ends)
    return found


def segment_distance(a: Array, b: Array, c: Array, d: Array) -> Array:
    """(...) distances between segments a-b and c-d, all (..., 3).

    C. Ericson, "Real-Time Collision Detection" (2005), 5.1.9.
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (np.sum(p * q, axis=-1) for p, q in ((u, u), (v, v), (u, v)))
    uw, vw = (np.sum(p * w, axis=-1) for p in (u, v))
    uu, vv = np.maximum(uu, 1e-12), np.maximum(vv, 1e-12)
    cross = uu * vv - uv**2
    s = np.where(cross > 1e-12, np.clip((uv * vw - uw * vv) / np.maximum(cross, 1e-12), 0.0, 1.0), 0.0)
    t = np.clip((uv * s + vw) / vv, 0.0, 1.0)
    s = np.clip((uv * t - uw) / uu, 0.0, 1.0)
    distance: Array = np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)
    return distance
