# SPDX-License-Identifier: Apache-2.0
"""Samplers: from noise to motion, one function for each algorithm, one signature.

A ``denoise`` function takes x_t (B, T, D) and steps t (B,) and returns x0 (B, T, D); guidance wraps it.  The
callback of each step gets a :class:`Step` and may raise :class:`videomdm.errors.Cancelled`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .schedule import Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """What a callback sees: step ``index`` of ``count``, the diffusion step ``t``, x_t and the x0 estimate."""

    index: int
    count: int
    t: int
    x: Tensor
    denoised: Tensor


Callback = Callable[[Step], None]
NoiseSampler = Callable[[int], Tensor]  # the index of a step -> standard normal noise (B, T, D)


def spaced_steps(schedule: Schedule, count: int, start: float = 1.0) -> list[int]:
    """At most ``count`` diffusion steps, evenly spaced, from the part ``start`` of the noise down to 0."""
    last = round((len(schedule) - 1) * start)
    count = max(1, min(count, last + 1))
    if count == 1:
        return [last]
    return [round(last * (1 - i / (count - 1))) for i in range(count)]


@torch.inference_mode()
def ddim(
    denoise: Denoise, noise: Tensor, schedule: Schedule, steps: int = 20, callback: Callback | None = None
) -> Tensor:
    """Deterministic sampling (DDIM, Song et al. 2021) from ``noise`` (B, T, D)."""
    return _sample(denoise, noise, schedule, steps, callback, None)


@torch.inference_mode()
def ancestral(
    denoise: Denoise,
    noise: Tensor,
    schedule: Schedule,
    steps: int = 50,
    callback: Callback | None = None,
    noise_sampler: NoiseSampler | None = None,
) -> Tensor:
    """Ancestral sampling (DDPM, Ho et al. 2020, posterior variance) from ``noise`` (B, T, D).

    ``noise_sampler`` gives each step its fresh noise; by default it comes from torch's global generator.
    """
    return _sample(
        denoise, noise, schedule, steps, callback, noise_sampler or (lambda _: torch.randn_like(noise))
    )


def _sample(
    denoise: Denoise,
    noise: Tensor,
    schedule: Schedule,
    steps: int,
    callback: Callback | None,
    noise_sampler: NoiseSampler | None,
) -> Tensor:
    x = noise
    times = spaced_steps(schedule, steps)
    for index, t in enumerate(times):
        t_B = torch.full((len(x),), t, device=x.device)
        x0 = denoise(x, t_B)
        if callback is not None:
            callback(Step(index, len(times), t, x, x0))
        to = times[index + 1] if index + 1 < len(times) else -1
        to_B = torch.full_like(t_B, to)
        if noise_sampler is None or to < 0:
            x = schedule.step(x, x0, t_B, to_B)
            continue
        # DDIM's eq. 12 with eta 1 is the DDPM posterior between the two chosen steps
        kept, later = (schedule.alpha_bar[step].to(x.device) for step in (t, to))
        variance = (1 - later) / (1 - kept) * (1 - kept / later)
        estimate = (x - kept.sqrt() * x0) / (1 - kept).sqrt()
        direction = (1 - later - variance).clamp(min=0).sqrt() * estimate
        x = later.sqrt() * x0 + direction + variance.sqrt() * noise_sampler(index)
    return x
