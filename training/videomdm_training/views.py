# SPDX-License-Identifier: Apache-2.0
"""Synthetic footage: cameras around motion clips, and the keypoints that a detector would report.

Shape letters: B batch, T frames, J 22 joints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from videomdm.camera import Camera, orbit, project
from videomdm.motion.rotations import from_axis_angle, normalise, to_matrix

from .occlusion import HIDDEN_TOGETHER, JOINT_SPREAD, SWAPPED_TOGETHER, hidden_by_body


@dataclass(frozen=True)
class CameraConfig:
    """How synthetic cameras are drawn, uniformly within each range.

    The defaults for pitch and distance factor are VideoMDM's on HumanML3D.
    """

    pitch: tuple[float, float] = (-math.pi / 8, math.pi / 24)  # radians; negative looks down
    distance_factor: tuple[float, float] = (2.5, 2.5)  # of half the clip's largest extent
    shortest_distance: float = 2.5  # metres, beyond half the extent


@dataclass(frozen=True)
class DetectorConfig:
    """Errors of a 2D detector, as fractions of the person's height in the image; 0 turns any of them off.

    ``jitter`` is the standard deviation for the least certain joint (confidence 0.5; half of it at confidence 1),
    ``drift`` that of a slow error shared by neighbouring frames.  ``dropout`` sets how often a joint goes unseen
    over a run of frames.

    ``dropout``, ``swap`` and ``occlusion`` are chances midway between two knots of the slow noise that decides.  Over
    all frames 0.01, 0.02, 0.05, 0.1 and 0.3 come to 2, 4, 8, 15 and 35 %.

    by_joint:       jitter and drift differ from joint to joint as annotators of COCO do, from 0.4 at the head to
                    1.3 at the hips; the mean stays.
    swap:           how often both arms, or both legs, are taken for each other over a run of frames.
    occlusion:      how often an arm, a leg or both legs are hidden by something over a run of frames; a leg is hidden
                    alone or with the other, so almost twice as often as an arm.
    self_occlusion: how often a joint behind another part of the body goes unseen; where it is still reported, its
                    confidence is half and its errors grow with that.
    """

    jitter: float = 0.004
    drift: float = 0.008
    dropout: float = 0.02
    by_joint: bool = False
    swap: float = 0.0
    occlusion: float = 0.0
    self_occlusion: float = 0.0


@dataclass(frozen=True)
class View:
    """A clip as one camera sees it.

    keypoints:  (B, T, 22, 2) normalised image coordinates with the detector's errors.
    confidence: (B, T, 22), 0 for unseen joints.
    camera:     R (B, 1, 3, 3), t (B, 1, 3): the true camera, static.
    """

    keypoints: Tensor
    confidence: Tensor
    camera: Camera


def uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform random numbers on the generator's device."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def sample_cameras(
    positions: Tensor, mask: Tensor, generator: torch.Generator, config: CameraConfig
) -> Camera:
    """One static camera for each clip (B, T, 22, 3), R (B, 1, 3, 3) and t (B, 1, 3); ``mask`` (B, T)."""
    B = len(positions)
    far = torch.full_like(positions, torch.inf)
    seen = mask[:, :, None, None]
    low = torch.where(seen, positions, far).amin((1, 2))
    high = torch.where(seen, positions, -far).amax((1, 2))
    radius = (high - low).amax(-1) / 2
    factor = uniform(*config.distance_factor, (B,), generator)
    distance = torch.maximum(factor * radius, radius + config.shortest_distance)
    camera = orbit(
        (low + high) / 2,
        uniform(0.0, 2 * math.pi, (B,), generator),
        uniform(*config.pitch, (B,), generator),
        distance,
    )
    return Camera(camera.R[:, None], camera.t[:, None])


def perturb_cameras(
    camera: Camera, distance: Tensor, generator: torch.Generator, degrees: float, shift: float
) -> Camera:
    """Cameras (B, 1, 3, 3), (B, 1, 3) as somebody would estimate them: turned about their own axes and moved.

    ``degrees`` is the standard deviation of the turn about each axis, ``shift`` that of the movement along each
    axis as a part of ``distance`` (B,), metres to the person.
    """
    B = len(distance)
    turn = math.radians(degrees) * torch.randn(B, 3, generator=generator, device=distance.device)
    moved = shift * distance[:, None] * torch.randn(B, 3, generator=generator, device=distance.device)
    R = to_matrix(from_axis_angle(normalise(turn), turn.norm(dim=-1)))[:, None]
    return Camera(R @ camera.R, (R @ camera.t[..., None])[..., 0] + moved[:, None])


def observe(positions: Tensor, camera: Camera, generator: torch.Generator, config: DetectorConfig) -> View:
    """Project clips (B, T, 22, 3) and add a detector's errors."""
    seen = camera.to_camera(positions)
    exact, visible = project(seen)
    B, T, J, _ = exact.shape
    height = (exact[..., 1].amax(-1) - exact[..., 1].amin(-1)).clamp(min=1e-3)[..., None, None]
    knots = max(2, T // 10)

    def smooth(values: Tensor) -> Tensor:
        """Blend (B, knots, N, C) linearly between values that lie half a second apart: (B, T, N, C)."""
        flat = values.permute(0, 2, 3, 1).flatten(1, 2)
        blended = torch.nn.functional.interpolate(flat, size=T, mode="linear")
        return blended.view(B, values.shape[2], -1, T).permute(0, 3, 1, 2)

    def sometimes(chance: float, count: int) -> Tensor:
        """(B, T, count) bool, true in runs of frames."""
        random = smooth(torch.rand(B, knots, count, 1, generator=generator, device=exact.device))[..., 0]
        # midway between two knots a blend of uniform numbers lies below x with a chance of 2 x^2; near a knot, of x
        return random < math.sqrt(chance / 2)

    drift = smooth(torch.randn(B, knots, J, 2, generator=generator, device=exact.device))
    jitter = torch.randn(exact.shape, generator=generator, device=exact.device)
    certainty = smooth(torch.rand(B, knots, J, 1, generator=generator, device=exact.device))[..., 0]
    confidence = 0.5 + 0.5 * certainty
    unseen = sometimes(config.dropout, J)
    if config.self_occlusion:
        behind = hidden_by_body(seen)
        confidence = torch.where(behind, 0.5 * confidence, confidence)
        unseen = unseen | (behind & sometimes(config.self_occlusion, J))
    spread = (1.5 - confidence)[..., None]
    if config.by_joint:
        spread = spread * JOINT_SPREAD.to(spread.device)[:, None]
    keypoints = exact + height * spread * (config.drift * drift + config.jitter * jitter)
    confidence = torch.where(visible & ~unseen, confidence, torch.zeros_like(confidence))
    if config.occlusion:
        covered = sometimes(config.occlusion, len(HIDDEN_TOGETHER))
        for number, joints in enumerate(HIDDEN_TOGETHER):
            confidence[..., joints] = torch.where(covered[..., number, None], 0.0, confidence[..., joints])
    if config.swap:
        mistaken = sometimes(config.swap, len(SWAPPED_TOGETHER))
        order = torch.arange(J, device=exact.device).expand(B, T, J).clone()
        for number, (left, right) in enumerate(SWAPPED_TOGETHER):
            both = torch.tensor([*left, *right], device=exact.device)
            other = torch.tensor([*right, *left], device=exact.device)
            order[..., both] = torch.where(mistaken[..., number, None], other, both)
        keypoints = keypoints.gather(2, order[..., None].expand(-1, -1, -1, 2))
        confidence = confidence.gather(2, order)
    return View(keypoints, confidence, camera)
