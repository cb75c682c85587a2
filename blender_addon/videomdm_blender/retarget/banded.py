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

    The clip is folded: its second half, backwards, lies beside the first, so that both are eliminated at once, from
    the ends to the middle where they meet.

    bands: band k, (T - k, N), couples each value with the same one k frames later; k = 1, 2, ...
    block: frames that are solved for together; no band may reach further.
    """

    def __init__(self, bands: Sequence[Array], block: int = 4) -> None:
        self.block = block
        self.frames, self.size = len(bands[0]) + 1, bands[0].shape[1]
        self.count = -(-self.frames // (2 * block))  # blocks of a half
        size, width = self.size, block * self.size
        each = np.arange(size)
        within, coupled = np.zeros((2, self.count, 2, block, size, block, size))
        meeting = np.zeros((block, size, block, size))
        for k, band in enumerate(bands, start=1):
            rows = self._folded(band, k)
            for i in range(block):
                if i + k < block:
                    within[:, :, i, each, i + k, each] += rows[:, :, i]
                    within[:, :, i + k, each, i, each] += rows[:, :, i]
                else:
                    coupled[:-1, :, i, each, i + k - block, each] += rows[:-1, :, i]
                    meeting[i, each, 2 * block - 1 - i - k, each] += rows[-1, 0, i]
        # Of a block's values those come first that the block before reaches.
        coupled = coupled.reshape(self.count, 2, width, width)
        first = coupled.any(axis=(0, 1, 2))
        order, self.reached = np.argsort(~first, kind="stable"), int(first.sum())
        self.coupled = coupled[:, :, order[:, None], order[: self.reached]]
        self.within = within.reshape(self.count, 2, width, width)[:, :, order[:, None], order]
        self.meeting = meeting.reshape(width, width)[order[:, None], order]
        # Where in a block the values of its frames are, and what couples the values of a frame.
        self.order = order
        place = np.argsort(order).reshape(block, size)
        self.diagonals = (place[:, :, None] * width + place[:, None, :]).ravel()

    def _folded(self, values: Array, shift: int = 0) -> Array:
        """(blocks, 2, frames of a block, ...) of values (up to T, ...), zeros behind them.

        Backwards, a value that belongs to a frame and the one ``shift`` later belongs to the later one.
        """
        half = self.count * self.block
        full = np.zeros((2 * half + shift, *values.shape[1:]))
        full[shift : shift + len(values)] = values
        halves = np.stack([full[shift : shift + half], full[half : 2 * half][::-1]])
        blocks = halves.reshape(2, self.count, self.block, *values.shape[1:])
        return np.ascontiguousarray(np.swapaxes(blocks, 0, 1))

    def _unfolded(self, blocks: Array) -> Array:
        """(T, ...) values of (blocks, 2, frames of a block, ...)."""
        halves = np.swapaxes(blocks, 0, 1).reshape(2, self.count * self.block, *blocks.shape[3:])
        values: Array = np.concatenate([halves[0], halves[1, ::-1]])[: self.frames]
        return values

    def solve(self, diagonal: Array, right: Array) -> Array:
        """(T, N, ...) x that solves the equations with ``diagonal`` (T, N, N) and ``right`` (T, N, ...).

        Gaussian elimination of blocks of frames, one after the other.
        """
        count, width, reached = self.count, self.block * self.size, self.reached
        full = np.broadcast_to(np.eye(self.size), (2 * count * self.block, self.size, self.size)).copy()
        full[: self.frames] = diagonal
        blocks = self.within.copy()
        blocks.reshape(count, 2, -1)[:, :, self.diagonals] += self._folded(full).reshape(count, 2, -1)
        values = self._folded(right).reshape(count, 2, width, -1)[:, :, self.order]
        # To the right of the coupling with the next block stand the values.
        given = np.concatenate([self.coupled, values], axis=3)
        coupled = np.ascontiguousarray(np.swapaxes(self.coupled, 2, 3))
        for b in range(count - 1):
            given[b] = np.linalg.solve(blocks[b], given[b])
            back = coupled[b] @ given[b]
            blocks[b + 1, :, :reached, :reached] -= back[..., :reached]
            given[b + 1, :, :reached, reached:] -= back[..., reached:]
        last = np.block([[blocks[-1, 0], self.meeting], [self.meeting.T, blocks[-1, 1]]])
        found = given[..., reached:].copy()
        found[-1] = np.linalg.solve(last, found[-1].reshape(2 * width, -1)).reshape(found[-1].shape)
        for b in range(count - 2, -1, -1):
            found[b] -= given[b, ..., :reached] @ found[b + 1, :, :reached]
        ordered = np.empty_like(found)
        ordered[:, :, self.order] = found
        return self._unfolded(ordered.reshape(count, 2, self.block, *right.shape[1:]))
