# SPDX-License-Identifier: Apache-2.0
"""Long footage in overlapping windows, which run as one batch.

Shape letters: N windows, S frames of a window, T frames of the footage.
"""

from __future__ import annotations

import torch
from torch import Tensor


def window_starts(frames: int, window: int, overlap: int) -> list[int]:
    """First frames of windows that cover ``frames``, the last one flush with the end."""
    if frames <= window:
        return [0]
    count = -(-(frames - overlap) // (window - overlap))
    return [round(i * (frames - window) / (count - 1)) for i in range(count)]


def window_rows(frames: int, window: int, overlap: int, multiple: int) -> tuple[Tensor, list[int]]:
    """Frames (N, S) of each window, and the first ones; S is a multiple of ``multiple``.

    Footage shorter than that repeats its last frame.
    """
    size = -(-min(window, frames) // multiple) * multiple
    starts = window_starts(frames, size, min(overlap, size // 2))
    return torch.stack([torch.arange(s, s + size).clamp(max=frames - 1) for s in starts]), starts


def cross_fade(windows: Tensor, starts: list[int], frames: int) -> Tensor:
    """Blend windows (N, S, ...) that start at ``starts`` into one sequence (T, ...), linearly where they overlap."""
    size = windows.shape[1]
    extra = (1,) * (windows.ndim - 2)
    result = windows.new_zeros((frames, *windows.shape[2:]))
    total = windows.new_zeros((frames, *extra))
    frame = torch.arange(size, device=windows.device, dtype=windows.dtype)
    hat = torch.minimum(frame + 1, size - frame).reshape(-1, *extra)
    for values, first in zip(windows, starts, strict=True):
        last = min(first + size, frames)
        result[first:last] += (values * hat)[: last - first]
        total[first:last] += hat[: last - first]
    return result / total
