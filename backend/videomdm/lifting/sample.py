# SPDX-License-Identifier: Apache-2.0
"""Footage to motion: a first guess, a body fitted to it, the model's answer to what was seen, and a last fit.

Shape letters: B batch, N windows, K samples, T frames, J 22 joints, D 263.

1. The lifter's guess, in windows of the length on which it was trained, averaged with its mirror image.
2. A body fitted to guess and keypoints (``fit.py``), which puts seen joints within a few centimetres.
3. The denoiser, from noise to motion, fills in what was not seen around the fitted joints that were; the mean of
   several such motions is nearer to the truth than any of them.
4. The fit again, now near a mixture of guess and samples: samples where nothing was seen, both elsewhere.

Long footage runs in overlapping windows, all in one batch; fits take all of it at once.  The camera is taken to
stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..diffusion.guidance import Anchored
from ..diffusion.sampling import Denoise, spaced_steps
from ..diffusion.schedule import Schedule
from ..errors import UserError
from ..model.lifter import Lifted, Lifter
from ..motion.clip import FPS, Motion
from ..motion.representation import canonicalise, decode, encode, put_back, start
from .fit import FitConfig, Fitted, fit_body
from .footage import Footage
from .guess import floor_height, level_world, lift_windows
from .windows import cross_fade, window_rows

Progress = Callable[[float, str, Motion | None], None]
LIFTER_WINDOW, LIFTER_OVERLAP = 80, 40  # frames: the lifter's training clips are that long
# metres: the height of the lower foot joint of somebody who stands, over the training set
RESTING_FOOT = 0.014
FIRST_FIT, SAMPLED = 0.2, 0.8  # of all work, when the first fit and the last denoising step are done


@dataclass(frozen=True)
class LiftSettings:
    """How to lift.

    steps:   denoising steps from noise to motion; 0 leaves the model out: the lifter and a fit.
    start:   part of the noise at which sampling starts from the fitted body; 1 is pure noise.
    samples: how many sampled motions are averaged.
    prior:   weight of the samples against the lifter where joints were seen, 0 to 1; it is 1 where none was.
    window:  frames in one window of sampling, overlap: frames shared by neighbours.
    """

    seed: int = 0
    steps: int = 20
    start: float = 1.0
    samples: int = 3
    prior: float = 0.7
    window: int = 200
    overlap: int = 40
    fit: FitConfig = field(default_factory=FitConfig)

    def __post_init__(self) -> None:
        if not (0 <= self.start <= 1 and 0 <= self.prior <= 1):
            raise UserError("start and prior must lie between 0 and 1.", "Change that setting of lifting.")
        if self.steps < 0 or self.samples < 1 or self.window < 1 or self.overlap < 0:
            raise UserError(
                "samples and window must be at least 1, steps and overlap at least 0.",
                "Change that setting of lifting.",
            )


@torch.no_grad()
def lift_footage(
    footage: Footage,
    lifter: Lifter,
    denoise: Denoise,
    schedule: Schedule,
    mean: Tensor,
    std: Tensor,
    settings: LiftSettings,
    progress: Progress | None = None,
) -> Tensor:
    """Joints (T, 22, 3) of footage: metres, Y up, the floor at 0, from the origin facing +Z.

    ``progress`` hears of every denoising step and every stage of a fit, with the motion so far.  It may raise
    Cancelled.
    """

    def tell(done: float, stage: str, joints: Tensor, up: Tensor) -> None:
        if progress is not None:
            motion = Motion(grounded(Fitted(joints, up)).cpu().numpy(), FPS)
            progress(done, stage, motion)

    guess = lift_windows(footage, lifter, LIFTER_WINDOW, LIFTER_OVERLAP, mirrored=True)
    lifted, up = guess.joints[0], guess.up[0]
    body = fit_body(
        lifted,
        up,
        footage,
        settings.fit,
        lambda done, joints, up: tell(FIRST_FIT * done, "fitting a body", joints, up),
    )
    if settings.steps < 1:
        return grounded(body)

    def sampled(done: float, stage: str, joints: Tensor) -> None:
        tell(FIRST_FIT + (SAMPLED - FIRST_FIT) * done, stage, joints, body.up)

    filled = sample_around(body, footage, denoise, schedule, mean, std, settings, sampled)
    trust = (footage.seen * (1 - settings.prior))[..., None]
    pose = trust * (lifted - lifted[:, :1]) + (1 - trust) * (filled - filled[:, :1])
    body = fit_body(
        pose + body.joints[:, :1],
        up,
        footage,
        settings.fit,
        lambda done, joints, up: tell(SAMPLED + (1 - SAMPLED) * done, "fitting the motion", joints, up),
    )
    return grounded(body)


def sample_around(
    body: Fitted,
    footage: Footage,
    denoise: Denoise,
    schedule: Schedule,
    mean: Tensor,
    std: Tensor,
    settings: LiftSettings,
    progress: Callable[[float, str, Tensor], None],
) -> Tensor:
    """The mean of motions that the denoiser makes around a fitted body: (T, 22, 3) in camera space."""
    world, camera = level_world(Lifted(body.joints[None], body.up[None]))
    T, K = len(world), settings.samples
    rows, starts = window_rows(T, settings.window, settings.overlap, 4)
    windows = world[rows]
    placement = start(windows)
    x0 = encode(windows)
    anchored = Anchored(
        denoise,
        decode(x0).repeat(K, 1, 1, 1),
        footage.weights[rows].repeat(K, 1, 1),
        footage.seen[rows].repeat(K, 1, 1),
        mean,
        std,
    )
    times = spaced_steps(schedule, settings.steps, settings.start)
    generator = torch.Generator().manual_seed(settings.seed)
    noise = torch.randn((K * len(rows), *x0.shape[1:]), generator=generator).to(x0.device)
    t = torch.full((len(noise),), times[0], device=x0.device)
    x = schedule.diffuse(((x0 - mean) / std).repeat(K, 1, 1), noise, t)
    seen = body.joints
    for index, time in enumerate(times):
        t = torch.full_like(t, time)
        x0 = anchored(x, t)
        own = anchored.free.unflatten(0, (K, -1)).mean(0)
        # every window in its own coordinates -> the world -> the camera
        seen = camera.to_camera(cross_fade(put_back(own, placement), starts, T))
        progress((index + 1) / len(times), f"denoising {index + 1}/{len(times)}", seen)
        to = times[index + 1] if index + 1 < len(times) else -1
        x = schedule.step(x, x0, t, torch.full_like(t, to))
    return seen


def grounded(body: Fitted) -> Tensor:
    """A fitted body's joints (T, 22, 3) from the origin, facing +Z, the lower foot mostly resting on a floor at 0."""
    world, _ = level_world(Lifted(body.joints[None], body.up[None]))
    joined, _ = canonicalise(world)
    # turning does not change heights, but the feet's joints lie within the foot
    lift = RESTING_FOOT - floor_height(joined)
    return joined + lift * torch.tensor([0.0, 1.0, 0.0], device=joined.device)
