# SPDX-License-Identifier: Apache-2.0
"""What VideoMDM's losses measure: the theory in numbers, what is masked, and gradients that stay finite."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import Camera, orbit, project, seen_from, to_world  # noqa: E402 (after the skip)
from videomdm.diffusion.guidance import align_to_rays  # noqa: E402
from videomdm.motion import representation  # noqa: E402
from videomdm.motion.representation import decode, encode, put_back, start  # noqa: E402
from videomdm_training.clips import hold_after_end  # noqa: E402
from videomdm_training.losses import (  # noqa: E402
    alignment_loss,
    alignment_target,
    depth_weights,
    feature_loss,
    floor_loss,
    on_path,
    reprojection_losses,
)

from .motions import person  # noqa: E402


def cameras(azimuths, pitch=-0.2, distance=5.0, dtype=torch.float64) -> Camera:
    azimuth = torch.as_tensor(azimuths, dtype=dtype)
    target = torch.tensor([0.0, 0.9, 0.0], dtype=dtype).expand(len(azimuth), 3)
    one = torch.ones_like(azimuth)
    camera = orbit(target, azimuth, pitch * one, distance * one)
    return Camera(camera.R[:, None], camera.t[:, None])


def scene(B=3, T=12, dtype=torch.float64):
    """Clips, cameras, exact keypoints, full confidence and mask."""
    clip = torch.from_numpy(person(T, walking=1.0)).to(dtype)
    positions = clip.expand(B, T, 22, 3).clone()
    camera = cameras(torch.linspace(0, 2.5, B, dtype=dtype), dtype=dtype)
    keypoints = project(camera.to_camera(positions))[0]
    ones = torch.ones(B, T, 22, dtype=dtype)
    return positions, camera, keypoints, ones, torch.ones(B, T, dtype=torch.bool)


def test_with_matched_depth_the_loss_is_the_squared_error_across_the_ray():
    positions, camera, keypoints, confidence, mask = scene()
    error = 0.1 * torch.randn(positions.shape, dtype=positions.dtype)
    error[..., 2] = 0  # of the camera: depth is right
    predicted = to_world(camera, camera.to_camera(positions) + error)
    place, _ = reprojection_losses(predicted, camera, keypoints, confidence, mask, "joint")
    assert float(place) == pytest.approx(float(error.square().sum(-1).mean()), rel=1e-9)


def test_with_matched_depth_the_velocity_loss_is_the_squared_error_of_steps():
    positions, camera, _, confidence, mask = scene()
    still = positions[:, :1].expand_as(positions)
    keypoints = project(camera.to_camera(still))[0]
    error = 0.1 * torch.randn(positions.shape, dtype=positions.dtype)
    error[..., 2] = 0
    predicted = to_world(camera, camera.to_camera(still) + error)
    _, change = reprojection_losses(predicted, camera, keypoints, confidence, mask, "joint")
    step = error[:, 1:] - error[:, :-1]
    assert float(change) == pytest.approx(float(step.square().sum(-1).mean()), rel=1e-9)


@pytest.mark.parametrize("error", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.6, -0.3, 0.8)])
def test_over_all_azimuths_the_loss_is_squared_3d_error_with_fixed_weights(error):
    count = 90
    camera = cameras(2 * math.pi * torch.arange(count, dtype=torch.float64) / count, pitch=0.0)
    truth = torch.tensor([0.0, 0.9, 0.0], dtype=torch.float64).expand(count, 2, 22, 3)
    keypoints = project(camera.to_camera(truth))[0]
    e = 1e-4 * torch.tensor(error, dtype=torch.float64)  # small: depth is then right to first order
    ones = torch.ones(count, 2, 22, dtype=torch.float64)
    place, _ = reprojection_losses(truth + e, camera, keypoints, ones, ones[..., 0] > 0, "joint")
    expected = (e[0] ** 2 + e[2] ** 2) / 2 + e[1] ** 2
    assert float(place) == pytest.approx(float(expected), rel=1e-3)


def test_masked_frames_and_unseen_joints_say_nothing():
    positions, camera, keypoints, confidence, mask = scene()
    positions = positions + 0.05
    mask[:, 8:] = False
    confidence[:, :, 5] = 0
    before = reprojection_losses(positions, camera, keypoints, confidence, mask)
    keypoints[:, 8:] += 3.0
    keypoints[:, :, 5] -= 2.0
    after = reprojection_losses(positions, camera, keypoints, confidence, mask)
    for a, b in zip(before, after, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-12)
        assert float(a) >= 0


def test_confidence_weighs_by_its_square():
    positions, camera, keypoints, confidence, mask = scene(B=1)
    keypoints[:, :, 0] += 0.1
    confidence[:] = 1.0
    full, _ = reprojection_losses(positions, camera, keypoints, confidence, mask, "none")
    confidence[:, :, 0] = 0.5
    half, _ = reprojection_losses(positions, camera, keypoints, confidence, mask, "none")
    assert float(full) == pytest.approx(0.02 / 22, rel=1e-6)
    assert float(half) == pytest.approx(0.25 * 0.02 / 21.25, rel=1e-6)


def test_joints_behind_the_camera_give_nothing_and_no_gradient():
    positions, camera, keypoints, confidence, mask = scene(B=1)
    seen = camera.to_camera(positions)
    seen[:, :, 3, 2] = -4.0
    seen[:, :, 4, 2] = 0.3
    predicted = to_world(camera, seen).requires_grad_()
    losses = reprojection_losses(predicted, camera, keypoints, confidence, mask)
    sum(losses).backward()
    assert float(sum(losses).detach()) == pytest.approx(0.0, abs=1e-12)
    assert not predicted.grad[:, :, 3:5].any()
    seen[..., 2] = -1.0
    hidden = to_world(camera, seen).requires_grad_()
    losses = reprojection_losses(hidden, camera, keypoints, confidence, mask)
    sum(losses).backward()
    assert float(sum(losses).detach()) == 0.0
    assert torch.isfinite(hidden.grad).all() and not hidden.grad.any()


def test_depth_weights_of_each_kind():
    depth = torch.tensor([[[2.0, 4.0], [2.0, 4.0], [100.0, 0.1]]])
    mask = torch.tensor([[True, True, False]])
    assert torch.equal(depth_weights(depth, "joint", mask)[0, 0], torch.tensor([4.0, 16.0]))
    assert torch.equal(depth_weights(depth, "mean", mask), torch.full((1, 3, 2), 3.0))
    assert torch.equal(depth_weights(depth, "none", mask), torch.ones(1, 3, 2))
    assert float(depth_weights(depth, "joint", mask).min()) == 0.25  # nothing nearer than half a metre


def test_aligned_joints_lie_on_their_rays_and_unseen_ones_stay():
    positions, camera, keypoints, confidence, mask = scene(dtype=torch.float32)
    moved = positions + 0.1 * torch.randn(positions.shape)
    confidence[:, :, 7] = 0
    lengths = mask.sum(1)
    target = alignment_target(moved, camera, keypoints, confidence, lengths)
    aligned = align_to_rays(moved, camera, keypoints, (confidence > 0).float())
    assert torch.equal(aligned[:, :, 7], moved[:, :, 7])
    back = put_back(decode(target), start(aligned))
    assert torch.allclose(back, aligned, atol=1e-4)
    projected = project(camera.to_camera(back))[0]
    others = [j for j in range(22) if j != 7]
    assert torch.allclose(projected[:, :, others], keypoints[:, :, others], atol=1e-4)
    # the closest point: what is left of the way there is across the ray
    ray = camera.rays(keypoints)
    left = ((aligned - moved) * ray).sum(-1)[:, :, others]
    assert torch.allclose(left, torch.zeros_like(left), atol=1e-4)


def test_poses_are_aligned_on_the_path_of_the_teacher():
    positions, camera, keypoints, confidence, mask = scene(T=48, dtype=torch.float32)
    own = seen_from(camera, start(positions))
    truth = encode(positions)
    drifted = truth.clone()
    drifted[..., representation.ROOT_LINEAR] += torch.tensor([0.02, 0.01])
    drifted[..., representation.ROOT_ANGULAR] += 0.005

    def error(features):
        target = alignment_target(decode(features), own, keypoints, confidence, mask.sum(1))
        return float((target - truth)[..., representation.POSITIONS].square().mean())

    assert error(on_path(drifted, truth)) < 1e-6 < 1e-3 < error(drifted)


def test_the_alignment_target_holds_the_last_frame_over_the_padding():
    positions, camera, keypoints, confidence, _ = scene(dtype=torch.float32)
    lengths = torch.tensor([12, 8, 4])
    held = hold_after_end(positions, lengths)
    assert torch.equal(held[1, 8:], positions[1, 7:8].expand(4, -1, -1))
    assert torch.equal(held[0], positions[0])
    target = alignment_target(positions, camera, keypoints, confidence, lengths)
    assert not target[2, 4:, representation.VELOCITIES].abs().gt(1e-6).any()
    assert not target.requires_grad


def test_alignment_supervises_the_derived_channels_only():
    x0, target = torch.zeros(2, 8, 263), torch.zeros(2, 8, 263)
    mask = torch.ones(2, 8, dtype=torch.bool)
    mask[1, 4:] = False
    target[..., representation.POSITIONS] = 5.0
    target[..., representation.ROOT_HEIGHT] = 5.0
    target[1, 4:] = 9.0
    assert float(alignment_loss(x0, target, mask)) == 0.0
    assert float(feature_loss(x0, target, mask)) == pytest.approx(25 * 64 / 263)
    target[..., representation.ROTATIONS] = 1.0
    assert float(alignment_loss(x0, target, mask)) == pytest.approx(126 / (263 - 64))


def test_the_floor_holds_the_lowest_joint_of_each_frame():
    positions, *_, mask = scene(B=2, T=6)
    positions[..., 1] -= positions[..., 1].amin(-1, keepdim=True)  # each frame stands on the floor
    assert float(floor_loss(positions, mask)) == pytest.approx(0.0, abs=1e-12)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=positions.dtype)
    for height in (0.2, -0.2):
        assert float(floor_loss(positions + height * up, mask)) == pytest.approx(0.04)
    sunk = positions.clone()
    sunk[0, 2] -= 0.3 * up
    assert float(floor_loss(sunk, mask)) == pytest.approx(0.09 / 12)
    mask[0, 2] = False
    assert float(floor_loss(sunk, mask)) == pytest.approx(0.0, abs=1e-12)
    sunk.requires_grad_()
    floor_loss(sunk, torch.ones_like(mask)).backward()
    assert float(sunk.grad[0, 2, :, 1].sum()) < 0 and not sunk.grad[..., 0].any()  # pulled up, never sideways


def test_the_root_may_count_several_times():
    x0, target, mask = torch.zeros(1, 4, 263), torch.zeros(1, 4, 263), torch.ones(1, 4, dtype=torch.bool)
    target[..., representation.ROOT_ANGULAR] = 2.0
    target[..., representation.CONTACTS] = 1.0
    assert float(feature_loss(x0, target, mask)) == pytest.approx((4 + 4) / 263)
    assert float(feature_loss(x0, target, mask, root=5.0)) == pytest.approx((5 * 4 + 4) / (263 + 4 * 4))


@pytest.mark.parametrize("start_from", ["zeros", "noise", "motion"])
def test_gradients_are_finite_through_the_whole_geometry(start_from):
    positions, camera, keypoints, confidence, mask = scene(dtype=torch.float32)
    features = encode(positions)
    x0 = {"zeros": torch.zeros_like(features), "noise": torch.randn(features.shape), "motion": features}[
        start_from
    ].requires_grad_()
    joints = decode(x0)
    place, change = reprojection_losses(joints, camera, keypoints, confidence, mask)
    target = alignment_target(joints, camera, keypoints, confidence, mask.sum(1))
    loss = place + change + alignment_loss(x0, target, mask)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(target).all()
    assert torch.isfinite(x0.grad).all()
