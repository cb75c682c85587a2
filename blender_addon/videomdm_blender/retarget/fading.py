# SPDX-License-Identifier: GPL-3.0-or-later
"""How what is done to standing feet begins and ends while they are in the air."""

from __future__ import annotations

import numpy as np

from .rig import Array, Flags
from .smoothing import bridged, envelope

FADE = 0.25  # seconds in which a correction begins and ends


def frames(seconds: float, fps: float) -> int:
    """As many frames, two at least."""
    return max(2, round(seconds * fps))


def faded(values: Array, known: Flags, fps: float) -> Array:
    """(2, T, C) ``values`` of both feet where they are ``known`` (2, T), to and from there smoothly."""
    return np.stack([bridged(values[foot], known[foot], frames(FADE, fps)) for foot in range(2)])


def distance(flags: Flags) -> Array:
    """(..., T) frames to the nearest True; many where there is none."""
    count = flags.shape[-1]
    places = np.broadcast_to(np.arange(count, dtype=float), flags.shape)
    before = np.maximum.accumulate(np.where(flags, places, -1e6), axis=-1)
    after = np.minimum.accumulate(np.where(flags, places, 1e6)[..., ::-1], axis=-1)[..., ::-1]
    nearest: Array = np.minimum(places - before, after - places)
    return nearest


def raised(needed: Array, seconds: float, fps: float) -> Array:
    """(..., T) a smooth curve that nowhere lies below ``needed``, wide by ``seconds``."""
    curves = needed.reshape(-1, needed.shape[-1])
    smooth = np.stack([envelope(curve, frames(seconds, fps)) for curve in curves])
    return smooth.reshape(needed.shape)
