# SPDX-License-Identifier: Apache-2.0
"""Guidance: wrappers that steer a denoiser by text and by observed keypoints."""

from __future__ import annotations

import torch
from torch import Tensor

from ..camera import Camera, closest_on_ray, seen_from, to_world
from ..model.denoiser import Denoiser
from ..model.lifter import place_root
from ..motion.representation import decode, encode, start
from .sampling import Denoise


def text_guided(
    model: Denoiser,
    text_BLE: Tensor,
    text_mask_BL: Tensor,
    guidance: float,
    frame_mask_BT: Tensor | None = None,
) -> Denoise:
    """Classifier-free guidance (Ho and Salimans, 2022): x0 = x0(no text) + guidance (x0(text) - x0(no text)).

    Both halves run as one batch of 2B; at guidance 1, or where no row has text, one run of B is enough.  One row
    of text serves any number of rows of motion.
    """
    conditional = bool(text_mask_BL.any())

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        text, text_mask = text_BLE.expand(len(x), -1, -1), text_mask_BL.expand(len(x), -1)
        if not conditional or guidance == 1.0:
            return model(x, t, text, text_mask, frame_mask_BT)
        masks = None if frame_mask_BT is None else frame_mask_BT.repeat(2, 1)
        both = model(
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


def place_body(positions: Tensor, camera: Camera, keypoints: Tensor, weights: Tensor) -> Tensor:
    """Each frame's joints (B, T, 22, 3), moved as one to where the keypoints say that the body is.

    Arguments as in :func:`align_to_rays`.
    """
    seen = camera.to_camera(positions)
    root = seen[:, :, :1]
    place = place_root(seen - root, keypoints, weights, root[:, :, 0, 2])
    return to_world(camera, place[:, :, None] + seen - root)


def follow(positions: Tensor, camera: Camera, keypoints: Tensor, weights: Tensor) -> Tensor:
    """Joints (B, T, 22, 3) that obey their rays, the whole body coming along.

    A predicted path drifts: steps and turns add up over the clip, and joints that nobody saw would be left behind
    when the others move onto their rays.  So each frame's body is first put where the keypoints say it is, then
    its seen joints move onto their rays, and the unseen ones follow by the rigid motion that fits the seen ones.
    Arguments as in :func:`align_to_rays`.
    """
    body = place_body(positions, camera, keypoints, weights)
    aligned = align_to_rays(body, camera, keypoints, weights)
    return torch.where(weights[..., None] > 0, aligned, fit_rigid(body, aligned, weights))


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


class KeypointGuided:
    """Replace x0 at every step by its ray-aligned, re-encoded version (VideoMDM, "video to motion").

    The representation forgets where a clip starts, and aligning moves the start; so the camera is carried
    along: ``camera`` always is the one of the motion that :meth:`__call__` returned last.
    """

    def __init__(
        self,
        denoise: Denoise,
        camera: Camera,
        keypoints: Tensor,
        weights: Tensor,
        mean: Tensor,
        std: Tensor,
    ) -> None:
        """``mean`` and ``std`` (D,) normalise the features; the rest is as in :func:`align_to_rays`.

        ``camera`` is the one of the motion's own coordinates: starting at the origin, facing +Z.
        """
        self.denoise = denoise
        self.camera = camera
        self.keypoints = keypoints
        self.weights = weights
        self.mean = mean
        self.std = std

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """x0 (B, T, D) that obeys the keypoints."""
        positions = decode(self.denoise(x, t).float() * self.std + self.mean)
        aligned = follow(positions, self.camera, self.keypoints, self.weights)
        self.camera = seen_from(self.camera, start(aligned))
        return ((encode(aligned) - self.mean) / self.std).to(x.dtype)
