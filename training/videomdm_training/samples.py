# SPDX-License-Identifier: Apache-2.0
"""What a model makes of a few prompts while it trains, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import ddim
from videomdm.diffusion.schedule import Schedule
from videomdm.model.text import text_encoder
from videomdm.motion.clip import FPS, Motion
from videomdm.motion.representation import decode
from videomdm.pipeline import on_floor

from .normalisation import Normalisation
from .sheet import draw_sheet

SECONDS, STEPS, GUIDANCE = 4.0, 20, 2.5


class Samples:
    """Draws the motions of ``prompts`` into ``folder/samples``, from the same noise every time."""

    def __init__(
        self, prompts: Sequence[str], normalisation: Normalisation, schedule: Schedule, folder: Path
    ) -> None:
        self.prompts = tuple(prompts)
        self.normalisation = normalisation
        self.schedule = schedule
        self.folder = folder
        self._text: tuple[Tensor, Tensor] | None = None

    def __call__(self, network: nn.Module, step: int) -> Path:
        """The picture of what ``network`` makes at ``step``."""
        device = self.normalisation.mean.device
        if self._text is None:  # not before the first picture: many a run ends without one
            self._text = text_encoder()(list(self.prompts))
        states, mask = (part.to(device) for part in self._text)
        shape = (len(self.prompts), round(SECONDS * FPS), len(self.normalisation.mean))
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)
        guided = text_guided(network, states, mask, GUIDANCE)
        features = on_floor(self.normalisation.undo(ddim(guided, noise, self.schedule, STEPS)))
        motions = [
            Motion(joints.cpu().numpy(), FPS, caption=prompt)
            for joints, prompt in zip(decode(features), self.prompts, strict=True)
        ]
        return draw_sheet(motions, self.folder / "samples" / f"step{step:07d}.png", f"step {step}")
