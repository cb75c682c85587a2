# SPDX-License-Identifier: Apache-2.0
"""The noise schedule: how much of the clean motion is left at each diffusion step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """Variance-preserving schedule; ``alpha_bar`` (steps,) is the kept variance, from almost 1 to almost 0.

    x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise.
    """

    alpha_bar: Tensor

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def to(self, device: torch.device) -> Schedule:
        """The same numbers on another device, where steps need not fetch them every time."""
        return Schedule(self.alpha_bar.to(device))

    def levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise factors of steps ``t`` (B,), each (B, 1, 1)."""
        kept = self.alpha_bar.to(t.device)[t][:, None, None]
        return kept.sqrt(), (1 - kept).sqrt()

    def diffuse(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t (B, T, D) of clean ``x0`` and ``noise`` at steps ``t`` (B,)."""
        signal, spread = self.levels(t)
        return signal * x0 + spread * noise

    def step(self, x_t: Tensor, x0: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """The deterministic step (DDIM, Song et al. 2021, eq. 12 with eta 0) from ``t`` to ``to``, both (B,).

        A ``to`` below 0 is the clean motion itself.
        """
        signal, spread = self.levels(t)
        noise = (x_t - signal * x0) / spread
        later_signal, later_spread = self.levels(to.clamp(min=0))
        later = later_signal * x0 + later_spread * noise
        return torch.where(to[:, None, None] < 0, x0, later)


def cosine(steps: int = 50, offset: float = 0.008) -> Schedule:
    """The cosine schedule of Nichol and Dhariwal (2021), betas held under 0.999."""
    f = [math.cos((i / steps + offset) / (1 + offset) * math.pi / 2) ** 2 for i in range(steps + 1)]
    betas = torch.tensor([min(1 - f[i + 1] / f[i], 0.999) for i in range(steps)], dtype=torch.float64)
    return Schedule(torch.cumprod(1 - betas, 0).float())
