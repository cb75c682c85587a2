# SPDX-License-Identifier: Apache-2.0
"""Train the lifter on motion clips seen by synthetic cameras."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.errors import UserError
from videomdm.model.checkpoint import save_model
from videomdm.model.lifter import Lifted, Lifter, LifterConfig
from videomdm.model.registry import LIFTER
from videomdm.motion.skeleton import MIRROR

from .. import engine
from ..clips import Clips
from ..views import CameraConfig, DetectorConfig, observe, sample_cameras, uniform


@dataclass(frozen=True)
class LifterViews:
    """The synthetic footage on which a lifter is measured: VideoMDM's cameras, and a detector."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)


@dataclass(frozen=True)
class LifterFitConfig:
    """Everything that decides a lifter's training."""

    engine: engine.EngineConfig = field(
        default_factory=lambda: engine.EngineConfig(steps=3000, learning_rate=8e-4)
    )
    sizes: LifterConfig = field(default_factory=LifterConfig)
    camera: CameraConfig = field(
        default_factory=lambda: CameraConfig(
            pitch=(-0.55, 0.25), distance_factor=(2.0, 4.0), shortest_distance=2.0
        )
    )
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    batch: int = 64
    crop: int = 80  # frames

    def __post_init__(self) -> None:
        if self.batch < 1 or self.crop < 2:
            raise UserError(
                "batch must be at least 1 and crop at least 2 frames.", "Change the configuration."
            )


def mirror_clips(positions: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the ``chosen`` (B,) clips of (B, T, 22, 3) left to right."""
    flip = torch.tensor([-1.0, 1.0, 1.0], device=positions.device)
    mirrored = positions[:, :, list(MIRROR)] * flip
    return torch.where(chosen[:, None, None, None], mirrored, positions)


def lifter_losses(lifted: Lifted, truth: Tensor, up: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Errors of a lifted batch.

    truth (B, T, 22, 3) in camera space, up (B, 3), mask (B, T).  Pose and its velocity are absolute errors in
    metres about the root; depth is relative; gravity is the chord between
    unit vectors.
    """
    m = mask[..., None].float()
    pose, true_pose = lifted.joints[:, :, 1:] - lifted.joints[:, :, :1], truth[:, :, 1:] - truth[:, :, :1]
    error = (pose - true_pose).norm(dim=-1)
    change = ((pose - true_pose)[:, 1:] - (pose - true_pose)[:, :-1]).norm(dim=-1)
    root = (lifted.joints[:, :, 0] - truth[:, :, 0]) / truth[:, :, 0, 2:]
    moved = root[:, 1:] - root[:, :-1]
    pose_loss = (error * m).sum() / (m.sum() * 21)
    velocity_loss = (change * m[:, 1:]).sum() / (m[:, 1:].sum() * 21)
    root_loss = (root.norm(dim=-1, keepdim=True) * m).sum() / m.sum()
    root_velocity = (moved.norm(dim=-1, keepdim=True) * m[:, 1:]).sum() / m[:, 1:].sum()
    gravity = (lifted.up - up).norm(dim=-1).mean()
    loss = pose_loss + 2 * velocity_loss + root_loss + 2 * root_velocity + 0.5 * gravity
    return {
        "loss": loss,
        "pose": pose_loss.detach(),
        "velocity": velocity_loss.detach(),
        "root": root_loss.detach(),
        "gravity": gravity.detach(),
    }


def fit_lifter(clips: Clips, config: LifterFitConfig, folder: Path, licence: str) -> engine.Outcome:
    """Train a lifter on ``clips`` (frames: "positions" (F, 22, 3)); writes ``lifter.safetensors`` when done.

    licence: SPDX name of the weights' licence, which they carry.
    """
    fabric = engine.fabric_for(config.engine)
    torch.manual_seed(config.engine.seed)

    def losses(network: nn.Module, _: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = clips.batch(clips.draw(config.batch, generator), config.crop, generator)
        chosen = uniform(0, 1, (len(batch.index),), generator) < 0.5
        positions = mirror_clips(batch.frames["positions"], chosen)
        camera = sample_cameras(positions, batch.mask, generator, config.camera)
        view = observe(positions, camera, generator, config.detector)
        lifted = network(view.keypoints, view.confidence, batch.mask)
        return lifter_losses(lifted, camera.to_camera(positions), camera.R[:, 0, :, 1], batch.mask)

    outcome = engine.run(Lifter(config.sizes), losses, config.engine, folder, fabric)
    if outcome.finished and fabric.global_rank == 0:
        facts = {"steps": outcome.step, "seconds": round(outcome.seconds), "licence": licence}
        save_model(folder / LIFTER, outcome.network, facts)
    fabric.barrier()
    return outcome
