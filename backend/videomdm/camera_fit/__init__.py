# SPDX-License-Identifier: Apache-2.0
"""Cameras from known 3D and seen 2D joints: intrinsics, static cameras, many at once.

Conventions as in ``camera.py``: world Y up, camera x right, y down, z forward, normalised image coordinates.

The solver is Levenberg-Marquardt (``refine``) with Huber weights and confidence squared as weight
(``observations``), from the best of a ring of upright views (``starts``).  A camera is taken to be held about
level: a weak prior on roll and a weaker one on pitch settle what short or flat clips leave open.
"""

from .intrinsics import FIELD_OF_VIEW, intrinsics_guess, normalise_points, to_pixels
from .observations import HUBER, CameraFit
from .static import fit_cameras, solve_static_camera

__all__ = [
    "FIELD_OF_VIEW",
    "HUBER",
    "CameraFit",
    "fit_cameras",
    "intrinsics_guess",
    "normalise_points",
    "solve_static_camera",
    "to_pixels",
]
