# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares over all frames of a clip at once, in time and memory that grow with the frames only."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from .rig import Array


def difference_bands(count: int, order: int) -> list[Array]:
    """The bands of D'D, where D takes the differences of an ``order`` of ``count`` values.

    Band k, (count - k,), couples each value with the one k frames later; band 0 is the diagonal.
    """
    signs = [(-1.0) ** (order - i) * comb(order, i) for i in range(order + 1)]
    bands = [np.zeros(max(count - k, 0)) for k in range(order + 1)]
    rows = max(count - order, 0)
    for i in range(order + 1):
        for j in range(i, order + 1):
            bands[j - i][i : i + rows] += signs[i] * signs[j]
    return bands


class Banded:
    """Symmetric positive definite equations for N values in each of T frames, whose bands stay while what couples
    the values of a frame is given anew.

    bands: band k, (T - k, N), couples each value with the same one k frames later; k = 1, 2, ...
    block: frames that are solved for together; no band may reach further.
    """

    def __init__(self, bands: Sequence[Array], block: int = 4) -> None:
        self.block = block
        self.frames, self.size = len(bands[0]) + 1, bands[0].shape[1]
        self.count = -(-self.frames // block)
        self.within, couplings = np.zeros((2, self.count, block, self.size, block, self.size))
        each = np.arange(self.size)
        for k, band in enumerate(bands, start=1):
            rows = self._blocks(band)
            for i in range(block):
                if i + k < block:
                    self.within[:, i, each, i + k, each] += rows[:, i]
                    self.within[:, i + k, each, i, each] += rows[:, i]
                else:
                    couplings[:, i, each, i + k - block, each] += rows[:, i]

        # Of a block's values those come first that the block before reaches.
        width = block * self.size
        couplings = couplings.reshape(self.count, width, width)
        first = couplings.any(axis=(0, 1))
        self.order, self.reached = np.argsort(~first, kind="stable"), int(first.sum())
        self.coupled = couplings[:, self.order[:, None], self.order[: self.reached]]

    def _blocks(self, values: Array) -> Array:
        """(blocks, frames of a block, ...) of values (up to T, ...), zeros behind them."""
        full = np.zeros((self.count * self.block, *values.shape[1:]))
        full[: len(values)] = values
        return full.reshape(self.count, self.block, *values.shape[1:])

    def solve(self, diagonal: Array, right: Array) -> Array:
        """(T, N, ...) x that solves the equations with ``diagonal`` (T, N, N) and ``right`` (T, N, ...).

        Gaussian elimination of blocks of frames, one after the other.
        """
        width, reached = self.block * self.size, self.reached
        filled = self._blocks(diagonal)
        filled.reshape(-1, self.size, self.size)[self.frames :] = np.eye(self.size)
        blocks = self.within.copy()
        for i in range(self.block):
            blocks[:, i, :, i] += filled[:, i]
        blocks = blocks.reshape(self.count, width, width)[:, self.order[:, None], self.order]
        values = self._blocks(right).reshape(self.count, width, -1)[:, self.order]
        # To the right of the coupling with the next block stand the values.
        given = np.concatenate([self.coupled, values], axis=2)
        for b in range(self.count):
            if b:
                back = self.coupled[b - 1].T @ given[b - 1]
                blocks[b, :reached, :reached] -= back[:, :reached]
                given[b, :reached, reached:] -= back[:, reached:]
            given[b] = np.linalg.solve(blocks[b], given[b])
        ordered = given[:, :, reached:].copy()
        for b in range(self.count - 2, -1, -1):
            ordered[b] -= given[b, :, :reached] @ ordered[b + 1, :reached]
        found = np.empty_like(ordered)
        found[:, self.order] = ordered
        return found.reshape(-1, *right.shape[1:])[: self.frames]
