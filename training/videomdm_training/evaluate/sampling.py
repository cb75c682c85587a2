# SPDX-License-Identifier: Apache-2.0
"""Many motions at once: a model's answers to captions, each of its own length, in batches of similar length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import ddim
from videomdm.model.lifter import JOINTS
from videomdm.model.text import TextEncoder, text_encoder
from videomdm.motion.clip import FPS
from videomdm.motion.representation import decode
from videomdm.pipeline import Pipeline, on_floor

from ..baselines.consensus import made_by_consensus, stand
from ..baselines.flat import FlatPrior
from ..captions import CaptionTable

BATCH = 32


@dataclass(frozen=True)
class SamplingSettings:
    """How a model is asked; the defaults are those of the product."""

    steps: int = 20
    guidance: float = 2.5


class Sampler(ABC):
    """Something that makes motions of ``captions``, as many and as long as asked for.

    longest: frames.
    """

    longest: int

    def __init__(
        self, captions: Sequence[str], encoder: TextEncoder, device: torch.device, patch: int
    ) -> None:
        self.device = device
        self.patch = patch
        self.words = CaptionTable()
        for caption in captions:
            self.words.add(caption)
        self.words.encode(encoder, device)

    def __call__(
        self,
        captions: Sequence[str],
        lengths: Sequence[int],
        seed: int,
        done: Callable[[int], object] | None = None,
    ) -> list[np.ndarray]:
        """Motions (T, 22, 3) of captions, T = ``lengths``, metres, Y up, on the floor.

        The noise of motion i comes from ``seed`` and i alone, however many are made together.
        """
        made: list[np.ndarray] = [np.empty(0)] * len(captions)
        order = sorted(range(len(captions)), key=lambda i: lengths[i])
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            ids = torch.tensor([self.words.add(captions[i]) for i in chosen], device=self.device)
            wanted = [lengths[i] for i in chosen]
            padded = torch.tensor([-(-n // self.patch) * self.patch for n in wanted], device=self.device)
            mask = torch.arange(int(padded.max()), device=self.device)[None] < padded[:, None]
            answers = self._answers(self.words.states(ids), mask, [(seed, i) for i in chosen])
            for i, rows, n in zip(chosen, answers, wanted, strict=True):
                made[i] = self._joints(rows[:n]).cpu().numpy()
            if done is not None:
                done(len(chosen))
        return made

    @abstractmethod
    def _answers(self, text: tuple[Tensor, Tensor], mask: Tensor, seeds: Sequence[tuple[int, int]]) -> Tensor:
        """What is made of captions for frames under ``mask`` (B, T): (B, T, ...)."""

    @abstractmethod
    def _joints(self, rows: Tensor) -> Tensor:
        """One answer's rows (T, ...) as joints (T, 22, 3) on the floor."""


class ModelSampler(Sampler):
    """A 3D model, asked as the product asks it."""

    def __init__(self, pipeline: Pipeline, captions: Sequence[str], settings: SamplingSettings) -> None:
        config = pipeline.denoiser.config
        super().__init__(captions, pipeline.encoder, pipeline.device, config.patch)
        self.pipeline = pipeline
        self.settings = settings
        self.longest = min(round(pipeline.info.max_seconds * FPS), config.max_frames)

    def _answers(self, text: tuple[Tensor, Tensor], mask: Tensor, seeds: Sequence[tuple[int, int]]) -> Tensor:
        model = self.pipeline
        noise = drawn(seeds, mask.shape[1], model.denoiser.config.features).to(self.device)
        denoise = text_guided(model.denoiser, *text, self.settings.guidance, mask)
        x0 = ddim(denoise, noise, model.schedule, self.settings.steps)
        return x0.float() * model.std + model.mean

    def _joints(self, rows: Tensor) -> Tensor:
        return decode(on_floor(rows[None])[0])


class ConsensusSampler(Sampler):
    """A 2D model whose views agree in 3D: what lifting at inference comes to."""

    def __init__(self, prior: FlatPrior, captions: Sequence[str], settings: SamplingSettings) -> None:
        config = prior.network.config
        super().__init__(captions, text_encoder(), prior.network.write.weight.device, config.patch)
        self.prior = prior
        self.settings = settings
        self.longest = config.max_frames

    def _answers(self, text: tuple[Tensor, Tensor], mask: Tensor, seeds: Sequence[tuple[int, int]]) -> Tensor:
        noise = drawn(seeds, mask.shape[1], JOINTS * 3).to(self.device).unflatten(2, (JOINTS, 3))
        asked = self.settings
        return made_by_consensus(self.prior, text, noise, mask, guidance=asked.guidance, steps=asked.steps)

    def _joints(self, rows: Tensor) -> Tensor:
        return stand(rows)


def sampler_for(model: Pipeline | FlatPrior, captions: Sequence[str], settings: SamplingSettings) -> Sampler:
    """What asks a model of either kind."""
    if isinstance(model, FlatPrior):
        return ConsensusSampler(model, captions, settings)
    return ModelSampler(model, captions, settings)


def drawn(seeds: Sequence[tuple[int, int]], T: int, width: int) -> Tensor:
    """(B, T, width) of standard normal noise, each row of its own seed."""
    return torch.stack([_noise(seed, T, width) for seed in seeds])


def _noise(seed: tuple[int, int], T: int, width: int) -> Tensor:
    """(T, width) of standard normal noise: the first rows are the same whatever T is."""
    mixed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return torch.randn(T, width, generator=torch.Generator().manual_seed(mixed))
