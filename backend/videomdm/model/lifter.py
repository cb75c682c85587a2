# SPDX-License-Identifier: Apache-2.0
"""The lifter: 2D keypoints of one clip in, approximate 3D joints in camera space out.

Shape letters: B batch, T frames, J 22 joints, N tokens, C width.

The input is made free of place and scale: keypoints are centred on the clip's mean and divided by the person's
size, and those two numbers enter as conditions.  The network answers with joints relative to the root and the
direction of gravity in camera space, from which a level world is made; where the root is follows from the pose
and the keypoints by least squares.  It serves VideoMDM training as the noisy teacher, and footage as the first guess.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..camera import Camera
from ..motion.rotations import normalise
from .transformer import Trunk, check_sizes

JOINTS = 22
PERSON_SIZE = 0.55  # metres: standard deviation of a standing person's joints about their mean, roughly


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of a lifter; stored in every checkpoint."""

    patch: int = 2
    width: int = 192
    layers: int = 5
    heads: int = 4
    hidden: int = 384
    max_frames: int = 200

    def __post_init__(self) -> None:
        check_sizes(**asdict(self))


class Lifted(NamedTuple):
    """What a lifter sees in a clip.

    joints: (B, T, 22, 3) metres in camera space (x right, y down, z forward).
    up:     (B, 3) unit vector against gravity in camera space.
    """

    joints: Tensor
    up: Tensor


class Lifter(nn.Module):
    """Lift normalised keypoints (B, T, 22, 2) with weights (B, T, 22) to camera-space joints."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        C = config.width
        self.read = nn.Linear(JOINTS * 3 * config.patch, C)
        self.condition = nn.Sequential(nn.Linear(3, C), nn.SiLU(), nn.Linear(C, C))
        self.trunk = Trunk(C, config.layers, config.heads, config.hidden, cross=False)
        # 21 joints about the root, and three numbers for the root, of which the last corrects its depth
        self.write = nn.Linear(C, (JOINTS * 3) * config.patch)
        self.gravity = nn.Linear(C, 3)
        nn.init.normal_(self.write.weight, std=1e-3)
        nn.init.zeros_(self.write.bias)

    def forward(self, keypoints: Tensor, weights: Tensor, frame_mask: Tensor | None = None) -> Lifted:
        """Lift clips.

        keypoints:  (B, T, 22, 2) normalised image coordinates; values under weight 0 are ignored.
        weights:    (B, T, 22) confidence, 0 to 1.
        frame_mask: (B, T) true for real frames, or None; padding repeats the last frame.
        """
        B, T = weights.shape[:2]
        patch = self.config.patch
        if T % patch:
            raise ValueError(f"the lifter takes a multiple of {patch} frames, not {T}")
        seen = weights if frame_mask is None else weights * frame_mask[..., None]
        centre, size = frame_of_reference(keypoints, seen)
        local = (keypoints - centre[:, None, None]) / size[:, None, None, None]
        local = torch.where(seen[..., None] > 0, local, torch.zeros_like(local)).clamp(-8, 8)
        tokens = self.read(torch.cat([local, seen[..., None]], -1).reshape(B, T // patch, -1))
        condition = self.condition(torch.cat([centre, size.log()[:, None]], -1))
        mask = None if frame_mask is None else frame_mask[:, ::patch]
        y = self.trunk(tokens, condition, mask)

        out = self.write(y).float().reshape(B, T, JOINTS, 3)
        pose = torch.cat([torch.zeros_like(out[:, :, :1]), out[:, :, 1:]], dim=2)
        with torch.autocast(out.device.type, enabled=False):  # depth needs more than bfloat16's three digits
            root = place_root(pose, keypoints, weights, (PERSON_SIZE / size)[:, None])
        # the network may correct the depth, by at most a fifth
        root = root * torch.exp(0.2 * torch.tanh(out[:, :, 0, 2:]))
        joints = root[:, :, None] + pose

        gravity = self.gravity(y).float()
        if mask is not None:
            gravity = gravity * mask[..., None]
        level = torch.tensor([0.0, -1.0, 0.0], device=gravity.device)
        return Lifted(joints, normalise(gravity.mean(1) + 0.1 * level))


def frame_of_reference(keypoints: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean place (B, 2) of the person over the clip, and size (B,): spread about each frame's own mean."""
    w = weights[..., None]
    total = w.sum(2).clamp(min=1e-6)
    per_frame = (keypoints * w).sum(2) / total
    seen = (weights.sum(2) > 0).float()[..., None]
    centre = (per_frame * seen).sum(1) / seen.sum(1).clamp(min=1)
    square = (((keypoints - per_frame[:, :, None]) ** 2) * w).sum((1, 2, 3)) / w.sum((1, 2, 3)).clamp(
        min=1e-6
    )
    return centre, square.sqrt().clamp(min=1e-3)


