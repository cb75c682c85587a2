# SPDX-License-Identifier: Apache-2.0
"""Cameras recovered from joints: synthetic walks, published motion, a calibrated recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from tests.support import pose2sim
from tests.support.figure import project, side_camera, walking_joints

from videomdm.camera import Camera, look_at
from videomdm.camera_fit import (
    HUBER,
    fit_cameras,
    intrinsics_guess,
    normalise_points,
    solve_static_camera,
    to_pixels,
)
from videomdm.errors import UserError
from videomdm.keypoints.joints import to_joints

UNSEEN = [3, 6, 9, 13, 14]  # spine and collars
PERSON = 1.7  # metres


def turn_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between rotations (..., 3, 3)."""
    return np.degrees(Rotation.from_matrix((a @ np.swapaxes(b, -1, -2)).reshape(-1, 3, 3)).magnitude())


def many_clips(count: int, rng: np.random.Generator) -> tuple[np.ndarray, Camera, np.ndarray]:
    """Walks (B, T, 22, 3), cameras around them, tilted and rolled, and their distances (B,)."""
    clips = []
    for _ in range(count):
        clip = walking_joints(50, speed=rng.uniform(0, 1.5), turn=rng.uniform(-1, 1))
        clip += gaussian_filter1d(rng.normal(size=clip.shape), 6, axis=0) * 0.1
        clips.append(clip @ Rotation.from_euler("y", rng.uniform(0, 360), degrees=True).as_matrix().T)
    positions = np.stack(clips)
    distance = rng.uniform(3, 8, count)
    azimuth, elevation = rng.uniform(0, 2 * np.pi, count), rng.uniform(-0.2, 0.5, count)
    level = np.stack([np.sin(azimuth), np.cos(azimuth)])
    direction = np.stack([np.cos(elevation) * level[0], np.sin(elevation), np.cos(elevation) * level[1]], -1)
    target = positions[:, :, 0].mean(axis=1)
    camera = look_at(target + distance[:, None] * direction, target + rng.normal(0, 0.3, (count, 3)))
    roll = Rotation.from_euler("z", rng.normal(0, 2, (count, 1)), degrees=True).as_matrix()
    return positions, Camera(roll @ camera.R, (roll @ camera.t[..., None])[..., 0]), distance


