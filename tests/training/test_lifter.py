# SPDX-License-Identifier: Apache-2.0
"""The lifter: geometry that is exact, and a training that learns."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.camera import Camera, orbit, project  # noqa: E402 (after the skip)
from videomdm.errors import UserError  # noqa: E402
from videomdm.model.checkpoint import load_model  # noqa: E402
from videomdm.model.lifter import Lifted, Lifter, LifterConfig, level_camera, place_root, to_world  # noqa: E402
from videomdm_training.clips import Clips  # noqa: E402
from videomdm_training.engine import EngineConfig  # noqa: E402
from videomdm_training.teacher.fit_lifter import (  # noqa: E402
    LifterFitConfig,
    fit_lifter,
    lifter_losses,
    mirror_clips,
)

from .motions import person, variety  # noqa: E402

SMALL = LifterConfig(width=32, layers=1, heads=2, hidden=48)


def seen(walking=0.0, distance=4.0, frames=40):
    """Joints in camera space (1, T, 22, 3), their keypoints, and the camera."""
    positions = torch.from_numpy(person(frames, walking=walking, waving=0.4))[None]
    camera = orbit(
        torch.tensor([[0.0, 0.9, 0.5]]), torch.tensor([0.7]), torch.tensor([-0.2]), torch.tensor([distance])
    )
    camera = Camera(camera.R[:, None], camera.t[:, None])
    joints = camera.to_camera(positions)
    return joints, project(joints)[0], camera, positions


def test_the_root_of_an_exact_pose_is_found_exactly():
    # a person who stands waves: depth does not change, so smoothing it over time takes nothing away
    joints, keypoints, _, _ = seen()
    joints = joints[:, 10:11].expand(-1, 40, -1, -1)
    keypoints = keypoints[:, 10:11].expand(-1, 40, -1, -1)
    root = joints[:, :, 0]
    pose = joints - joints[:, :, :1]
    found = place_root(pose, keypoints, torch.ones(1, 40, 22), root[:, 0, 2])
    assert torch.allclose(found, root, atol=2e-4)


@pytest.mark.parametrize("wrong", [0.7, 1.4])
def test_a_wrong_guess_of_depth_counts_for_a_tenth(wrong):
    joints, keypoints, _, _ = seen()
    root, pose = joints[:, :, 0], joints - joints[:, :, :1]
    found = place_root(pose, keypoints, torch.ones(1, 40, 22), wrong * root[:, 0, 2])
    off = (found[..., 2] / root[..., 2] - 1).abs().max()
    assert 0.5 * abs(wrong - 1) / 11 < float(off) < 1.5 * abs(wrong - 1) / 11 + 0.01


def test_the_root_of_a_walker_is_followed_on_half_of_the_joints():
    joints, keypoints, _, _ = seen(walking=1.0)
    root, pose = joints[:, :, 0], joints - joints[:, :, :1]
    weights = torch.ones(1, 40, 22)
    weights[:, :, ::2] = 0
    keypoints[weights == 0] = 77.0  # nobody looks at them
    found = place_root(pose, keypoints, weights, root.mean(1)[:, 2])
    assert float((found - root).norm(dim=-1)[:, 8:-8].max()) < 0.15


def test_nothing_seen_leaves_the_guess_and_finite_numbers():
    joints, keypoints, _, _ = seen()
    pose = joints - joints[:, :, :1]
    found = place_root(pose, keypoints, torch.zeros(1, 40, 22), torch.tensor([3.5]))
    assert torch.isfinite(found).all()
    assert torch.allclose(found[..., 2], torch.full((1, 40), 3.5), atol=1e-3)


def test_a_level_camera_stands_upright_and_faces_the_person():
    up = torch.nn.functional.normalize(
        torch.tensor([[0.0, -1.0, 0.0], [0.1, -0.9, 0.4], [-0.3, -1.0, -0.2]]), dim=-1
    )
    R = level_camera(up)
    assert torch.allclose(R @ R.mT, torch.eye(3).expand(3, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(R), torch.ones(3), atol=1e-6)
    assert torch.allclose(R[:, :, 1], up, atol=1e-6)
    towards = -R[:, 2]  # the world's direction back to the camera
    assert float(towards[:, 0].abs().max()) < 1e-6 and float(towards[:, 2].min()) > 0.5


def test_a_true_lift_gives_back_the_world_up_to_heading():
    joints, _, camera, positions = seen(walking=1.0)
    world, found = to_world(Lifted(joints, camera.R[:, 0, :, 1]))
    assert torch.allclose(world[..., 1], positions[..., 1], atol=0.05)  # the floor is a percentile
    spans = [(p[:, :, None] - p[:, :, :, None]).norm(dim=-1) for p in (world, positions)]
    assert torch.allclose(*spans, atol=1e-4)
    assert torch.allclose(world[0, 0, 0, ::2], torch.zeros(2), atol=1e-5)
    again = world @ found.R[0].T + found.t[0]
    assert torch.allclose(again, joints, atol=1e-4)


def test_the_lifter_ignores_what_is_unseen_or_padding():
    torch.manual_seed(0)
    network = Lifter(SMALL).eval()
    torch.nn.init.normal_(network.write.weight, std=0.05)
    _, keypoints, _, _ = seen()
    weights = torch.ones(1, 40, 22)
    weights[:, 5:9, 3] = 0
    mask = torch.ones(1, 40, dtype=torch.bool)
    mask[:, 32:] = False
    before = network(keypoints, weights, mask)
    changed = keypoints.clone()
    changed[:, 5:9, 3] = 9.0
    after = network(changed, weights, mask)
    assert torch.allclose(before.joints, after.joints, atol=1e-5)
    changed[:, 32:] += 0.01
    after = network(changed, weights, mask)
    assert torch.allclose(before.up, after.up, atol=1e-5)
    assert torch.allclose(before.joints[:, :20], after.joints[:, :20], atol=1e-5)
    short = network(keypoints[:, :32], weights[:, :32])
    assert torch.allclose(short.joints[:, :20], before.joints[:, :20], atol=1e-4)
    with pytest.raises(ValueError, match="multiple"):
        network(keypoints[:, :31], weights[:, :31])


def test_losses_of_the_truth_are_nothing_and_errors_are_metres():
    joints, _, camera, _ = seen(walking=1.0)
    up, mask = camera.R[:, 0, :, 1], torch.ones(1, 40, dtype=torch.bool)
    none = lifter_losses(Lifted(joints, up), joints, up, mask)
    assert all(float(v) == pytest.approx(0.0, abs=1e-6) for v in none.values())
    moved = joints.clone()
    moved[:, :, 1:, 1] += 0.1
    wrong = lifter_losses(Lifted(moved, up), joints, up, mask)
    assert float(wrong["pose"]) == pytest.approx(0.1, rel=1e-4)
    assert float(wrong["velocity"]) == pytest.approx(0.0, abs=1e-6)
    mask[:, 20:] = False
    moved[:, 20:] = 50.0
    assert float(lifter_losses(Lifted(moved, up), joints, up, mask)["pose"]) == pytest.approx(0.1, rel=1e-4)


def test_mirroring_clips_swaps_sides_where_chosen():
    clips = torch.from_numpy(np.stack([person(8, waving=0.3)] * 2))
    mirrored = mirror_clips(clips, torch.tensor([True, False]))
    assert torch.equal(mirrored[1], clips[1])
    assert torch.equal(mirrored[0, :, 20], clips[0, :, 21] * torch.tensor([-1.0, 1.0, 1.0]))


def test_a_short_training_reduces_the_loss_and_writes_a_model(tmp_path):
    motions = [torch.from_numpy(motion) for motion, _ in variety(12)]
    clips = Clips({"positions": torch.cat(motions)}, torch.tensor([len(m) for m in motions]))
    settings = LifterFitConfig(
        engine=EngineConfig(
            steps=40, learning_rate=3e-3, warmup=5, accelerator="cpu", precision="32-true", log_every=5
        ),
        sizes=SMALL,
        batch=8,
        crop=32,
    )
    outcome = fit_lifter(clips, settings, tmp_path, "CC0-1.0")
    assert outcome.finished
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert np.mean([row["loss"] for row in rows[-2:]]) < 0.6 * rows[0]["loss"]
    assert rows[-1]["pose"] < rows[0]["pose"]
    loaded = load_model(tmp_path / "lifter.safetensors", Lifter)
    assert loaded.meta["steps"] == 40 and loaded.network.config == SMALL
    with pytest.raises(UserError):
        from videomdm.model.denoiser import Denoiser

        load_model(tmp_path / "lifter.safetensors", Denoiser)
