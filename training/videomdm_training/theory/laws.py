# SPDX-License-Identifier: Apache-2.0
"""The depth-weighted 2D loss in closed form, and the same loss measured over sampled cameras.

A joint at camera coordinates (X, Y, Z) that is predicted with an error e moves in the image by
(e_x - u e_z) / (Z + e_z), u = X / Z.  Weighted by the squared predicted depth (Z + e_z)^2, its squared 2D error is
therefore exactly |(e_x, e_y) - (u, v) e_z|^2: the squared error across the ray, to which an error in depth adds only
as far as the joint lies off the optical axis.  Over cameras whose azimuth is uniform, its expectation is the squared
3D error under one fixed weight for each axis.
Axes: Y up, cameras at the elevation phi look at the body; a negative pitch looks down, as in ``CameraConfig``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import ive
from torch import Tensor

from videomdm.camera import Camera, orbit, project
from videomdm.motion import kinematics, rotations
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import PARENTS

from ..losses import DepthWeighting, reprojection_losses
from ..views import uniform

CENTRE = (0.0, 0.9, 0.0)  # what the cameras look at, metres


def axis_weights(pitch: Tensor, azimuth_harmonics: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """How much of the squared error along the world's x, y and z the loss sees: (..., 3) of ``pitch`` (...).

    Far cameras and matched depth are assumed: weight = 1 - E[f f^T] for the view direction f.
    ``azimuth_harmonics`` are E[cos 2a] and E[sin 2a] of the azimuth, 0 where it is uniform; the second couples x and
    z and does not enter a weight.  At pitch 0 and uniform azimuth: 1/2, 1, 1/2.
    """
    level = pitch.cos().square()
    double = azimuth_harmonics[0]
    along_x, along_z = level * (1 - double) / 2, level * (1 + double) / 2
    return torch.stack([1 - along_x, level, 1 - along_z], dim=-1)


def concentrated_harmonic(concentration: float) -> float:
    """E[cos 2a] of azimuths with the von Mises density exp(k cos a): I2(k) / I0(k)."""
    return float(ive(2, concentration) / ive(0, concentration))


def poses(count: int, generator: torch.Generator) -> Tensor:
    """(N, 22, 3) float64 bodies in random poses around ``CENTRE``; metres."""
    turns = 0.5 * torch.randn(count, 22, 3, generator=generator, dtype=torch.float64)
    angle = turns.norm(dim=-1)
    local = rotations.from_axis_angle(turns / angle[..., None], angle)
    bones = torch.from_numpy(REST_DIRECTIONS * BONE_LENGTHS[:, None]).double().expand(count, 22, 3).clone()
    bones[:, 0] = torch.tensor(CENTRE, dtype=torch.float64)
    return kinematics.forward(PARENTS, local, bones)[0]


def cameras(azimuth: Tensor, pitch: Tensor, distance: Tensor) -> Camera:
    """Cameras around ``CENTRE``, as losses take them: R (B, 1, 3, 3), t (B, 1, 3); radians, metres."""
    centre = torch.tensor(CENTRE, dtype=azimuth.dtype).expand(*azimuth.shape, 3)
    camera = orbit(centre, azimuth, pitch, distance)
    return Camera(camera.R[:, None], camera.t[:, None])


def measured(truth: Tensor, predicted: Tensor, camera: Camera, how: DepthWeighting = "joint") -> Tensor:
    """The loss that training takes, of each of B single frames (B, 22, 3): (B,) square metres for "joint"."""
    keypoints, _ = project(camera.to_camera(truth[:, None]))
    ones = torch.ones(1, 1, 22, dtype=truth.dtype)

    def one(points: Tensor, R: Tensor, t: Tensor, seen: Tensor) -> Tensor:
        body = points[None, None]
        return reprojection_losses(body, Camera(R[None], t[None]), seen[None], ones, ones[..., 0] > 0, how)[0]

    # the loss is a mean over a batch; here each frame is a batch of its own
    return torch.func.vmap(one)(predicted, camera.R, camera.t, keypoints)


@dataclass(frozen=True)
class Sample:
    """Bodies, errors and cameras that a comparison is made over.

    truth, predicted: (B, 22, 3) metres; camera: one of each; pitch: (B,) radians.
    """

    truth: Tensor
    predicted: Tensor
    camera: Camera
    pitch: Tensor


def sample(
    count: int,
    generator: torch.Generator,
    *,
    error: float = 0.05,
    pitch: tuple[float, float] = (-math.pi / 8, math.pi / 24),
    distance: tuple[float, float] = (3.0, 8.0),
    azimuth: Tensor | None = None,
) -> Sample:
    """Random poses with independent errors of ``error`` metres on each axis of each joint, as cameras see them.

    ``azimuth`` (B,) replaces the uniform one.
    """
    truth = poses(count, generator)
    # errors of clips differ in size: a loss that tells little from large is worth something
    size = error * torch.rand(count, 1, 1, generator=generator, dtype=torch.float64) * 2
    predicted = truth + size * torch.randn(truth.shape, generator=generator, dtype=torch.float64)
    double = torch.float64
    pitches = uniform(*pitch, (count,), generator).to(double)
    if azimuth is None:
        azimuth = uniform(0.0, 2 * math.pi, (count,), generator)
    camera = cameras(azimuth.to(double), pitches, uniform(*distance, (count,), generator).to(double))
    return Sample(truth, predicted, camera, pitches)


def seen_error(batch: Sample) -> Tensor:
    """(B,) the mean over joints of the squared 3D error under :func:`axis_weights`, uniform azimuth."""
    squares = (batch.predicted - batch.truth).square()
    return (squares * axis_weights(batch.pitch)[:, None]).sum(-1).mean(-1)


def moved_in_depth(points: Tensor, camera: Camera, part: float) -> Tensor:
    """(B, 22, 3) moved as one along the optical axis by ``part`` of the body's distance."""
    depth = camera.to_camera(points[:, None])[..., 2].mean((1, 2))
    axis = camera.R[:, 0, 2]
    return points + (part * depth)[:, None, None] * axis[:, None]


def depth_bias(points: Tensor, camera: Camera, part: float) -> Tensor:
    """(B,) what a body in the right pose, but ``part`` of its distance too far away, costs: square metres.

    Its off-axis extent r then is seen too small by r part: the mean of (part r)^2.
    """
    seen = camera.to_camera(points[:, None])
    mean = seen[..., 2].mean((1, 2))[:, None, None]
    off = seen[..., :2] * (part * mean / seen[..., 2])[..., None]
    return off.square().sum(-1).mean((1, 2))