def seen(
    positions: np.ndarray, camera: Camera, distance: np.ndarray, pixels: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Noisy normalised points, ``pixels`` of noise on a person 1000 pixels tall, a fifth of the joints hidden."""
    batched = Camera(camera.R[:, None], camera.t[:, None])
    xy = project(positions, batched)
    xy = xy + rng.normal(size=xy.shape) * (pixels / 1000 * PERSON / distance)[:, None, None, None]
    weight = (rng.uniform(size=xy.shape[:-1]) > 0.2) * rng.uniform(0.3, 1, xy.shape[:-1])
    weight[..., UNSEEN] = 0
    return xy, weight


class TestIntrinsics:
    def test_pixels_and_normalised_points_are_inverse(self) -> None:
        K = intrinsics_guess(1920, 1080)
        xy = np.random.default_rng(0).uniform(0, 1000, (5, 7, 2))
        np.testing.assert_allclose(to_pixels(normalise_points(xy, K), K), xy, atol=1e-9)
        np.testing.assert_allclose(normalise_points(np.array([960.0, 540.0]), K), 0)

    def test_the_field_of_view_spans_the_longer_side(self) -> None:
        for size in ((1920, 1080), (1080, 1920)):
            K = intrinsics_guess(*size, fov_degrees=90)
            assert K[0, 0] == pytest.approx(960) == K[1, 1]
            assert (K[0, 2], K[1, 2]) == (size[0] / 2, size[1] / 2)

    def test_an_impossible_field_of_view_is_refused(self) -> None:
        with pytest.raises(UserError, match="field of view"):
            intrinsics_guess(100, 100, 190)


class TestStatic:
    def test_without_noise_the_camera_is_exact(self) -> None:
        rng = np.random.default_rng(1)
        positions, camera, distance = many_clips(12, rng)
        fit = fit_cameras(positions, *seen(positions, camera, distance, 0.0, rng))
        assert turn_error(fit.camera.R, camera.R).max() < 0.02
        assert np.abs(fit.camera.centre - camera.centre).max() < 2e-3
        assert fit.error.max() < 1e-4

    @pytest.mark.parametrize(("pixels", "degrees", "part"), [(5.0, 0.5, 0.01), (10.0, 1.0, 0.02)])
    def test_detector_noise_moves_the_camera_little(self, pixels: float, degrees: float, part: float) -> None:
        rng = np.random.default_rng(2)
        positions, camera, distance = many_clips(40, rng)
        fit = fit_cameras(positions, *seen(positions, camera, distance, pixels, rng))
        assert turn_error(fit.camera.R, camera.R).max() < degrees
        assert (np.linalg.norm(fit.camera.centre - camera.centre, axis=-1) / distance).max() < part

    def test_wild_points_do_not_pull(self) -> None:
        rng = np.random.default_rng(3)
        positions, camera, distance = many_clips(10, rng)
        xy, weight = seen(positions, camera, distance, 5.0, rng)
        wild = rng.uniform(size=xy.shape[:-1]) < 0.1
        xy[wild] += rng.normal(0, 0.5, (wild.sum(), 2))
        fit = fit_cameras(positions, xy, weight)
        assert turn_error(fit.camera.R, camera.R).max() < 1.5

    def test_torch_gives_what_numpy_gives(self) -> None:
        rng = np.random.default_rng(4)
        positions, camera, distance = many_clips(4, rng)
        xy, weight = seen(positions, camera, distance, 5.0, rng)
        ours = fit_cameras(positions, xy, weight)
        theirs = fit_cameras(*(torch.tensor(array, dtype=torch.float32) for array in (positions, xy, weight)))
        assert isinstance(theirs.camera.R, torch.Tensor)
        assert theirs.camera.R.dtype == torch.float32
        assert turn_error(theirs.camera.R.double().numpy(), ours.camera.R).max() < 0.05
        np.testing.assert_allclose(theirs.camera.t.numpy(), ours.camera.t, atol=0.02)

    def test_it_finds_the_optimum_that_scipy_finds(self) -> None:
        rng = np.random.default_rng(5)
        positions, camera, distance = many_clips(1, rng)
        xy, weight = seen(positions, camera, distance, 8.0, rng)
        fit = solve_static_camera(positions[0], xy[0], weight[0], upright=0.0)
        width = HUBER / distance[0]

        def residuals(change: np.ndarray) -> np.ndarray:
            R = Rotation.from_rotvec(change[:3]).as_matrix() @ camera.R[0]
            moved = Camera(R, camera.t[0] + change[3:])
            return (np.linalg.norm(project(positions[0], moved) - xy[0], axis=-1) * weight[0]).ravel()

        reference = least_squares(residuals, np.zeros(6), loss="huber", f_scale=width)
        R = Rotation.from_rotvec(reference.x[:3]).as_matrix() @ camera.R[0]
        assert turn_error(fit.camera.R, R).max() < 0.1
        np.testing.assert_allclose(fit.camera.t, camera.t[0] + reference.x[3:], atol=0.02)

    def test_a_level_camera_is_preferred_where_little_is_seen(self) -> None:
        """Two joints above each other, in two frames: roll and pitch are open without the prior."""
        rng = np.random.default_rng(6)
        joints = walking_joints(3, speed=0.0)
        camera = side_camera(joints, azimuth=0.3)
        xy, weight = project(joints, camera) + rng.normal(0, 0.01, (3, 22, 2)), np.zeros((3, 22))
        weight[:, [12, 15, 16, 17]] = 1
        level = solve_static_camera(joints, xy, weight, upright=10.0).camera
        free = solve_static_camera(joints, xy, weight, upright=0.0).camera
        assert np.degrees(np.arccos(-level.R[1, 1])) < 15
        assert np.arccos(-level.R[1, 1]) < np.arccos(-free.R[1, 1])

    def test_clips_in_which_nothing_is_seen_do_not_disturb_the_others(self) -> None:
        rng = np.random.default_rng(7)
        positions, camera, distance = many_clips(3, rng)
        xy, weight = seen(positions, camera, distance, 0.0, rng)
        weight[1] = 0
        fit = fit_cameras(positions, xy, weight)
        assert np.isinf(fit.error[1])
        assert np.isfinite(fit.camera.R).all()
        assert turn_error(fit.camera.R[[0, 2]], camera.R[[0, 2]]).max() < 0.02

    def test_too_little_to_see_is_told(self) -> None:
        with pytest.raises(UserError, match="Too few joints"):
            solve_static_camera(walking_joints(2), np.zeros((2, 22, 2)), np.zeros((2, 22)))

    def test_published_motion(self, shared_data: Path) -> None:
        rng = np.random.default_rng(8)
        for path in sorted(shared_data.glob("humanml3d/**/new_joints/*.npy")):
            positions = np.load(path).astype(np.float64)[None]
            for azimuth in (0.0, 1.5, 3.0, 4.5):
                camera = side_camera(positions[0], 4.0, azimuth)
                batched = Camera(camera.R[None], camera.t[None])
                xy, weight = seen(positions, batched, np.array([4.0]), 10.0, rng)
                fit = solve_static_camera(positions[0], xy[0], weight[0])
                assert turn_error(fit.camera.R, camera.R).max() < 0.7
                assert np.linalg.norm(fit.camera.centre - camera.centre) < 0.06


@pytest.mark.parametrize(("name", "median"), [("cam01", 13.0), ("cam03", 20.0)])
def test_the_calibrated_recording(shared_data: Path, name: str, median: float) -> None:
    """Markers project onto the detections, and a camera fitted to them is the calibrated one."""
    folder = shared_data / "lifting" / "pose2sim_single"
    camera = pose2sim.read_camera(folder, name)
    markers, there = pose2sim.read_markers(folder)
    keypoints = pose2sim.read_keypoints(folder, name)
    distance = np.linalg.norm(camera.project(markers) - keypoints.points, axis=-1)
    assert np.median(distance[(keypoints.confidence > 0.3) & there]) < median

    joints, exists = pose2sim.read_joints(folder)
    for intrinsics in (camera.intrinsics, intrinsics_guess(camera.width, camera.height)):
        xy, weight = to_joints(keypoints, intrinsics)
        fit = solve_static_camera(joints, xy, weight * (exists > 0))
        assert turn_error(fit.camera.R, camera.camera.R).max() < 2.5
        assert np.linalg.norm(fit.camera.centre - camera.camera.centre) < 0.12
