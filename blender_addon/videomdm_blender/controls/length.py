# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an IK chain must be made for it to bend as far as it should.  Pure NumPy.

Where bones may stretch, Blender's IK shares what it has to do between bending and changing lengths, so that a bent
limb comes out too short.  A nearly straight one comes out too long by a little, and a millimetre of length is two
centimetres of knee.  So what is searched for is not a length but the slack: by how much the way along the limb is
longer than that from its beginning to its end.
"""

from __future__ import annotations

import numpy as np

from ..retarget.rig import Array

# Of a change of a bone's length what is left after IK as a rule; and how much the logarithm of the slack changes
# with the scale of the chain at most, which is how Blender's IK straightens a limb: by stretching it.
GAIN, STEEP = 0.83, 180.0
LEAST, MOST = 0.2, 3.0  # of that rule what a limb may do instead
STRAIGHT = 1e-5  # slack of a limb that counts as straight: a knee 2 mm off the line of a leg of a metre
NONE = 1e-9
CLEAR = 1e-5  # a change of scale that is too small to tell anything from


def slack(root: Array, middle: Array, end: Array) -> Array:
    """(T,) by which share the way over the middle joint is longer than the straight one; places are (T, 3)."""
    way = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    result: Array = way / np.linalg.norm(end - root, axis=-1) - 1.0
    return result


class Length:
    """Searches the scale (T,) of a chain frame by frame, by the secant method on the logarithm of its slack."""

    def __init__(self, wanted: Array) -> None:
        """Wanted: slack (T,) that it shall end up with."""
        self._wanted = np.maximum(wanted, STRAIGHT)
        self._scale = np.ones(len(wanted))
        self._best, self._error = self._scale, np.full(len(wanted), np.inf)
        self._slope: Array | None = None
        self._last: tuple[Array, Array] | None = None

    @property
    def scale(self) -> Array:
        """(T,) to be tried."""
        return self._scale

    @property
    def best(self) -> Array:
        """(T,) those of the scales that were tried that came nearest."""
        return self._best

    def correct(self, seen: Array) -> None:
        """Take in which slack (T,) the present scale leads to."""
        seen = np.maximum(seen, NONE)
        off = np.log(seen / self._wanted)
        # Bent limbs are off by lengths, straight ones by how far they bend.
        error = np.abs(np.sqrt(seen) - np.sqrt(self._wanted))
        better = error < self._error
        self._best, self._error = (
            np.where(better, self._scale, self._best),
            np.where(better, error, self._error),
        )
        between = np.sqrt(seen * self._wanted)
        rule = np.minimum(GAIN * (1.0 + between) / between, STEEP)
        slope = rule if self._slope is None else self._slope
        if self._last is not None:
            step, change = self._scale - self._last[0], off - self._last[1]
            clear = np.abs(step) > CLEAR
            told = change / np.where(clear, step, 1.0)
            slope = np.where(clear, np.clip(told, LEAST * rule, MOST * rule), slope)
        self._slope, self._last = slope, (self._scale, off)
        self._scale = np.maximum(self._scale - off / slope, 0.5)
