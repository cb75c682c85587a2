# SPDX-License-Identifier: Apache-2.0
"""A quick look at a model during training: how well it denoises held-out clips."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videomdm.diffusion.schedule import Schedule
from videomdm.motion.representation import decode
from videomdm.motion.skeleton import JOINT_COUNT

from .captions import CaptionTable
from .normalisation import Normalisation
from .teacher.supervision import Supervision

LEVELS = (0.1, 0.3, 0.6, 0.9)  # parts of the diffusion
CLIPS, BATCH = 256, 64


@torch.no_grad()
def denoising_errors(
    network: nn.Module,
    data: Supervision,
    captions: CaptionTable,
    normalisation: Normalisation,
    schedule: Schedule,
) -> dict[str, float]:
    """MPJPE about the root, metres, of clips denoised in one step from ``LEVELS``, by the step.

    The clips enter as the teacher's motion with noise, as in use, and are compared with the motion capture, which no
    2D-supervised model has seen.  Clips and noise are the same for every run and device.
    """
    device = data.clips.lengths.device
    generator = torch.Generator().manual_seed(1)
    index = torch.randperm(len(data.clips), generator=generator)[:CLIPS].to(device)
    index = index[torch.argsort(data.clips.lengths[index])]
    levels = [round(part * len(schedule)) for part in LEVELS]
    sums: dict[int | str, float] = dict.fromkeys((*levels, "teacher"), 0.0)
    total = 0.0
    for chunk in index.split(BATCH):
        b = data.clips.batch(chunk)
        truth = decode(b.frames["truth"].float())
        teacher = normalisation.apply(b.frames["teacher"])
        text = captions.states(data.captions[chunk][:, 0])
        weight = b.mask[..., None].float()
        total += float(weight.sum()) * (JOINT_COUNT - 1)

        sums["teacher"] += _distance(decode(normalisation.undo(teacher)), truth, weight)
        for level in levels:
            t = torch.full((len(chunk),), level, device=device)
            noise = torch.randn(teacher.shape, generator=generator).to(device)
            x0 = network(schedule.diffuse(teacher, noise, t), t, *text, b.mask)
            sums[level] += _distance(decode(normalisation.undo(x0)), truth, weight)
    return {f"validation/{name}": value / total for name, value in sums.items()}


def _distance(joints: Tensor, truth: Tensor, weight: Tensor) -> float:
    """Summed distances of the 21 joints about the root of (B, T, 22, 3), under frame weights (B, T, 1)."""
    error = (joints[:, :, 1:] - joints[:, :, :1]) - (truth[:, :, 1:] - truth[:, :, :1])
    return float((error.norm(dim=-1) * weight).sum())
