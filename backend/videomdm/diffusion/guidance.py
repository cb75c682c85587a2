# SPDX-License-Identifier: Apache-2.0
"""Guidance: wrappers that steer a denoiser by text and by observed keypoints."""

from __future__ import annotations

import torch
from torch import Tensor

from ..camera import Camera, closest_on_ray, to_world
from ..model.denoiser import Denoiser
from ..motion.representation import decode, encode
from .sampling import Denoise


def text_guided(
    model: Denoiser, text_BLE: Tensor, text_mask_BL: Tensor, guidance: float, frame_mask_BT: Tensor | None = None
) -> Denoise:
    """Classifier-free guidance (Ho and Salimans, 2022): x0 = x0(no text) + guidance (x0(text) - x0(no text)).

    Both halves run as one batch of 2B; at guidance 1, or where no row has text, one run of B is enough.
    """
    conditional = bool(text_mask_BL.any())

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        if not conditional or guidance == 1.0:
            return model(x, t, text_BLE, text_mask_BL, frame_mask_BT)
        masks = None if frame_mask_BT is None else frame_mask_BT.repeat(2, 1)
        both = model(
            x.repeat(2, 1, 1),
            t.repeat(2),
            text_BLE.repeat(2, 1, 1),
            torch.cat([text_mask_BL, torch.zeros_like(text_mask_BL)]),
            masks,
        )
        with_text, without = both.chunk(2)
        return without + guidance * (with_text - without)

    return denoise


def align_to_rays(positions: Tensor, camera: Camera, keypoints: Tensor, weights: Tensor) -> Tensor:
    """Move joints (B, T, J, 3) towards the closest points on their observed rays.

    camera:    R (B, 1, 3, 3) and t (B, 1, 3), or per frame (B, T, ...).
    keypoints: (B, T, J, 2) normalised; weights (B, T, J) from 0 (stay) to 1 (onto the ray).
    """
    seen = camera.to_camera(positions)
    target = to_world(camera, closest_on_ray(seen, keypoints))
    moved = positions + weights[..., None] * (target - positions)
    return torch.where(weights[..., None] > 0, moved, positions)


def keypoint_guided(
    denoise: Denoise,
    camera: Camera,
    keypoints: Tensor,
    weights: Tensor,
    mean: Tensor,
    std: Tensor,
) -> Denoise:
    """Replace x0 at every step by its ray-aligned, re-encoded version (VideoMDM, "video to motion").

    ``mean`` and ``std`` (D,) are the normalisation of the features; other arguments as in
    :func:`align_to_rays`, in the world in which the motion starts at the origin and faces +Z.
    """

    def guided(x: Tensor, t: Tensor) -> Tensor:
        x0 = denoise(x, t)
        positions = decode(x0.float() * std + mean)
        aligned = align_to_rays(positions, camera, keypoints, weights)
        return ((encode(aligned) - mean) / std).to(x0.dtype)

    return guided
