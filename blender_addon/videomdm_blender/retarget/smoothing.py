# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through uncertain measurements."""

from __future__ import annotations

import numpy as np

from .rig import Array


def fit(measured: Array, weights: Array, stiffness: float) -> Array:
    """(..., T) x that minimises the sum over M, T of weights * (x - measured)^2 + stiffness * (x(t+1) - x(t))^2.

    measured, weights: (M, ..., T); some weight of each curve must be above zero.
    """
    diagonal = weights.sum(axis=0)
    right = (weights * measured).sum(axis=0)
    count = diagonal.shape[-1]
    if count > 1:
        diagonal = diagonal + stiffness * np.concatenate([[1.0], np.full(count - 2, 2.0), [1.0]])
    curves = zip(diagonal.reshape(-1, count).tolist(), right.reshape(-1, count).tolist(), strict=True)
    return np.array([_eliminated(*curve, stiffness) for curve in curves]).reshape(diagonal.shape)


def _eliminated(pivots: list[float], values: list[float], stiffness: float) -> list[float]:
    """The solution of tridiagonal equations (Thomas); plain numbers are several times faster here than arrays."""
    count = len(pivots)
    for t in range(1, count):
        factor = stiffness / pivots[t - 1]
        pivots[t] -= factor * stiffness
        values[t] += factor * values[t - 1]
    values[-1] /= pivots[-1]
    for t in range(count - 2, -1, -1):
        values[t] = (values[t] + stiffness * values[t + 1]) / pivots[t]
    return values


def average(values: Array, width: float) -> Array:
    """(T,) values averaged over about ``width`` frames to either side, the ends held."""
    reach = int(np.ceil(width))
    kernel = np.hanning(2 * reach + 3)
    padded = np.pad(values, reach + 1, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
