# SPDX-License-Identifier: GPL-3.0-or-later
"""Small geometry on rows of vectors: frames of two directions, turns about an axis, soft steps."""

from __future__ import annotations

import numpy as np

from .algebra import (
    about,
    by_component,
    compose,
    cross,
    dot,
    from_axes,
    inverse,
    norm,
    partly,
    rotate,
    swing,
    unit,
)
from .rig import Array

__all__ = [
    "X",
    "Y",
    "Z",
    "about",
    "by_component",
    "compose",
    "cross",
    "dot",
    "frame",
    "inverse",
    "mixed",
    "norm",
    "partly",
    "rotate",
    "soft_step",
    "swing",
    "unit",
]

X = np.array([1.0, 0.0, 0.0])
Y = np.array([0.0, 1.0, 0.0])
Z = np.array([0.0, 0.0, 1.0])


def mixed(a: Array, b: Array, share: float | Array) -> Array:
    """Rotations (..., 4) ``share`` of the way from a to b."""
    return compose(a, partly(compose(inverse(a), b), share))


def frame(direction: Array, side: Array) -> Array:
    """Rotations (..., 4) that take X to ``direction`` and Y to the part of ``side`` square to it."""
    x = unit(direction)
    z = unit(cross(x, side))
    return from_axes(x, cross(z, x), z)


def soft_step(x: Array, low: float | Array, high: float | Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
