# SPDX-License-Identifier: Apache-2.0
"""Synthetic footage: cameras that see the whole clip, and errors of the size that was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import project  # noqa: E402 (after the skip)
from videomdm_training.views import CameraConfig, DetectorConfig, observe, sample_cameras  # noqa: E402

from .motions import person  # noqa: E402


@pytest.fixture(scope="module")
def clips():
    """Positions (32, 80, 22, 3) and their mask; every second clip ends early and then lies far away."""
    motions = [person(80, walking=1.0 + 0.1 * (i % 5), phase=0.1 * i) for i in range(32)]
    positions = torch.from_numpy(np.stack(motions))
    mask = torch.ones(32, 80, dtype=torch.bool)
    mask[::2, 60:] = False
    positions[::2, 60:] += 500.0
    return positions, mask


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "config", [CameraConfig(), CameraConfig(distance_factor=(1.0, 4.0), shortest_distance=1.0)]
)
def test_cameras_have_the_whole_clip_before_them(clips, config):
    positions, mask = clips
    camera = sample_cameras(positions, mask, generator(), config)
    seen = camera.to_camera(positions)
    assert float(seen[..., 2][mask].min()) > 0.9
    uv, visible = project(seen)
    assert visible[mask].all()
    assert float(uv[mask].abs().max()) < 1.6  # 58 degrees off the axis, for people who pass close by
    # level and at the asked pitch
    down = camera.R[:, 0, 2, 1]
    assert float(camera.R[:, 0, 0, 1].abs().max()) < 1e-5
    assert float(down.min()) >= math.sin(config.pitch[0]) - 1e-5
    assert float(down.max()) <= math.sin(config.pitch[1]) + 1e-5


def test_cameras_stand_all_around(clips):
    positions, mask = clips
    camera = sample_cameras(positions.repeat(8, 1, 1, 1), mask.repeat(8, 1), generator(), CameraConfig())
    forward = camera.R[:, 0, 2]
    assert float(torch.stack([forward[:, 0].mean(), forward[:, 2].mean()]).abs().max()) < 0.15


def noise(clips, detector):
    """Errors of the keypoints as parts of the person's height, and the confidence."""
    positions, mask = clips
    positions = positions[1::2]
    camera = sample_cameras(positions, mask[1::2], generator(), CameraConfig())
    exact, _ = project(camera.to_camera(positions))
    height = (exact[..., 1].amax(-1) - exact[..., 1].amin(-1))[..., None, None]
    view = observe(positions, camera, generator(1), detector)
    return (view.keypoints - exact) / height, view.confidence


def test_jitter_and_drift_have_their_size(clips):
    error, confidence = noise(clips, DetectorConfig(jitter=0.01, drift=0.0, dropout=0.0))
    assert float(confidence.min()) >= 0.5 and float(confidence.max()) <= 1.0
    spread = error / (1.5 - confidence)[..., None]
    assert float(spread.std()) == pytest.approx(0.01, rel=0.03)
    assert abs(float(spread.mean())) < 0.0005
    sure, unsure = error[confidence > 0.9], error[confidence < 0.6]
    assert float(sure.std()) == pytest.approx(0.0055, rel=0.1)
    assert float(unsure.std()) == pytest.approx(0.0095, rel=0.1)

    drift, confidence = noise(clips, DetectorConfig(jitter=0.0, drift=0.01, dropout=0.0))
    drift = drift / (1.5 - confidence)[..., None]
    assert float(drift.std()) == pytest.approx(0.01 * math.sqrt(2 / 3), rel=0.06)  # blends of two knots
    # slow: from frame to frame it changes by far less than its size
    assert float((drift[:, 1:] - drift[:, :-1]).std()) < 0.25 * float(drift.std())


def test_no_errors_asked_for_is_none(clips):
    error, confidence = noise(clips, DetectorConfig(0.0, 0.0, 0.0))
    assert float(error.abs().max()) < 1e-6
    assert float(confidence.min()) >= 0.5


def test_joints_drop_out_in_runs_about_as_often_as_said(clips):
    _, confidence = noise(clips, DetectorConfig())
    gone = confidence == 0
    assert 0.03 < float(gone.float().mean()) < 0.06
    begins = (gone[:, 1:] & ~gone[:, :-1]).sum()
    assert float(gone.sum() / begins) > 2  # frames in a run
    _, none = noise(clips, DetectorConfig(dropout=0.0))
    assert not (none == 0).any()


def test_the_same_generator_sees_the_same(clips):
    first, second = noise(clips, DetectorConfig()), noise(clips, DetectorConfig())
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
