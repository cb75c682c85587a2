# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through uncertain measurements."""

from __future__ import annotations

import numpy as np

from .rig import Array, Flags


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
    """(T, ...) values averaged over about ``width`` frames to either side, the ends held."""
    reach = int(np.ceil(width))
    kernel = np.hanning(2 * reach + 3)
    kernel /= kernel.sum()
    columns = values.reshape(len(values), -1)
    padded = np.pad(columns, ((reach + 1, reach + 1), (0, 0)), mode="edge")
    smooth = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(smooth, axis=-1).reshape(values.shape)


def envelope(values: Array, width: int) -> Array:
    """(T,) a smooth curve that nowhere lies below ``values``: their maximum around, averaged."""
    padded = np.pad(values, width + 1, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 3).max(axis=-1)
    return average(highest, float(width))


def bridged(values: Array, known: Flags, reach: int) -> Array:
    """(T, C) ``values`` where they are ``known`` (T,), and elsewhere cubic curves that fade to zero.

    The curves take over value and slope, so neither jumps.  ``reach`` frames from the nearest known one all is
    zero; shorter gaps are bridged from side to side.
    """
    result = np.where(known[:, None], values, 0.0)
    places = np.flatnonzero(known)
    if not len(places):
        return result
    pair = known[1:] & known[:-1]
    change = np.where(pair[:, None], result[1:] - result[:-1], 0.0)
    leaving, entering = np.zeros_like(result), np.zeros_like(result)
    leaving[1:], entering[:-1] = change, change
    edges = np.flatnonzero(np.diff(places) > 1)
    zero = np.zeros(values.shape[1])

    def curve(start: int, end: int, left: Array, right: Array, rise: Array, fall: Array) -> None:
        """Frames between ``start`` and ``end``, as far as they are in the clip, by Hermite's cubic."""
        frames = np.arange(max(start + 1, 0), min(end, len(values)))
        u = ((frames - start) / (end - start))[:, None]
        v = 1.0 - u
        length = end - start
        result[frames] = (
            v * v * (1.0 + 2.0 * u) * left
            + u * u * (1.0 + 2.0 * v) * right
            + length * (u * v * v * rise - u * u * v * fall)
        )

    for start, end in zip(places[edges].tolist(), places[edges + 1].tolist(), strict=True):
        if end - start <= 2 * reach:
            curve(start, end, result[start], result[end], leaving[start], entering[end])
        else:
            curve(start, start + reach, result[start], zero, leaving[start], zero)
            curve(end - reach, end, zero, result[end], zero, entering[end])
    first, last = int(places[0]), int(places[-1])
    curve(first - reach, first, zero, result[first], zero, entering[first])
    curve(last, last + reach, result[last], zero, leaving[last], zero)
    return result
