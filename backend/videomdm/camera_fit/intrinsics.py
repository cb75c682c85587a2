# SPDX-License-Identifier: Apache-2.0
"""Intrinsics of pinhole cameras: pixels to normalised coordinates and back."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from ..camera import Array
from ..errors import UserError

FIELD_OF_VIEW = 60.0  # degrees across the longer side: a telephone's main camera while filming


def intrinsics_guess(width: int, height: int, fov_degrees: float = FIELD_OF_VIEW) -> np.ndarray:
    """Intrinsics (3, 3) of a camera of which only the image size is known, pixels.

    ``fov_degrees`` is the field of view across the longer side; pixels are square, the axis is in the middle.
    """
    if not 1.0 < fov_degrees < 179.0:
        raise UserError(f"A field of view of {fov_degrees:g} degrees cannot be used.", "Choose 20 to 120.")
    focal = max(width, height) / 2 / np.tan(np.radians(fov_degrees) / 2)
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def normalise_points(xy: Array, intrinsics: np.ndarray) -> Array:
    """Pixels (..., 2) to normalised camera coordinates (..., 2)."""
    (fx, skew, cx), (_, fy, cy), _ = (tuple(map(float, row)) for row in intrinsics)
    v = (xy[..., 1] - cy) / fy
    u = (xy[..., 0] - cx - skew * v) / fx
    return array_namespace(xy).stack([u, v], axis=-1)


def to_pixels(normalised: Array, intrinsics: np.ndarray) -> Array:
    """Normalised camera coordinates (..., 2) to pixels (..., 2)."""
    (fx, skew, cx), (_, fy, cy), _ = (tuple(map(float, row)) for row in intrinsics)
    u, v = normalised[..., 0], normalised[..., 1]
    return array_namespace(normalised).stack([fx * u + skew * v + cx, fy * v + cy], axis=-1)
