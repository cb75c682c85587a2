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
from videomdm.diffusion.sampling import Denoise, ddim
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
    """(V, T, 44) flat views of points (T, 22, 3)."""
    return project_flat(points.expand(len(azimuth), *points.shape), azimuth).flatten(2)


def triangulate(views: Tensor, azimuth: Tensor) -> Tensor:
    """The points (T, 22, 3) whose :func:`view` comes closest to ``views`` (V, T, 44), by least squares."""
    flat = views.unflatten(-1, (JOINTS, 2))
    right = torch.stack([azimuth.cos(), -azimuth.sin()], -1)  # over x and z
    normal = right.T @ right
    side = torch.einsum("va,vtj->tja", right, flat[..., 0])
    plane = torch.linalg.solve(normal, side.reshape(-1, 2).T).T.reshape(*side.shape)
    return torch.stack([plane[..., 0], flat[..., 1].mean(0), plane[..., 1]], -1)


def agreeing(denoise: Denoise, azimuth: Tensor) -> Denoise:
    """``denoise`` of V views at once, its x0 made views of one 3D motion."""

    def agree(x: Tensor, t: Tensor) -> Tensor:
        return view(triangulate(denoise(x, t).float(), azimuth), azimuth)

    return agree


def generate(prior: FlatPrior, request: TextRequest, views: int = VIEWS) -> list[Motion]:
    """Motions of a prompt, as the pipeline's ``generate`` makes them of a 3D model: facing +Z, on the floor."""
    request.check()
    device = prior.network.write.weight.device
    azimuth = azimuths(views).to(device)
    states, mask = (part.to(device) for part in text_encoder()([request.prompt]))
    frames = round(request.seconds * FPS)
    padded = -(-frames // prior.network.config.patch) * prior.network.config.patch
    guided = agreeing(text_guided(prior.network, states, mask, request.guidance), azimuth)
    motions = []
    for sample in range(request.samples):
        generator = torch.Generator().manual_seed(request.seed + 1_000_003 * sample)
        noise = view(torch.randn(padded, JOINTS, 3, generator=generator).to(device), azimuth)
        made = ddim(guided, noise, prior.schedule, request.steps)
        joints, _ = canonicalise(SPREAD * triangulate(made, azimuth)[:frames])
        lowest = joints[:, list(CONTACT_JOINTS), 1].amin(1)
        joints[..., 1] -= torch.quantile(lowest, 0.2)
        facts = {"kind": "consensus", "views": views, "seed": request.seed, "guidance": request.guidance}
        motions.append(Motion(joints.cpu().numpy(), FPS, caption=request.prompt, provenance=facts))
    return motions