def place_root(pose: Tensor, keypoints: Tensor, weights: Tensor, depth: Tensor) -> Tensor:
    """Where the root must be for ``pose`` to appear at ``keypoints``: (B, T, 3) in camera space.

    pose:      (B, T, 22, 3) about the root in camera axes, metres.
    keypoints: (B, T, 22, 2) normalised; weights (B, T, 22).
    depth:     (B, T) or (B, 1) metres, a guess that decides where too little is seen.

    Each joint gives u (z + Z) = x + X and the same for v, which is linear in the root's (X, Y, Z).  Depth is
    smoothed over half a second, as people do not jump towards the camera.
    """
    w = weights / weights.sum(2, keepdim=True).clamp(min=1e-6)
    known = keypoints * pose[..., 2:] - pose[..., :2]
    middle_uv = (w[..., None] * keypoints).sum(2, keepdim=True)
    middle_known = (w[..., None] * known).sum(2, keepdim=True)
    spread = keypoints - middle_uv
    against = -(w[..., None] * spread * (known - middle_known)).sum((2, 3))
    square = (w[..., None] * spread * spread).sum((2, 3))
    # a prior worth a tenth of a fully seen person
    trust = weights.sum(2)
    prior = 0.1 * square.amax(1, keepdim=True).clamp(min=1e-8) * JOINTS
    z = (trust * against + prior * depth) / (trust * square + prior)
    z = z.clamp(min=0.3)
    kernel = torch.exp(-0.5 * (torch.arange(-6, 7, device=z.device) / 3.0) ** 2)
    kernel = (kernel / kernel.sum())[None, None]
    padded = torch.cat([z[:, :1].expand(-1, 6), z, z[:, -1:].expand(-1, 6)], dim=1)
    z = torch.nn.functional.conv1d(padded[:, None], kernel)[:, 0]
    xy = middle_known[:, :, 0] + middle_uv[:, :, 0] * z[..., None]
    return torch.cat([xy, z[..., None]], -1)


def level_camera(up: Tensor) -> Tensor:
    """Rotations R (B, 3, 3), world to camera, of level worlds whose +Y is ``up`` (B, 3) in camera space.

    The world's +Z is the horizontal direction towards the camera, so a person who faces the camera faces +Z.
    """
    forward = torch.tensor([0.0, 0.0, 1.0], device=up.device).expand_as(up)
    z = normalise((forward * up).sum(-1, keepdim=True) * up - forward)
    x = torch.linalg.cross(up, z)
    return torch.stack([x, up, z], dim=-1)


def to_world(lifted: Lifted) -> tuple[Tensor, Camera]:
    """Joints (B, T, 22, 3) in a level world on a floor at 0, and the camera that sees them there.

    The world's origin lies under the root of the first frame; the floor is a low percentile of the feet.
    """
    R = level_camera(lifted.up)
    world = lifted.joints @ R[:, None]
    floor = world[:, :, [7, 8, 10, 11], 1].flatten(1).quantile(0.05, dim=1)
    origin = torch.stack([world[:, 0, 0, 0], floor, world[:, 0, 0, 2]], -1)
    t = (R @ origin[..., None])[..., 0]
    return world - origin[:, None, None], Camera(R, t)
