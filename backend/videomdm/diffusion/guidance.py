# SPDX-License-Identifier: Apache-2.0
"""Guidance: wrappers that steer a denoiser by text and by known joints."""

from __future__ import annotations

import torch
from torch import Tensor

from ..camera import Camera, closest_on_ray, to_world
from ..model.denoiser import Denoiser
from ..motion.representation import decode, encode
from .sampling import Denoise
from .seams import predict

FAINT = 0.02  # weight of joints that nobody saw, where a body is brought to its place


def text_guided(
    model: Denoiser,
    text_BLE: Tensor,
    text_mask_BL: Tensor,
    guidance: float,
    frame_mask_BT: Tensor | None = None,
) -> Denoise:
    """Classifier-free guidance (Ho and Salimans, 2022): x0 = x0(no text) + guidance (x0(text) - x0(no text)).

    Both halves run as one batch of 2B; at guidance 1, or where no row has text, one run of B is enough.  One row
    of text serves any number of rows of motion.  The last step leaves no seams (:mod:`.seams`).
    """
    conditional = bool(text_mask_BL.any())

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        text, text_mask = text_BLE.expand(len(x), -1, -1), text_mask_BL.expand(len(x), -1)
        if not conditional or guidance == 1.0:
            return predict(model, x, t, text, text_mask, frame_mask_BT)
        masks = None if frame_mask_BT is None else frame_mask_BT.repeat(2, 1)
        both = predict(
            model,
            x.repeat(2, 1, 1),
            t.repeat(2),
            text.repeat(2, 1, 1),
            torch.cat([text_mask, torch.zeros_like(text_mask)]),
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


def fit_rigid(source: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """``source`` (B, T, J, 3) under each frame's rigid motion that best takes it to ``target`` (Kabsch, 1976).

    Frames in which fewer than four joints have weight keep the source.
    """
    w = weights[..., None] / weights.sum(-1).clamp(min=1e-6)[..., None, None]
    from_, to = (w * source).sum(2, keepdim=True), (w * target).sum(2, keepdim=True)
    covariance = ((source - from_) * w).transpose(-1, -2) @ (target - to)
    U, _, Vh = torch.linalg.svd(covariance)
    flip = torch.ones_like(covariance[..., 0])
    flip[..., 2] = torch.linalg.det(U @ Vh).sign()
    moved = (source - from_) @ (U * flip[..., None, :]) @ Vh + to
    enough = (weights > 0).sum(-1) >= 4
    return torch.where(enough[..., None, None], moved, source)


class Anchored:
    """Sampling around joints that are known: at every step x0 is replaced by a version that has them.

    VideoMDM's "video to motion" moves each joint of x0 to the closest point of its observed ray.  The depths that a
    half-done sample has are poor, however, and a body fitted to all rays together has better ones; so seen joints
    are put where the fit has them, and the prediction is brought there frame by frame by the rigid motion that fits
    the seen joints, which keeps what it adds in place.
    """

    def __init__(
        self, denoise: Denoise, joints: Tensor, weights: Tensor, seen: Tensor, mean: Tensor, std: Tensor
    ) -> None:
        """Denoise around known joints.

        joints:  (B, T, 22, 3), starting at the origin, facing +Z.
        weights: (B, T, 22) confidence; enters squared where predictions are brought to ``joints``.
        seen:    (B, T, 22) from 0, left to the model, to 1, put onto ``joints``.
        mean, std: (D,) normalise the features.
        """
        self.denoise = denoise
        self.joints = joints
        self.weights = weights**2 + FAINT
        self.seen = seen[..., None]
        self.mean = mean
        self.std = std
        self.free = joints

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """x0 (B, T, D) with the known joints; ``free`` has the prediction beside them: (B, T, 22, 3)."""
        predicted = decode(self.denoise(x, t).float() * self.std + self.mean)
        self.free = fit_rigid(predicted, self.joints, self.weights)
        joined = self.free + self.seen * (self.joints - self.free)
        return ((encode(joined) - self.mean) / self.std).to(x.dtype)
