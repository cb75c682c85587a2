# SPDX-License-Identifier: GPL-3.0-or-later
"""Values over time: smooth curves through keys, and feet that plant, roll off, swing and land."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..retarget.rig import Array, Flags

FOOT_LENGTH = 0.1464  # metres from ankle to toe joint, as in ``videomdm.motion.body.BONE_LENGTHS``
FLAT_PITCH = np.radians(16.0)  # how far the line from ankle to toe joint falls when the sole is flat
TOE_HEIGHT = 0.015  # metres of the toe joint above the floor while it stands
CLEARANCE = 0.07  # metres by which the toe is lifted in a step


def ramp(time: Array, start: float, end: float) -> Array:
    """0 before ``start``, 1 after ``end``, with two continuous derivatives in between."""
    t = np.clip((time - start) / (end - start), 0.0, 1.0)
    result: Array = t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
    return result


def through(time: Array, keys: Sequence[tuple[float, float, float]]) -> Array:
    """(T,) a cubic Hermite curve through keys (time, value, slope); held before the first and after the last."""
    times, values, slopes = np.array(keys, float).T
    t = np.clip(time, times[0], times[-1])
    k = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2)
    span = times[k + 1] - times[k]
    u = (t - times[k]) / span
    result: Array = (
        (1 + 2 * u) * (1 - u) ** 2 * values[k]
        + u * (1 - u) ** 2 * span * slopes[k]
        + u**2 * (3 - 2 * u) * values[k + 1]
        + u**2 * (u - 1) * span * slopes[k + 1]
    )
    return result


def poses(time: Array, keys: Sequence[tuple[float, Sequence[float]]]) -> Array:
    """(T, N) from pose to pose, at rest in each; keys are (time, N values)."""
    times = [key[0] for key in keys]
    values = np.array([key[1] for key in keys], float)
    steps = np.stack([ramp(time, a, b) for a, b in pairwise(times)], axis=-1)
    result: Array = values[0] + steps @ np.diff(values, axis=0)
    return result


@dataclass(frozen=True)
class Place:
    """Where a foot stands: its toe joint on the floor (x, z), metres, and the ``yaw`` in which it points."""

    x: float
    z: float
    yaw: float = 0.0


@dataclass(frozen=True)
class Step:
    """A step to ``to``: the heel leaves the floor, then the toe, then the foot lands flat; seconds."""

    heel_off: float
    toe_off: float
    land: float
    to: Place
    roll: float = np.radians(35.0)


@dataclass(frozen=True)
class Foot:
    """A foot over time.

    ankle, toe: (T, 3) joints, metres.
    forward:    (T, 3) level direction in which it points.
    planted:    (T, 2) whether the ankle (the sole lies flat) and the toe stand on the floor.
    """

    ankle: Array
    toe: Array
    forward: Array
    planted: Flags


def foot(toe: Array, yaw: Array, heel_up: Array, planted: Flags) -> Foot:
    """A foot from its toe joint (T, 3), the way it points (T,) and the angle (T,) by which its heel is up."""
    pitch = FLAT_PITCH + heel_up
    forward = np.stack([np.sin(yaw), np.zeros_like(yaw), np.cos(yaw)], axis=-1)
    bone = np.cos(pitch)[:, None] * forward
    bone[:, 1] = -np.sin(pitch)
    return Foot(toe - FOOT_LENGTH * bone, toe, forward, planted)


def standing(time: Array, place: Place) -> Foot:
    """A foot that stays where it is."""
    return stepping(time, place, [])


def stepping(time: Array, start: Place, steps: Sequence[Step]) -> Foot:
    """A foot that goes from place to place and stands exactly still in between."""
    x, z, yaw = (np.full(len(time), value) for value in (start.x, start.z, start.yaw))
    height, heel_up = np.zeros(len(time)), np.zeros(len(time))
    flat, on_toe = np.ones(len(time), bool), np.ones(len(time), bool)
    here = start
    for step in steps:
        swing = ramp(time, step.toe_off, step.land)
        x += swing * (step.to.x - here.x)
        z += swing * (step.to.z - here.z)
        yaw += swing * (step.to.yaw - here.yaw)
        phase = np.clip((time - step.toe_off) / (step.land - step.toe_off), 0.0, 1.0)
        height += CLEARANCE * np.sin(np.pi * phase) ** 2
        heel_up += step.roll * (ramp(time, step.heel_off, step.toe_off) - ramp(time, step.toe_off, step.land))
        flat &= (time <= step.heel_off) | (time >= step.land)
        on_toe &= (time <= step.toe_off) | (time >= step.land)
        here = step.to
    toe = np.stack([x, TOE_HEIGHT + height, z], axis=-1)
    return foot(toe, yaw, heel_up, np.stack([flat, on_toe], axis=-1))
