# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the pictures of a certificate stand: rows as high, and columns as wide, as what they show.  Pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..retarget.rig import Array

LEAST = 1.6  # metres, width of a column
BESIDE, LABEL = 0.12, 0.30  # metres between things, and for what is written above them
FLOOR = (0.85, 0.12)  # metres to the sides of a thing, and below, in which its floor is drawn


@dataclass(frozen=True)
class Layout:
    """Metres in the picture; its upper left corner is the origin.

    places: rows of (x, y) at which things stand on their floor, y downwards.
    labels: rows of (x, y) at which what is written begins.
    width, height: of the picture.
    """

    places: list[list[tuple[float, float]]]
    labels: list[list[tuple[float, float]]]
    width: float
    height: float


def extent(points: Array, across: Array, up: Array) -> Array:
    """(2, 2) the least and the most of points (N, 3) along two directions of the picture."""
    seen = points @ np.stack([across, up], axis=-1)
    return np.array([seen.min(axis=0), seen.max(axis=0)])


def lay_out(rows: Sequence[Sequence[Array]]) -> Layout:
    """Room for rows of things of which each has the extents (2, 2) that :func:`extent` tells."""
    every = np.array([box for row in rows for box in row])
    left, right = min(every[:, 0, 0].min(), -FLOOR[0]), max(every[:, 1, 0].max(), FLOOR[0])
    column = max(right - left + BESIDE, LEAST)
    places, labels = [], []
    down = 0.0
    for row in rows:
        floor = down + LABEL + max(float(box[1, 1]) for box in row)
        places.append([(column * c + BESIDE / 2 - left, floor) for c in range(len(row))])
        labels.append([(column * c + BESIDE / 2, down + 2 * LABEL / 3) for c in range(len(row))])
        down = floor + max(FLOOR[1], -min(float(box[0, 1]) for box in row)) + BESIDE
    return Layout(places, labels, column * max(map(len, rows)), down)
