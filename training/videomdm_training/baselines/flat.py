# SPDX-License-Identifier: Apache-2.0
"""A diffusion model of 2D motion, trained on the keypoints that VideoMDM sees and on nothing else.

Shape letters: B batch, T frames, J 22 joints.  Flat motion is (B, T, 44): joints to the right and up, in metres by
the person's size in the image, about the clip's mean place; what a far camera at the level of the body would see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videomdm.diffusion.schedule import Schedule, cosine
from videomdm.errors import UserError
from videomdm.model.checkpoint import load_model, save_model
from videomdm.model.denoiser import Denoiser, DenoiserConfig
from videomdm.model.lifter import JOINTS, PERSON_SIZE, frame_of_reference

from .. import engine
from ..captions import CaptionTable
from ..clips import FRAME_MULTIPLE
from ..losses import masked_mean
from ..teacher.supervision import Supervision
from ..views import CameraConfig, DetectorConfig

WIDTH = JOINTS * 2
FILE = "flat.safetensors"
SPREAD = 0.5  # metres: roughly the deviation of flat motion, by which it is normalised


def flatten(keypoints: Tensor, confidence: Tensor) -> Tensor:
    """Flat motion (B, T, 44), normalised, of keypoints (B, T, 22, 2) under confidence (B, T, 22), 0 where unseen.

    The confidence of padded frames must be 0.
    """
    centre, size = frame_of_reference(keypoints, confidence)
    metres = (keypoints - centre[:, None, None]) * (PERSON_SIZE / size)[:, None, None, None]
    up = upside_down(metres)
    return torch.where(confidence[..., None] > 0, up, torch.zeros_like(up)).flatten(2) / SPREAD


def upside_down(points: Tensor) -> Tensor:
    """Points (..., 2), y up, of such with y down, and the other way round."""
    return torch.stack([points[..., 0], -points[..., 1]], -1)


def project_flat(positions: Tensor, azimuth: Tensor) -> Tensor:
    """Flat motion as far level cameras see joints (B, T, 22, 3), metres; ``azimuth`` (B,) from +Z towards +X.

    Not centred and not normalised: (B, T, 22, 2).
    """
    right = torch.stack([azimuth.cos(), torch.zeros_like(azimuth), -azimuth.sin()], -1)
    across = (positions * right[:, None, None]).sum(-1)
    return torch.stack([across, positions[..., 1]], -1)


@dataclass(frozen=True)
class FlatConfig:
    """Everything that decides the training of a 2D model.

    camera, detector, views, mirror: how packs are seen, as in ``FitConfig``; those of the run to compare with.
    """

    engine: engine.EngineConfig = field(default_factory=engine.EngineConfig)
    sizes: DenoiserConfig = field(default_factory=lambda: DenoiserConfig(features=WIDTH))
    camera: CameraConfig = field(default_factory=CameraConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    batch: int = 64
    views: int = 2
    mirror: bool = True
    drop_text: float = 0.1
    diffusion_steps: int = 50

    def __post_init__(self) -> None:
        if self.sizes.features != WIDTH or min(self.batch, self.views, self.diffusion_steps) < 1:
            raise UserError(
                f"sizes.features must be {WIDTH}; batch, views and diffusion_steps at least 1.",
                "Change the configuration.",
            )
        if not 0 <= self.drop_text <= 1:
            raise UserError("drop_text must lie between 0 and 1.", "0 keeps all captions.")
        if FRAME_MULTIPLE % self.sizes.patch:
            raise UserError(
                f"sizes.patch must divide {FRAME_MULTIPLE}, to which clips are cut.", "Choose 1, 2 or 4."
            )


def fit_flat(
    data: Supervision,
    captions: CaptionTable,
    config: FlatConfig,
    folder: Path,
    facts: Mapping[str, object] | None = None,
) -> engine.Outcome:
    """Train on the keypoints of ``data``; writes ``flat.safetensors`` with ``facts`` at every stop."""
    fabric = engine.fabric_for(config.engine)
    torch.manual_seed(config.engine.seed)
    schedule = cosine(config.diffusion_steps).to(fabric.device)

    def losses(network: nn.Module, _: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = data.clips.batch(data.clips.draw(config.batch, generator))
        device = generator.device
        ids = data.captions[batch.index]
        column = torch.randint(0, ids.shape[1], (len(ids), 1), generator=generator, device=device)
        keep = torch.rand(len(ids), generator=generator, device=device) >= config.drop_text
        text = captions.states(ids.gather(1, column)[:, 0], keep)
        seen = batch.frames["confidence"] * batch.mask[..., None]
        x = flatten(batch.frames["keypoints"], seen)
        t = torch.randint(0, len(schedule), (len(x),), generator=generator, device=device)
        noise = torch.randn(x.shape, generator=generator, device=device)
        x0 = network(schedule.diffuse(x, noise, t), t, *text, batch.mask).float()
        weight = (seen**2).repeat_interleave(2, -1)
        loss = masked_mean((x0 - x).square(), weight)
        return {"loss": loss}

    outcome = engine.run(Denoiser(config.sizes), losses, config.engine, folder, fabric)
    if fabric.global_rank == 0:
        own = {
            "diffusion_steps": config.diffusion_steps,
            "steps": outcome.step,
            "flat": True,
            "precision": config.engine.precision,
        }
        save_model(folder / FILE, outcome.network, {**(facts or {}), **own})
    fabric.barrier()
    return outcome


@dataclass(frozen=True)
class FlatPrior:
    """A trained 2D model."""

    network: Denoiser
    schedule: Schedule
    meta: dict[str, Any]

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> FlatPrior:
        """From a run folder or a file; UserError where it is missing or another kind of model."""
        file = load_model(path / FILE if path.is_dir() else path, Denoiser, device)
        assert isinstance(file.network, Denoiser)
        if file.network.config.features != WIDTH:
            raise UserError(f"{path} is no model of 2D motion.", "Train one with `videomdm train flat`.")
        schedule = cosine(int(file.meta.get("diffusion_steps", 50)))
        return cls(file.network.requires_grad_(False), schedule.to(torch.device(device)), file.meta)

    @property
    def half(self) -> bool:
        """Whether it was trained in bfloat16."""
        return str(self.meta.get("precision", "")).startswith("bf16")

    def distil(
        self,
        positions: Tensor,
        mask: Tensor,
        text: tuple[Tensor, Tensor],
        generator: torch.Generator,
    ) -> Tensor:
        """How far joints (B, T, 22, 3), seen from a random side, lie from what the 2D model makes of them.

        Score distillation (Poole et al., 2023) with the x0 prediction: the view is noised, denoised without
        gradient, and drawn to the result.  Mean square in normalised flat motion over real frames (B, T).  The model
        answers in the precision that it was trained in, which costs half where that is bfloat16.
        """
        device = positions.device
        azimuth = 2 * torch.pi * torch.rand(len(positions), generator=generator, device=device)
        view = project_flat(positions, azimuth)
        real = mask[..., None].expand(*mask.shape, JOINTS).to(view.dtype)
        flat = flatten(upside_down(view), real)
        t = torch.randint(0, len(self.schedule), (len(flat),), generator=generator, device=device)
        noise = torch.randn(flat.shape, generator=generator, device=device)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=self.half):
            x0 = self.network(self.schedule.diffuse(flat.detach(), noise, t), t, *text, mask).float()
        return masked_mean((flat - x0).square(), real.repeat_interleave(2, -1))
