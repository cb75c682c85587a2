# SPDX-License-Identifier: Apache-2.0
"""The losses of VideoMDM: what 2D keypoints say about a 3D prediction.

Shape letters: B batch, T frames, J 22 joints, D representation width.  Predictions are joints in the world
whose origin and facing are the clip's own; cameras are R (B, 1, 3, 3), t (B, 1, 3), or one for each frame.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from videomdm.camera import Camera, project
from videomdm.diffusion.guidance import align_to_rays
from videomdm.motion import representation
from videomdm.motion.representation import encode

from .clips import hold_after_end

DepthWeighting = Literal["none", "mean", "joint"]


def masked_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of ``values`` under ``weights`` of the same shape; 0 where all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def depth_weights(depth: Tensor, how: DepthWeighting, frame_mask: Tensor) -> Tensor:
    """Factors (B, T, J) for squared 2D errors, from predicted depths (B, T, J) in metres, without gradient.

    "joint": each joint's squared depth, with which the squared 2D error is the squared 3D error across the ray
    where the depth is right; "mean": the clip's mean depth to the first power, as the public release has it;
    "none": 1.
    """
    depth = depth.detach().clamp(min=0.5)
    if how == "joint":
        return depth**2
    if how == "mean":
        weights = frame_mask[..., None].expand_as(depth).to(depth.dtype)
        mean = (depth * weights).sum((1, 2)) / weights.sum((1, 2))
        return mean[:, None, None].expand_as(depth)
    return torch.ones_like(depth)


def reprojection_losses(
    positions: Tensor,
    camera: Camera,
    keypoints: Tensor,
    confidence: Tensor,
    frame_mask: Tensor,
    how: DepthWeighting = "joint",
) -> tuple[Tensor, Tensor]:
    """Depth-weighted squared errors of places and of frame differences, in square metres where ``how`` is joint.

    positions (B, T, 22, 3), keypoints (B, T, 22, 2) normalised, confidence (B, T, 22) enters squared, frame_mask
    (B, T).  Joints nearer to the camera plane than half a metre give nothing.
    """
    seen = camera.to_camera(positions)
    projected, visible = project(seen)
    weight = confidence**2 * (visible & frame_mask[..., None])
    scale = depth_weights(seen[..., 2], how, frame_mask)
    error = projected - keypoints
    place = masked_mean(error.square().sum(-1) * scale, weight)
    change = (error[:, 1:] - error[:, :-1]).square().sum(-1)
    both = torch.minimum(weight[:, 1:], weight[:, :-1])
    return place, masked_mean(change * scale[:, 1:], both)


def floor_loss(positions: Tensor, frame_mask: Tensor) -> Tensor:
    """Mean squared height above or below the floor of each frame's lowest joint, in square metres.

    positions (B, T, 22, 3) with the floor at 0, frame_mask (B, T).  Who jumps pays, too: weigh it lightly.
    """
    return masked_mean(positions[..., 1].amin(-1).square(), frame_mask.to(positions.dtype))


ALIGNED_CHANNELS = torch.zeros(representation.WIDTH)
for _channels in (
    representation.ROOT_ANGULAR,
    representation.ROOT_LINEAR,
    representation.ROTATIONS,
    representation.VELOCITIES,
    representation.CONTACTS,
):
    ALIGNED_CHANNELS[_channels] = 1.0


def on_path(features: Tensor, path: Tensor) -> Tensor:
    """The poses of ``features`` along the root's path of ``path``, both (B, T, 263) and not normalised.

    Steps and turns of a prediction add up over a clip; half a metre away from the person, the closest point of a
    ray says little of the pose.  The path must not come from the prediction itself: put where the prediction's own
    size fits the keypoints, a body that is too small stands nearer, is never corrected, and shrinks on.
    """
    root = slice(0, representation.POSITIONS.start)
    return torch.cat([path[..., root], features[..., root.stop :]], dim=-1)


@torch.no_grad()
def alignment_target(
    positions: Tensor,
    camera: Camera,
    keypoints: Tensor,
    confidence: Tensor,
    lengths: Tensor,
) -> Tensor:
    """Features (B, T, 263) of the prediction moved onto its observed rays; unseen joints stay where they are."""
    positions = positions.detach()
    aligned = align_to_rays(positions, camera, keypoints, (confidence > 0).to(positions.dtype))
    return encode(hold_after_end(aligned, lengths))


def alignment_loss(x0: Tensor, target: Tensor, frame_mask: Tensor) -> Tensor:
    """Mean squared error of the rotation, velocity and contact channels, both sides normalised (B, T, 263).

    A target made :func:`on_path` can be trusted in all channels: use :func:`feature_loss` instead.
    """
    channels = ALIGNED_CHANNELS.to(x0.device)
    return masked_mean((x0 - target).square(), frame_mask[..., None] * channels.expand_as(x0))


def feature_loss(x0: Tensor, target: Tensor, frame_mask: Tensor, root: float = 1.0) -> Tensor:
    """Mean squared error of all channels, normalised: 3D supervision, as MDM has it.

    root: how often each of the root's four channels counts.  They are few among 263, yet everything turns and walks
          with them; the text-to-motion models before MDM counted them 25 times (their ``feat_bias`` of 5, squared).
    """
    weights = torch.ones_like(target[0, 0])
    weights[: representation.POSITIONS.start] = root
    return masked_mean((x0 - target).square(), frame_mask[..., None] * weights.expand_as(x0))
