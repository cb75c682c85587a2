# SPDX-License-Identifier: Apache-2.0
"""Footage to motion: the lifter's first guess, then guided sampling along the observed rays.

Shape letters: B batch, T frames, J 22 joints, D 263.

Long footage is lifted in overlapping windows, all of them in one batch.  The camera is taken to stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .camera import Camera, seen_from
from .camera_fit import intrinsics_guess
from .diffusion.guidance import KeypointGuided
from .diffusion.sampling import Denoise
from .diffusion.schedule import Schedule
from .errors import UserError
from .keypoints import Keypoints
from .keypoints.joints import to_joints
from .model.lifter import Lifted, Lifter, level_camera
from .motion.clip import FPS, Motion
from .motion.representation import canonicalise, decode, encode, start
from .motion.skeleton import CONTACT_JOINTS

SHORTEST = 4  # frames


@dataclass(frozen=True)
class Footage:
    """What the model needs of footage, at the representation's frame rate.

    keypoints: (T, 22, 2) normalised image coordinates; weights: (T, 22), 0 to 1.
    """

    keypoints: Tensor
    weights: Tensor

    @classmethod
    def of(cls, keypoints: Keypoints, device: torch.device) -> Footage:
        """Keypoints in pixels, at any frame rate; a usual field of view is assumed where none is known."""
        trimmed = keypoints.trimmed()
        resampled = trimmed if abs(trimmed.fps - FPS) < 1e-3 else trimmed.resampled(FPS)
        if len(resampled) < SHORTEST:
            raise UserError(
                f"The footage shows a person for {trimmed.seconds:.2f} seconds only.",
                f"At least {SHORTEST / FPS:g} seconds are needed.",
                code="bad-keypoints",
            )
        focal = resampled.provenance.get("focal_length")  # pixels, where the camera is known
        K = intrinsics_guess(resampled.width, resampled.height)
        if isinstance(focal, int | float) and focal > 0:
            K[0, 0] = K[1, 1] = float(focal)
        xy, weights = to_joints(resampled, K)
        return cls(torch.from_numpy(xy).to(device), torch.from_numpy(weights).to(device))


@dataclass(frozen=True)
class LiftSettings:
    """How to sample.

    start:   part of the noise at which sampling starts from the lifter's guess; 1 is pure noise.
    obey:    how far joints move onto their rays at each step, times the confidence.
    window:  frames in one window, overlap: frames shared by neighbours.
    """

    seed: int = 0
    steps: int = 20
    start: float = 0.15
    obey: float = 1.0
    window: int = 200
    overlap: int = 40


def window_starts(frames: int, window: int, overlap: int) -> list[int]:
    """First frames of windows that cover ``frames``, the last one flush with the end."""
    if frames <= window:
        return [0]
    count = -(-(frames - overlap) // (window - overlap))
    return [round(i * (frames - window) / (count - 1)) for i in range(count)]


@torch.inference_mode()
def first_guess(footage: Footage, lifter: Lifter, window: int, overlap: int) -> tuple[Tensor, Camera]:
    """The lifter's joints (T, 22, 3) in a level world on the floor, and the still camera (R (3, 3), t (3,))."""
    T = len(footage.keypoints)
    size = min(window, T)
    size = -(-size // lifter.config.patch) * lifter.config.patch
    starts = window_starts(T, size, overlap)
    rows = torch.stack([torch.arange(s, s + size).clamp(max=T - 1) for s in starts])
    lifted = lifter(footage.keypoints[rows], footage.weights[rows])
    joints = cross_fade(lifted.joints, starts, T)
    up = torch.nn.functional.normalize(lifted.up.mean(0), dim=-1)
    return level_world(Lifted(joints[None], up[None]))


def level_world(lifted: Lifted) -> tuple[Tensor, Camera]:
    """Joints (T, 22, 3) of one clip in a world on a floor at 0 under its first root, and its camera."""
    R = level_camera(lifted.up)[0]
    world = lifted.joints[0] @ R
    origin = torch.stack([world[0, 0, 0], floor_height(world), world[0, 0, 2]])
    return world - origin, Camera(R, R @ origin)


def floor_height(positions: Tensor) -> Tensor:
    """The height (metres, a scalar) on which the feet of (T, 22, 3) stand: that of the lower foot, mostly."""
    return torch.quantile(positions[:, list(CONTACT_JOINTS), 1].amin(1), 0.2)


def cross_fade(windows: Tensor, starts: list[int], frames: int) -> Tensor:
    """Blend windows (N, S, ...) that start at ``starts`` into one sequence (T, ...), linearly where they overlap."""
    size = windows.shape[1]
    extra = (1,) * (windows.ndim - 2)
    result = windows.new_zeros((frames, *windows.shape[2:]))
    total = windows.new_zeros((frames, *extra))
    frame = torch.arange(size, device=windows.device, dtype=windows.dtype)
    hat = torch.minimum(frame + 1, size - frame).reshape(-1, *extra)
    for values, first in zip(windows, starts, strict=True):
        last = min(first + size, frames)
        result[first:last] += (values * hat)[: last - first]
        total[first:last] += hat[: last - first]
    return result / total


@torch.inference_mode()
def lift_footage(
    footage: Footage,
    lifter: Lifter,
    denoise: Denoise,
    schedule: Schedule,
    mean: Tensor,
    std: Tensor,
    settings: LiftSettings,
    progress: Callable[[float, str, Motion | None], None] | None = None,
) -> Tensor:
    """Joints (T, 22, 3) of footage: metres, Y up, the floor at 0, from the origin facing +Z.

    ``progress`` hears of every denoising step, with the estimate of all of the footage.
    """
    guess, camera = first_guess(footage, lifter, settings.window, settings.overlap)
    T = len(guess)
    size = -(-min(settings.window, T) // 4) * 4
    starts = window_starts(T, size, min(settings.overlap, size // 2))
    rows = torch.stack([torch.arange(s, s + size).clamp(max=T - 1) for s in starts])
    windows = guess[rows]
    placement = start(windows)
    N = len(windows)
    world_camera = Camera(camera.R.expand(N, 1, 3, 3), camera.t.expand(N, 1, 3))
    guided = KeypointGuided(
        denoise,
        seen_from(world_camera, placement),
        footage.keypoints[rows],
        (settings.obey * footage.weights[rows]).clamp(max=1),
        mean,
        std,
    )
    x0 = (encode(windows) - mean) / std
    generator = torch.Generator().manual_seed(settings.seed)
    last = round((len(schedule) - 1) * settings.start)
    times = sorted(
        {round(last * (1 - i / max(1, settings.steps - 1))) for i in range(settings.steps)}, reverse=True
    )
    t = torch.full((N,), times[0], device=x0.device)
    x = schedule.diffuse(x0, torch.randn(x0.shape, generator=generator).to(x0.device), t)
    positions = guess
    for index, time in enumerate(times):
        t = torch.full((N,), time, device=x0.device)
        x0 = guided(x, t)
        positions = _join(x0 * std + mean, guided.camera, world_camera, starts, T)
        if progress is not None:
            done = index + 1
            progress(
                done / len(times), f"denoising {done}/{len(times)}", Motion(positions.cpu().numpy(), FPS)
            )
        to = times[index + 1] if index + 1 < len(times) else -1
        x = schedule.step(x, x0, t, torch.full_like(t, to))
    return positions


def _join(features: Tensor, camera: Camera, world: Camera, starts: list[int], frames: int) -> Tensor:
    """Windows of features (N, S, 263), each in its own coordinates, as one motion in the first one's."""
    own = decode(features)
    # own coordinates -> camera -> world: the camera is the same for all windows
    seen = camera.to_camera(own)
    positions = (seen - world.t[..., None, :]) @ world.R
    joined, _ = canonicalise(cross_fade(positions, starts, frames))
    # aligning moved the feet with everything else
    return joined - floor_height(joined) * torch.tensor([0.0, 1.0, 0.0], device=joined.device)
