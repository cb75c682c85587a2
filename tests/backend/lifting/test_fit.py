# SPDX-License-Identifier: Apache-2.0
"""Bodies fitted to footage whose true motion is known."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.support.actor import perform  # noqa: E402

from videomdm.camera import look_at, project  # noqa: E402
from videomdm.errors import Cancelled, UserError  # noqa: E402
from videomdm.lifting import FitConfig, Fitted, Footage, fit_bodies, fit_body  # noqa: E402
from videomdm.lifting.fit import DEPTH_ERROR  # noqa: E402
from videomdm.motion.skeleton import PARENTS  # noqa: E402

WRIST = 20


class Scene:
    """An actor before a camera: true joints and up in camera space, footage, and a guess that is off in depth."""

    def __init__(self) -> None:
        world = torch.from_numpy(perform(2.0).motion.positions).float()
        camera = look_at(torch.tensor([2.5, 1.6, 4.0]), torch.tensor([0.3, 0.9, 0.3]))
        self.truth = camera.to_camera(world)
        self.up = camera.R[:, 1]
        keypoints, _ = project(self.truth)
        self.footage = Footage(keypoints, torch.ones(keypoints.shape[:2]))
        wave = torch.sin(torch.arange(len(world))[:, None] / 9.0 + torch.arange(22.0))
        wrong = 1.5 * wave * DEPTH_ERROR
        view = torch.nn.functional.normalize(self.truth, dim=-1)
        self.guess = self.truth + wrong[..., None] * view


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def fitted(scene) -> Fitted:
    return fit_body(scene.guess, scene.up, scene.footage)


def error(joints, truth):
    """Metres (T, 22) about the root."""
    return ((joints - joints[:, :1]) - (truth - truth[:, :1])).norm(dim=-1)


def bones(joints):
    return (joints[:, 1:] - joints[:, list(PARENTS[1:])]).norm(dim=-1)


def test_depth_follows_from_bones_and_keypoints(scene, fitted):
    assert error(scene.guess, scene.truth).mean() > 0.035
    assert error(fitted.joints, scene.truth).mean() < 0.7 * error(scene.guess, scene.truth).mean()


def test_bones_keep_their_lengths_and_joints_are_where_they_were_seen(scene, fitted):
    assert bones(fitted.joints).std(0).max() < 1e-4 < 0.003 < bones(scene.guess).std(0).max()
    assert torch.allclose(bones(fitted.joints).mean(0), bones(scene.truth).mean(0), rtol=0.08)
    off = (project(fitted.joints)[0] - scene.footage.keypoints).norm(dim=-1) * 4
    assert off.mean() < 0.012


def test_clips_of_different_lengths_are_fitted_together_as_alone(scene, fitted):
    n, T = 22, len(scene.truth)
    short = Footage(scene.footage.keypoints[:n], scene.footage.weights[:n])
    alone = fit_body(scene.guess[:n], scene.up, short)
    rows = torch.arange(T).clamp(max=n - 1)
    guess = torch.stack([scene.guess, scene.guess[rows]])
    keypoints = torch.stack([scene.footage.keypoints, scene.footage.keypoints[rows]])
    keypoints[1, n:] += 0.3  # what lies beyond a clip's end must not matter
    mask = torch.stack([torch.ones(T), torch.arange(T) < n]).bool()
    footage = Footage(keypoints, torch.ones(2, T, 22))
    both = fit_bodies(guess, scene.up.expand(2, 3), footage, mask)
    for joints, apart in ((both.joints[0], fitted), (both.joints[1, :n], alone)):
        # the same sums in another order, through sixty steps
        assert (joints - apart.joints).norm(dim=-1).max() < 0.01


def test_a_wrong_keypoint_among_good_ones_does_not_carry_the_hand_away(scene, fitted):
    keypoints = scene.footage.keypoints.clone()
    keypoints[18:20, WRIST] += torch.tensor([0.25, 0.1])  # about a metre
    other = fit_body(scene.guess, scene.up, Footage(keypoints, scene.footage.weights))
    assert (other.joints - fitted.joints)[18:20, WRIST].norm(dim=-1).max() < 0.4


def test_what_was_not_seen_is_where_it_was_expected(scene):
    weights = scene.footage.weights.clone()
    weights[:, [18, WRIST]] = 0
    keypoints = torch.where(weights[..., None] > 0, scene.footage.keypoints, 0.0)
    body = fit_body(scene.truth, scene.up, Footage(keypoints, weights))
    assert error(body.joints, scene.truth)[:, WRIST].mean() < 0.05


def test_resting_feet_tell_where_down_is():
    standing = torch.from_numpy(perform(2.0).motion.positions[:1]).float()
    place = torch.cat([torch.zeros(15), torch.linspace(0, 2, 10), torch.full((15,), 2.0)])
    world = standing + place[:, None, None] * torch.tensor([0.3, 0.0, 1.0])
    camera = look_at(torch.tensor([2.5, 1.6, 5.0]), torch.tensor([0.3, 0.9, 0.8]))
    true, up = camera.to_camera(world), camera.R[:, 1]
    tilted = torch.nn.functional.normalize(up + 0.05 * camera.R[:, 2], dim=0)
    body = fit_body(true, tilted, Footage(project(true)[0], torch.ones(true.shape[:2])))
    assert (body.up - up).norm() < 0.6 * (tilted - up).norm()


def test_nobody_to_be_seen_for_a_while_is_no_obstacle(scene):
    weights = scene.footage.weights.clone()
    weights[10:20] = 0
    keypoints = torch.where(weights[..., None] > 0, scene.footage.keypoints, 0.0)
    with torch.inference_mode():  # as a server may call it
        body = fit_body(scene.guess, scene.up, Footage(keypoints, weights))
    assert torch.isfinite(body.joints).all() and bones(body.joints).std(0).max() < 1e-4


def test_a_fit_tells_of_its_stages_and_can_be_stopped(scene):
    told = []

    def stage(done, joints, up):
        told.append((done, joints.shape))
        if done > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_body(scene.guess, scene.up, scene.footage, stage=stage)
    assert np.allclose([done for done, _ in told], [1 / 3, 2 / 3])
    assert {shape for _, shape in told} == {scene.guess.shape}


@pytest.mark.parametrize("wrong", [{"observed": 0.0}, {"slide": -1.0}, {"gravity": float("nan")}])
def test_deviations_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        FitConfig(**wrong)
    assert FitConfig(proportions=0.0).proportions == 0  # bones of known lengths
