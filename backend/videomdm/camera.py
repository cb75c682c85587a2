# SPDX-License-Identifier: Apache-2.0
"""Pinhole cameras: projection, rays, and the closest point on an observed ray.

World: metres, Y up, right-handed.  Camera: x right, y down, z forward (the OpenCV convention), so
``x_camera = R x_world + t``.  Normalised image coordinates are (x / z, y / z), intrinsics removed.  Functions
follow the array API standard: NumPy arrays and torch tensors alike, any leading batch axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from .motion.representation import Placement
from .motion.rotations import about_y, constant, cross, normalise, to_matrix

Array = Any

NEAREST_DEPTH = 0.5  # metres: points nearer to the camera plane give no supervision (VideoMDM)


@dataclass(frozen=True)
class Camera:
    """One camera, or a batch of them: R (..., 3, 3) and t (..., 3), world to camera."""

    R: Array
    t: Array

    @property
    def centre(self) -> Array:
        """Position (..., 3) in the world: C = -R^T t."""
        xp = array_namespace(self.R)
        return -xp.sum(self.R * self.t[..., :, None], axis=-2)

    def to_camera(self, points: Array) -> Array:
        """Points (..., J, 3) from world to camera coordinates; the camera's axes broadcast over J."""
        xp = array_namespace(points, self.R)
        return xp.matmul(points, xp.matrix_transpose(self.R)) + self.t[..., None, :]

    def rays(self, normalised: Array) -> Array:
        """Directions (..., J, 3) in the world, not unit: R^T (u, v, 1) of ``normalised`` (..., J, 2)."""
        xp = array_namespace(normalised, self.R)
        return xp.matmul(homogeneous(normalised), self.R)


def homogeneous(normalised: Array) -> Array:
    """(..., 2) to (..., 3) by appending 1."""
    xp = array_namespace(normalised)
    return xp.concat([normalised, xp.ones_like(normalised[..., :1])], axis=-1)


def project(points_camera: Array, nearest: float = NEAREST_DEPTH) -> tuple[Array, Array]:
    """Perspective division of camera-space points (..., 3).

    Returns normalised coordinates (..., 2) and a mask (...), false where the point lies nearer than ``nearest``
    metres to the camera plane; there the depth is held at ``nearest`` so that values and gradients stay finite.
    """
    xp = array_namespace(points_camera)
    depth = points_camera[..., 2]
    visible = depth >= nearest
    return points_camera[..., :2] / xp.clip(depth, min=nearest)[..., None], visible


def closest_on_ray(points_camera: Array, normalised: Array) -> Array:
    """The point of each observed ray that lies closest to ``points_camera`` (..., 3), in camera coordinates.

    With d = (u, v, 1): lambda = (d . P) / (d . d), P* = lambda d (VideoMDM, representation alignment).  Points
    behind the camera are put on the ray at the nearest depth.
    """
    xp = array_namespace(points_camera, normalised)
    direction = homogeneous(normalised)
    depth = xp.sum(direction * points_camera, axis=-1) / xp.sum(direction * direction, axis=-1)
    return xp.clip(depth, min=NEAREST_DEPTH)[..., None] * direction


def to_world(camera: Camera, points_camera: Array) -> Array:
    """Points (..., J, 3) from camera to world coordinates: R^T (x - t)."""
    xp = array_namespace(points_camera, camera.R)
    return xp.matmul(points_camera - camera.t[..., None, :], camera.R)


def seen_from(camera: Camera, placement: Placement) -> Camera:
    """The same camera in the coordinates of a clip that starts at ``placement`` in the camera's world.

    If y are the clip's own coordinates, ``put_back(y, placement)`` are the world's; the returned camera takes y.
    Leading axes of ``placement`` are the camera's without the one over frames.
    """
    turn = to_matrix(about_y(placement.yaw))[..., None, :, :]
    xp = array_namespace(placement.yaw)
    shift = xp.stack([placement.xz[..., 0], xp.zeros_like(placement.yaw), placement.xz[..., 1]], axis=-1)
    moved = xp.matmul(camera.R, shift[..., None, :, None])[..., 0]
    return Camera(xp.matmul(camera.R, turn), camera.t + moved)


def look_at(position: Array, target: Array) -> Camera:
    """Cameras at ``position`` (..., 3) that look at ``target`` (..., 3), the horizon level."""
    xp = array_namespace(position, target)
    forward = normalise(target - position)
    up = xp.zeros_like(forward) + constant([0.0, 1.0, 0.0], forward)
    right = normalise(cross(forward, up))
    down = cross(forward, right)
    R = xp.stack([right, down, forward], axis=-2)
    t = -xp.sum(R * position[..., None, :], axis=-1)
    return Camera(R, t)


def orbit(target: Array, azimuth: Array, pitch: Array, distance: Array) -> Camera:
    """Cameras around ``target`` (..., 3): ``azimuth`` (...) from +Z towards +X, ``pitch`` (...) of the view.

    Angles are radians, ``distance`` (...) is metres; a negative pitch looks down from above.
    """
    xp = array_namespace(target, azimuth)
    direction = xp.stack(
        [xp.cos(pitch) * xp.sin(azimuth), -xp.sin(pitch), xp.cos(pitch) * xp.cos(azimuth)], axis=-1
    )
    return look_at(target + distance[..., None] * direction, target)
