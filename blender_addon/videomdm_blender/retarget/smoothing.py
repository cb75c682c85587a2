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
    padded = _held(columns, reach + 1)
    smooth = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(smooth, axis=-1).reshape(values.shape)


def _held(values: Array, count: int) -> Array:
    """(T + 2 * count, ...) ``values`` with their first and last repeated before and behind."""
    return np.concatenate(
        [np.repeat(values[:1], count, axis=0), values, np.repeat(values[-1:], count, axis=0)]
    )


def envelope(values: Array, width: int) -> Array:
    """(T,) a smooth curve that nowhere lies below ``values``: their maximum around, averaged."""
    padded = _held(values, width + 1)
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
    still = np.zeros((1, values.shape[1]))
    leaving, entering = np.concatenate([still, change]), np.concatenate([change, still])
    gaps = np.flatnonzero(np.diff(places) > 1)
    starts, ends = places[gaps], places[gaps + 1]
    short = ends - starts <= 2 * reach
    # Curves from one frame to another: across short gaps, else from each of their sides to zero.
    out = np.append(starts[~short], places[-1])
    into = np.insert(ends[~short], 0, places[0])
    begin = np.concatenate([starts[short], out, into - reach])
    end = np.concatenate([ends[short], out + reach, into])
    none = np.zeros((len(out), values.shape[1]))
    left = np.concatenate([result[starts[short]], result[out], none])
    right = np.concatenate([result[ends[short]], none, result[into]])
    rise = np.concatenate([leaving[starts[short]], leaving[out], none])
    fall = np.concatenate([entering[ends[short]], none, entering[into]])
    counts = end - begin - 1
    which = np.repeat(np.arange(len(begin)), counts)
    frames = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[which] + 1
    inside = (frames >= 0) & (frames < len(values))
    which, frames = which[inside], frames[inside]
    length = (end - begin)[which, None]
    u = (frames - begin[which])[:, None] / length
    v = 1.0 - u
    # Hermite's cubic of places and slopes.
    result[frames] = (
        v * v * (1.0 + 2.0 * u) * left[which]
        + u * u * (1.0 + 2.0 * v) * right[which]
        + length * (u * v * v * rise[which] - u * u * v * fall[which])
    )
    return result
