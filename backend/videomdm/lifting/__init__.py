# SPDX-License-Identifier: Apache-2.0
"""Footage to motion: what was seen, a first guess, bodies fitted to it, and the model as prior."""

from .fit import FitConfig, Fitted, fit_bodies, fit_body
from .footage import Footage
from .guess import first_guess, level_world, lift_windows
from .sample import RESTING_FOOT, LiftSettings, lift_footage
from .windows import cross_fade, window_starts

__all__ = [
    "RESTING_FOOT",
    "FitConfig",
    "Fitted",
    "Footage",
    "LiftSettings",
    "cross_fade",
    "first_guess",
    "fit_bodies",
    "fit_body",
    "level_world",
    "lift_footage",
    "lift_windows",
    "window_starts",
]
