# SPDX-License-Identifier: Apache-2.0
"""Many motions at once: a model's answers to captions, each of its own length, in batches of similar length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import ddim
from videomdm.motion.representation import decode
from videomdm.pipeline import Pipeline, on_floor

from ..captions import CaptionTable

BATCH = 32


@dataclass(frozen=True)
class SamplingSettings:
    """How a model is asked; the defaults are those of the product."""

    steps: int = 20
    guidance: float = 2.5


class Sampler:
    """A model that makes motions of ``captions``, as many and as long as asked for."""

    def __init__(self, pipeline: Pipeline, captions: Sequence[str], settings: SamplingSettings) -> None:
        self.pipeline = pipeline
        self.settings = settings
        self.words = CaptionTable()
        for caption in captions:
            self.words.add(caption)
        self.words.encode(pipeline.encoder, pipeline.device)

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
            ids = torch.tensor([self.words.add(captions[i]) for i in chosen], device=self.pipeline.device)
            features = self._sample(ids, [lengths[i] for i in chosen], [(seed, i) for i in chosen])
            for i, row in zip(chosen, features, strict=True):
                made[i] = decode(on_floor(row[None])[0]).cpu().numpy()
            if done is not None:
                done(len(chosen))
        return made

    def _sample(self, ids: Tensor, lengths: Sequence[int], seeds: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Features (T, 263) of each clip."""
        model, patch = self.pipeline, self.pipeline.denoiser.config.patch
        padded = torch.tensor([-(-n // patch) * patch for n in lengths], device=model.device)
        T = int(padded.max())
        noise = torch.stack([_noise(seed, T, model.denoiser.config.features) for seed in seeds])
        mask = torch.arange(T, device=model.device)[None] < padded[:, None]
        text, text_mask = self.words.states(ids)
        denoise = text_guided(model.denoiser, text, text_mask, self.settings.guidance, mask)
        x0 = ddim(denoise, noise.to(model.device), model.schedule, self.settings.steps)
        features = x0.float() * model.std + model.mean
        return [row[:n] for row, n in zip(features, lengths, strict=True)]


def _noise(seed: tuple[int, int], T: int, width: int) -> Tensor:
    """(T, width) of standard normal noise: the first rows are the same whatever T is."""
    mixed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return torch.randn(T, width, generator=torch.Generator().manual_seed(mixed))
