# SPDX-License-Identifier: GPL-3.0-or-later
"""Leads the end of a curve back to its beginning, with the same slope on both sides of the seam."""

from __future__ import annotations

import numpy as np

from ..retarget.rig import Array


def closed(values: Array, reach: int) -> Array:
    """Values (T, ...) whose last frame is their first, the difference spread over ``reach`` frames on each side.

    Both ends meet half-way, in value and in slope; what is further away than ``reach`` stays, and the change
    goes to nothing there with its slope (cubic Hermite), so the result is as smooth as the values.
    """
    if len(values) < 2:
        return values
    change = values[0] - values[-1]
    result = bent(values, reach, change, slope_at_start(values) - slope_at_end(values))
    result[-1] = result[0]
    return result


def bent(values: Array, reach: int, jump: Array, kink: Array, start_kink: Array | None = None) -> Array:
    """Values (T, ...) without ``jump`` (...) and ``kink`` (..., per frame) at the seam: each end takes out half.

    start_kink: the kink as the beginning sees it, where the seam turns vectors; else as the end sees it.
    """
    count = len(values)
    reach = min(max(reach, 1), (count - 1) // 2) or 1
    if start_kink is None:
        start_kink = -kink
    u = (np.arange(reach + 1) / reach).reshape(-1, *[1] * (values.ndim - 1))
    value, slope = u * u * (3.0 - 2.0 * u), u * u * (u - 1.0) * reach  # of Hermite's, for the far end u = 1
    result = values.astype(float)
    result[count - 1 - reach :] += 0.5 * (value * jump + slope * kink)
    result[: reach + 1] += 0.5 * (value * -jump - slope * start_kink)[::-1]
    return result


def slope_at_start(values: Array) -> Array:
    """(...) change per frame at the first frame of values (T, ...)."""
    if len(values) < 3:
        return np.asarray(values[1] - values[0])
    return np.asarray(-1.5 * values[0] + 2.0 * values[1] - 0.5 * values[2])


def slope_at_end(values: Array) -> Array:
    """(...) change per frame at the last frame of values (T, ...)."""
    return -slope_at_start(values[::-1])
