# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through uncertain measurements."""

from __future__ import annotations

import numpy as np

from .rig import Array


def fit(measured: Array, weights: Array, stiffness: float) -> Array:
    """(T,) x that minimises sum of weights (M, T) * (x - measured (M, T))^2 + stiffness * (x(t+1) - x(t))^2.

    Some weight must be above zero.  The normal equations are tridiagonal: solved by elimination (Thomas).
    """
    diagonal = weights.sum(axis=0)
    right = (weights * measured).sum(axis=0)
    count = len(diagonal)
    if count > 1:
        diagonal = diagonal + stiffness * np.concatenate([[1.0], np.full(count - 2, 2.0), [1.0]])
    pivots, values = diagonal.tolist(), right.tolist()
    for t in range(1, count):
        factor = stiffness / pivots[t - 1]
        pivots[t] -= factor * stiffness
        values[t] += factor * values[t - 1]
    values[-1] /= pivots[-1]
    for t in range(count - 2, -1, -1):
        values[t] = (values[t] + stiffness * values[t + 1]) / pivots[t]
    return np.array(values)


def average(values: Array, width: float) -> Array:
    """(T,) values averaged over about ``width`` frames to either side, the ends held."""
    reach = int(np.ceil(width))
    kernel = np.hanning(2 * reach + 3)
    padded = np.pad(values, reach + 1, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
