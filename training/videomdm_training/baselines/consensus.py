# SPDX-License-Identifier: Apache-2.0
"""3D motion from a 2D diffusion model: several views are denoised together and agree in 3D at every step.

After MAS (Kapon et al., "MAS: Multi-view Ancestral Sampling for 3D motion generation using 2D diffusion", 2024).  The
views stand around the body, far and level; their noise is one 3D noise seen from each.  At each step the predicted
views are triangulated by least squares and projected again, so what is stepped on is one motion.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import Denoise, NoiseSampler, ancestral, ddim
from videomdm.model.lifter import JOINTS
from videomdm.model.text import text_encoder
from videomdm.motion.clip import FPS, Motion
from videomdm.motion.representation import canonicalise
from videomdm.motion.skeleton import CONTACT_JOINTS
from videomdm.pipeline import TextRequest

from .flat import SPREAD, FlatPrior, project_flat

VIEWS = 5


def azimuths(views: int) -> Tensor:
    """(V,) evenly around the body; an odd number, so that no two see the same line."""
    return 2 * math.pi * torch.arange(views) / views


def view(points: Tensor, azimuth: Tensor) -> Tensor:
    """Flat views (N, V, T, 44) of points (N, T, 22, 3) from V sides."""
    V = len(azimuth)
    seen = project_flat(points.repeat_interleave(V, 0), azimuth.repeat(len(points)))
    return seen.flatten(2).unflatten(0, (len(points), V))


def triangulate(views: Tensor, azimuth: Tensor) -> Tensor:
    """The points (N, T, 22, 3) whose :func:`view` comes closest to ``views`` (N, V, T, 44), by least squares."""
    flat = views.unflatten(-1, (JOINTS, 2))
    right = torch.stack([azimuth.cos(), -azimuth.sin()], -1)  # over x and z
    side = torch.einsum("va,nvtj->ntja", right, flat[..., 0])
    plane = side @ torch.linalg.inv(right.T @ right)
    return torch.stack([plane[..., 0], flat[..., 1].mean(1), plane[..., 1]], -1)


def agreeing(denoise: Denoise, azimuth: Tensor) -> Denoise:
    """``denoise`` of rows N * V, the views of N motions one after the other, its x0 made views of one 3D motion."""

    def agree(x: Tensor, t: Tensor) -> Tensor:
        views = denoise(x, t).float().unflatten(0, (-1, len(azimuth)))
        return view(triangulate(views, azimuth), azimuth).flatten(0, 1)

    return agree


def made_by_consensus(
    prior: FlatPrior,
    text: tuple[Tensor, Tensor],
    noise: Tensor,
    mask: Tensor,
    *,
    guidance: float,
    steps: int,
    views: int = VIEWS,
    noise_sampler: NoiseSampler | None = None,
) -> Tensor:
    """Joints (N, T, 22, 3), metres, up to where they stand, from 3D noise (N, T, 22, 3) under a frame mask (N, T).

    text: states (N, L, W) of the captions and their mask (N, L).
    noise_sampler: fresh 3D noise (N, T, 22, 3) of each step, for ancestral sampling; without it sampling is DDIM.
    """
    azimuth = azimuths(views).to(noise.device)
    states, text_mask, frames = (rows.repeat_interleave(views, 0) for rows in (*text, mask))
    denoise = agreeing(text_guided(prior.network, states, text_mask, guidance, frames), azimuth)

    def seen(joints: Tensor) -> Tensor:
        return view(joints, azimuth).flatten(0, 1)

    if noise_sampler is None:
        made = ddim(denoise, seen(noise), prior.schedule, steps)
    else:
        fresh = noise_sampler
        made = ancestral(
            denoise, seen(noise), prior.schedule, steps, noise_sampler=lambda step: seen(fresh(step))
        )
    return SPREAD * triangulate(made.unflatten(0, (-1, views)), azimuth)


def stand(joints: Tensor) -> Tensor:
    """Joints (T, 22, 3) facing +Z above the origin, with the floor where the lower foot mostly is."""
    joints, _ = canonicalise(joints)
    lowest = joints[:, list(CONTACT_JOINTS), 1].amin(1)
    joints[..., 1] -= torch.quantile(lowest, 0.2)
    return joints


def generate(prior: FlatPrior, request: TextRequest, views: int = VIEWS) -> list[Motion]:
    """Motions of a prompt, as the pipeline's ``generate`` makes them of a 3D model: facing +Z, on the floor."""
    request.check()
    device = prior.network.write.weight.device
    states, text_mask = (part.to(device) for part in text_encoder()([request.prompt]))
    frames = round(request.seconds * FPS)
    padded = -(-frames // prior.network.config.patch) * prior.network.config.patch
    mask = torch.ones(1, padded, dtype=torch.bool, device=device)
    motions = []
    for sample in range(request.samples):
        generator = torch.Generator().manual_seed(request.seed + 1_000_003 * sample)
        noise = torch.randn(1, padded, JOINTS, 3, generator=generator).to(device)
        made = made_by_consensus(
            prior, (states, text_mask), noise, mask,
            guidance=request.guidance, steps=request.steps, views=views,
        )  # fmt: skip
        joints = stand(made[0, :frames])
        facts = {"kind": "consensus", "views": views, "seed": request.seed, "guidance": request.guidance}
        motions.append(Motion(joints.cpu().numpy(), FPS, caption=request.prompt, provenance=facts))
    return motions
