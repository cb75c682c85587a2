# SPDX-License-Identifier: Apache-2.0
"""Synthetic footage: cameras that see the whole clip, and errors of the size that was asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import look_at, project  # noqa: E402 (after the skip)
from videomdm.motion.skeleton import JOINT_NAMES  # noqa: E402
from videomdm_training.occlusion import hidden_by_body  # noqa: E402
from videomdm_training.views import (  # noqa: E402
    CameraConfig,
    DetectorConfig,
    observe,
    perturb_cameras,
    sample_cameras,
)

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


QUIET = DetectorConfig(jitter=0.0, drift=0.0, dropout=0.0)


def seen(clips, detector, seed=1):
    """Exact and reported keypoints and the confidence, of clips from one ring of cameras."""
    positions, mask = clips
    positions = positions[1::2].repeat(4, 1, 1, 1)
    camera = sample_cameras(positions, mask[1::2].repeat(4, 1), generator(), CameraConfig())
    exact, _ = project(camera.to_camera(positions))
    view = observe(positions, camera, generator(seed), detector)
    return exact, view.keypoints, view.confidence


def test_the_errors_of_joints_differ_and_keep_their_mean(clips):
    flat, _ = noise(clips, DetectorConfig(jitter=0.01, drift=0.0, dropout=0.0))
    error, confidence = noise(clips, DetectorConfig(jitter=0.01, drift=0.0, dropout=0.0, by_joint=True))
    by_joint = (error / (1.5 - confidence)[..., None]).std((0, 1, 3)) / 0.01
    head, hip = JOINT_NAMES.index("head"), JOINT_NAMES.index("left_hip")
    assert float(by_joint[head]) < 0.5 and float(by_joint[hip]) > 1.2
    assert float(by_joint.mean()) == pytest.approx(1.0, rel=0.03)
    assert float(error.std()) == pytest.approx(float(flat.std()), rel=0.15)


def test_swapped_limbs_change_places_whole_and_in_runs(clips):
    exact, keypoints, confidence = seen(clips, replace(QUIET, swap=0.05))
    left = [JOINT_NAMES.index(f"left_{part}") for part in ("hip", "knee", "ankle", "foot")]
    right = [JOINT_NAMES.index(f"right_{part}") for part in ("hip", "knee", "ankle", "foot")]
    swapped = (keypoints[:, :, left] - exact[:, :, right]).norm(dim=-1).amax(-1) < 1e-6
    kept = (keypoints[:, :, left] - exact[:, :, left]).norm(dim=-1).amax(-1) < 1e-6
    assert (swapped | kept).all()
    assert 0.03 < float((swapped & ~kept).float().mean()) < 0.15
    head = JOINT_NAMES.index("head")
    assert float((keypoints[:, :, head] - exact[:, :, head]).abs().max()) < 1e-6
    assert (confidence >= 0.5).all()


def test_something_in_the_way_hides_a_limb_at_once(clips):
    _, _, confidence = seen(clips, replace(QUIET, occlusion=0.05))
    elbow, wrist, trunk = (JOINT_NAMES.index(name) for name in ("left_elbow", "left_wrist", "spine2"))
    gone = confidence == 0
    assert (gone[..., elbow] == gone[..., wrist]).all() and not gone[..., trunk].any()
    assert 0.03 < float(gone[..., wrist].float().mean()) < 0.15


def test_the_far_arm_is_hidden_from_the_side():
    """Seen from its left, a standing person hides the right elbow behind the trunk, and not the left one."""
    body = torch.from_numpy(person(4)).clone()
    side = [JOINT_NAMES.index(f"{s}_elbow") for s in ("left", "right")]
    body[:, side, 2] = body[:, [0], 2]
    body[:, side, 1] = body[:, [6], 1]
    camera = look_at(torch.tensor([4.0, 1.1, 0.0]), torch.tensor([0.0, 1.1, 0.0]))
    hidden = hidden_by_body(camera.to_camera(body)[None])[0]
    assert hidden[:, side[1]].all() and not hidden[:, side[0]].any()
    front = look_at(torch.tensor([0.0, 1.1, 4.0]), torch.tensor([0.0, 1.1, 0.0]))
    assert not hidden_by_body(front.to_camera(torch.from_numpy(person(4)))[None]).any()


def test_hidden_joints_go_unseen_or_are_less_certain(clips):
    _, _, always = seen(clips, replace(QUIET, self_occlusion=1.0))
    _, _, never = seen(clips, QUIET)
    _, _, rarely = seen(clips, replace(QUIET, self_occlusion=1e-9))
    assert (never >= 0.5).all()
    behind = rarely < never
    assert 0.02 < float(behind.float().mean()) < 0.3
    torch.testing.assert_close(rarely[behind], 0.5 * never[behind])
    assert (always[~behind] == never[~behind]).all()
    assert float((always[behind] == 0).float().mean()) > 0.7


def test_estimated_cameras_are_as_far_off_as_said(clips):
    positions, mask = clips
    positions, mask = positions.repeat(16, 1, 1, 1), mask.repeat(16, 1)
    camera = sample_cameras(positions, mask, generator(), CameraConfig())
    distance = torch.full((len(positions),), 5.0)
    noisy = perturb_cameras(camera, distance, generator(2), 3.0, 0.1)
    turn = noisy.R[:, 0] @ camera.R[:, 0].mT
    angle = ((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos()
    assert math.degrees(float(angle.square().mean().sqrt())) == pytest.approx(3.0 * math.sqrt(3), rel=0.06)
    turned = (turn @ camera.t[:, 0, :, None])[..., 0]
    assert float((noisy.t[:, 0] - turned).std()) == pytest.approx(0.5, rel=0.06)
    torch.testing.assert_close(perturb_cameras(camera, distance, generator(2), 0.0, 0.0).R, camera.R)
