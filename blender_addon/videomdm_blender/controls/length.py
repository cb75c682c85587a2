# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the first bone of an IK chain must be made for it to be as long as it was in the end.  Pure NumPy.

Where bones may stretch, Blender's IK shares what it has to do between bending and changing lengths, so that
a bent limb comes out too short and a straight one too long; and it does so again with a bone that was made longer.
"""

from __future__ import annotations

import numpy as np

from ..retarget.rig import Array

# Of a change of a bone's length what is left after IK: as a rule, and at least and at most.
GAIN, LEAST, MOST = 0.83, 0.1, 1.2
CLEAR = 1e-5  # a change of length that is too small to tell the gain from


class Length:
    """Searches the scale (T,) of a bone, by the secant method on logarithms."""

    def __init__(self, frames: int) -> None:
        self._scale = np.zeros(frames)
        self._gain = np.full(frames, GAIN)
        self._last: tuple[Array, Array] | None = None

    @property
    def scale(self) -> Array:
        """(T,) to be tried."""
        result: Array = np.exp(self._scale)
        return result

    def correct(self, lost: Array) -> None:
        """Take in by which factor (T,) the bone was too short at the present scale."""
        short = np.log(lost)
        if self._last is not None:
            step, change = self._scale - self._last[0], self._last[1] - short
            clear = np.abs(step) > CLEAR
            gain = change / np.where(clear, step, 1.0)
            self._gain = np.where(clear, np.clip(gain, LEAST, MOST), self._gain)
        self._last = self._scale, short
        self._scale = self._scale + short / self._gain
