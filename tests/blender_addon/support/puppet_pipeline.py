# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline without a model, for a real server: a figure that walks by simple formulas.

It has the interface of ``videomdm.pipeline`` and does what the prompt says: "slow" takes many steps, "refuse"
raises what a user can act on, "crash" kills the worker process.  NumPy only.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.motion import FPS, Motion
from videomdm.motion.skeleton import JOINT_NAMES

Progress = Callable[[float, str, Motion | None], None]
STEP_SECONDS = 0.02
SLOW_STEPS = 1000


@dataclass(frozen=True)
class TextRequest:
    prompt: str
    seconds: float = 5.0
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20
    samples: int = 1


@dataclass(frozen=True)
class LiftRequest:
    keypoints: Any
    prompt: str = ""
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20


@dataclass(frozen=True)
class ModelInfo:
    name: str = "base"
    fps: float = FPS
    skeleton: str = "humanml3d-22"
    licence: str = "GPL-3.0-or-later"
    max_seconds: float = 10.0
    commercial: bool = True
    device: str = "cpu"


def available_models() -> list[ModelInfo]:
    return [ModelInfo()]


class Pipeline:
    info = ModelInfo()

    @classmethod
    def load(cls, model: str = "base", device: str = "auto") -> Pipeline:
        return cls()

    def generate(self, request: TextRequest, progress: Progress | None = None) -> list[Motion]:
        steps = SLOW_STEPS if "slow" in request.prompt else request.steps
        for step in range(steps):
            if progress is not None:
                progress(step / steps, f"step {step + 1} of {steps}", None)
            time.sleep(STEP_SECONDS)
            if "refuse" in request.prompt:
                raise UserError("The puppet refuses.", "Ask for something else.", "refused")
            if "crash" in request.prompt:
                os.kill(os.getpid(), signal.SIGKILL)
        return [walk(request, sample) for sample in range(request.samples)]

    def lift(self, request: LiftRequest, progress: Progress | None = None) -> Motion:
        seen = request.keypoints
        asked = TextRequest(
            request.prompt or "footage", len(seen) / seen.fps, request.seed, steps=request.steps
        )
        return self.generate(asked, progress)[0]


def walk(request: TextRequest, sample: int) -> Motion:
    """A walk along +Z: 1.2 m/s, feet that lift and land, arms that swing."""
    frames = round(request.seconds * FPS)
    seconds = np.arange(frames) / FPS
    phase = 2 * np.pi * seconds * 0.9 + 0.1 * ((request.seed + sample) % 10)
    rest = {
        "pelvis": (0, 0.94, 0), "left_hip": (0.09, 0.86, 0), "right_hip": (-0.09, 0.86, 0),
        "spine1": (0, 1.05, 0), "spine2": (0, 1.18, 0), "spine3": (0, 1.24, 0), "neck": (0, 1.46, 0),
        "left_collar": (0.07, 1.38, 0), "right_collar": (-0.07, 1.38, 0), "head": (0, 1.55, 0.03),
        "left_shoulder": (0.18, 1.4, 0), "right_shoulder": (-0.18, 1.4, 0),
    }  # fmt: skip
    positions = np.zeros((frames, len(JOINT_NAMES), 3))
    for name, place in rest.items():
        positions[:, JOINT_NAMES.index(name)] = place
    for side, x, turn in (("left", 1, 0.0), ("right", -1, np.pi)):
        swing = np.sin(phase + turn)
        lift = np.maximum(np.cos(phase + turn), 0.0)
        knee, ankle, foot = (JOINT_NAMES.index(f"{side}_{part}") for part in ("knee", "ankle", "foot"))
        positions[:, ankle] = np.stack([0.09 * x + 0 * swing, 0.08 + 0.1 * lift, 0.26 * swing], -1)
        hip = positions[:, JOINT_NAMES.index(f"{side}_hip")]
        middle = (hip + positions[:, ankle]) / 2
        half = np.linalg.norm(positions[:, ankle] - hip, axis=-1) / 2
        middle[:, 2] += np.sqrt(np.maximum(0.4**2 - half**2, 0.0))
        positions[:, knee] = middle
        positions[:, foot] = positions[:, ankle] + (0, -0.06, 0.13)
        elbow, wrist = (JOINT_NAMES.index(f"{side}_{part}") for part in ("elbow", "wrist"))
        positions[:, elbow] = np.stack([0.2 * x + 0 * swing, 1.14 + 0 * swing, -0.1 * swing], -1)
        positions[:, wrist] = np.stack([0.21 * x + 0 * swing, 0.92 + 0 * swing, 0.08 - 0.2 * swing], -1)
    positions[:, :, 2] += (1.2 * seconds)[:, None]
    return Motion(positions, fps=FPS, caption=request.prompt, provenance={"seed": request.seed + sample})
