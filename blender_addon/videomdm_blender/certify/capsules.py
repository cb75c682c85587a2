# SPDX-License-Identifier: GPL-3.0-or-later
"""Do arms go through the torso?  Both are taken as capsules whose sizes follow the body's own."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

import numpy as np

from ..retarget.rig import Array
from ..retarget.slots import SIDES

TORSO, FOREARM = 0.33, 0.1  # radii, as shares of the distance between the shoulders


def depth_in_torso(joints: AnyMapping[str, Array]) -> Array:
    """(T,) metres by which a forearm is inside the torso, 0 where none touches.

    The torso goes from between the hips to between the shoulders, the forearm from elbow to wrist.
    """
    hips = (joints["left_hip"] + joints["right_hip"]) / 2
    shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
    across = joints["left_shoulder"] - joints["right_shoulder"]
    width = float(np.median(np.linalg.norm(across, axis=-1)))
    depths = [
        (TORSO + FOREARM) * width
        - segment_distance(hips, shoulders, joints[f"{side}_elbow"], joints[f"{side}_wrist"])
        for side in SIDES
    ]
    deepest: Array = np.maximum(np.max(depths, axis=0), 0.0)
    return deepest


def segment_distance(a: Array, b: Array, c: Array, d: Array) -> Array:
    """(T,) distances between segments a-b and c-d, all (T, 3).

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
    distance: Array = np.linalg.norm(w + s[:, None] * u - t[:, None] * v, axis=-1)
    return distance
