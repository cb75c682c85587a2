# SPDX-License-Identifier: Apache-2.0
"""A pipeline small enough for tests: it denoises a walk on the spot with NumPy, step by step.

What the prompt says decides how it behaves: "slowly" takes 0.1 s a step, "dies" kills the process as the
system does when memory runs out, "hungry" runs out of memory itself, "fails" has a fault, "refuses" finds the
request unusable.  Every run is one line in the file that WALKER_LOG names.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.motion import Motion

FPS = 20.0


@dataclass(frozen=True)
class TextRequest:
    prompt: str
    seconds: float
    seed: int
    guidance: float
    steps: int
    samples: int


@dataclass(frozen=True)
class LiftRequest:
    keypoints: Keypoints
    prompt: str
    seed: int
    guidance: float
    steps: int


@dataclass(frozen=True)
class Info:
    name: str
    max_seconds: float = 8.0
    fps: float = FPS
    skeleton: str = "humanml3d-22"
    licence: str = "Apache-2.0"
    commercial: bool = True


def available_models() -> list[Info]:
    return [Info("walker"), Info("stroller", 4.0), Info("broken")]


class Walker:
    device_name = "two legs"

    def __init__(self, name: str, device: str) -> None:
        self.info = Info(name)
        self.device = device

    @classmethod
    def load(cls, model: str, device: str) -> Walker:
        if model == "broken":
            raise UserError("The model broken is damaged.", "Download it again.", "bad-model")
        if model == "heavy" or os.path.exists(os.environ.get("WALKER_TOO_HEAVY", "")):
            os.kill(os.getpid(), signal.SIGKILL)
        return cls(model, device)

    def generate(self, request: TextRequest, progress: Any) -> list[Motion]:
        frames = round(request.seconds * FPS)
        seeds = range(request.seed, request.seed + request.samples)
        _log(prompt=request.prompt, pid=os.getpid(), model=self.info.name, device=self.device)
        return _denoise(request.prompt, frames, seeds, request.steps, progress)

    def lift(self, request: LiftRequest, progress: Any) -> Motion:
        prompt = request.prompt or f"{len(request.keypoints)} frames of {request.keypoints.source}"
        _log(prompt=prompt, pid=os.getpid(), model=self.info.name, device=self.device)
        return _denoise(prompt, len(request.keypoints), [request.seed], request.steps, progress)[0]


def _denoise(prompt: str, frames: int, seeds: Sequence[int], steps: int, progress: Any) -> list[Motion]:
    noises = [np.random.default_rng(seed).normal(size=(frames, 22, 3)) for seed in seeds]
    walk = _walk(frames)
    for step in range(1, steps + 1):
        if "slowly" in prompt:
            time.sleep(0.1)
        if step == steps // 2:
            _misbehave(prompt)
        preview = _motion(walk + (1 - step / steps) * noises[0], prompt, seeds[0])
        progress(step / steps, f"denoising {step}/{steps}", preview)
    features = np.zeros((frames, 263), np.float32)
    return [
        _motion(walk + 0.01 * noise, prompt, seed, features)
        for seed, noise in zip(seeds, noises, strict=True)
    ]


def _misbehave(prompt: str) -> None:
    if "dies" in prompt:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hungry" in prompt:
        raise MemoryError("8 GiB")
    if "fails" in prompt:
        raise RuntimeError("a leg is missing")
    if "refuses" in prompt:
        raise UserError("I do not walk.", "Ask for a dance.", "no-walk")


def _walk(frames: int) -> np.ndarray:
    positions = np.zeros((frames, 22, 3))
    positions[..., 1] = np.linspace(0.0, 1.7, 22)
    positions[:, 7:9, 2] = 0.3 * np.sin(np.arange(frames) / FPS * 2 * np.pi)[:, None] * [1, -1]
    return positions


def _motion(positions: np.ndarray, prompt: str, seed: int, features: np.ndarray | None = None) -> Motion:
    contacts = np.zeros((len(positions), 4), dtype=bool)
    provenance = {"model": "walker", "seed": seed}
    return Motion(positions, FPS, contacts, features, caption=prompt, provenance=provenance)


def _log(**line: Any) -> None:
    with Path(os.environ["WALKER_LOG"]).open("a") as file:
        file.write(json.dumps(line) + "\n")
