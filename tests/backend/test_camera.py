# SPDX-License-Identifier: Apache-2.0
"""Cameras: projection, rays, the closest point on a ray, and changes of coordinates."""

from __future__ import annotations

import numpy as np

from videomdm import camera
from videomdm.motion import representation as r


def cameras(count: int = 20, seed: int = 0) -> camera.Camera:
    rng = np.random.default_rng(seed)
    return camera.orbit(
        np.tile([0.0, 1.0, 0.0], (count, 1)),
        rng.uniform(0, 2 * np.pi, count),
        rng.uniform(-0.5, 0.3, count),
        rng.uniform(3, 8, count),
    )


def points(count: int = 20, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, (count, 22, 3)) + np.array([0, 1, 0])


def test_cameras_are_level_and_look_at_their_target():
    cams = cameras()
    assert np.allclose(np.linalg.det(cams.R), 1)
    assert np.allclose(cams.R[:, 0, 1], 0)  # the image's x axis is horizontal
    seen = cams.to_camera(np.tile([0.0, 1.0, 0.0], (20, 1, 1)))
    assert np.allclose(seen[..., :2], 0, atol=1e-12) and (seen[..., 2] > 0).all()
    above = cams.to_camera(np.tile([0.0, 1.5, 0.0], (20, 1, 1)))
    assert (above[..., 1] < 0).all()  # y points down
    assert np.allclose(cams.to_camera(cams.centre[:, None]), 0, atol=1e-12)


def test_a_negative_pitch_looks_down_from_above():
    cam = camera.orbit(np.array([0.0, 1, 0]), np.array(0.0), np.array(-0.4), np.array(5.0))
    assert cam.centre[1] > 2.5 and cam.centre[2] > 4
    left = cam.to_camera(np.array([[1.0, 1, 0]]))
    assert left[0, 0] > 0  # a person who faces the camera has the left side at the image's right


def test_rays_pass_through_what_was_projected_and_the_nearest_point_is_square_to_them():
    cams, world = cameras(), points()
    seen = cams.to_camera(world)
    image, visible = camera.project(seen)
    assert visible.all()
    assert np.allclose(camera.to_world(cams, seen), world)
    rays = cams.rays(image)
    along = world - cams.centre[:, None]
    assert np.allclose(np.cross(rays, along), 0, atol=1e-9)
    moved = seen + np.random.default_rng(2).normal(0, 0.1, seen.shape)
    nearest = camera.closest_on_ray(moved, image)
    assert np.allclose(camera.project(nearest)[0], image)
    assert np.allclose(((moved - nearest) * camera.homogeneous(image)).sum(-1), 0, atol=1e-9)


def test_points_near_or_behind_the_camera_plane_are_marked_and_stay_finite():
    seen = np.array([[0.1, 0.2, 0.4], [0.1, 0.2, -3.0], [0.0, 0.0, 0.0], [0.1, 0.2, 2.0]])
    image, visible = camera.project(seen)
    assert visible.tolist() == [False, False, False, True]
    assert np.isfinite(image).all()
    assert (camera.closest_on_ray(seen, image)[:, 2] >= camera.NEAREST_DEPTH).all()


def test_a_camera_can_be_moved_into_the_coordinates_of_a_clip():
    rng = np.random.default_rng(3)
    joints = rng.normal(0, 0.4, (4, 30, 22, 3)) + np.array([1.0, 1.0, -2.0])
    cams = cameras(4)
    cams = camera.Camera(cams.R[:, None], cams.t[:, None])
    own = r.decode(r.encode(joints))
    moved = camera.seen_from(cams, r.start(joints))
    assert np.allclose(moved.to_camera(own), cams.to_camera(joints))
