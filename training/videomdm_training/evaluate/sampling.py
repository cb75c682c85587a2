# SPDX-License-Identifier: Apache-2.0
"""Many motions at once: a model's answers to captions, each of its own length, in batches of similar length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from videomdm import limits
from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import ancestral, ddim
from videomdm.model.lifter import JOINTS
from videomdm.model.text import TextEncoder, text_encoder
from videomdm.motion.clip import FPS
from videomdm.motion.representation import decode
from videomdm.pipeline import Pipeline, choose_device, on_floor

from ..baselines.consensus import made_by_consensus, stand
from ..baselines.flat import FILE, FlatPrior
from ..captions import CaptionTable

BATCH = 32


@dataclass(frozen=True)
class SamplingSettings:
    """How a model is asked; the defaults are those of the product.

    sampler:  "ddim" is deterministic; "ancestral" takes fresh noise in every step, as MDM does.
    steps:    denoising steps, at most the model's own.
    guidance: classifier-free guidance scale.
    precision: "bf16-mixed" runs the network in bfloat16, which halves the time where the processor can do that.
    """

    sampler: Literal["ddim", "ancestral"] = "ddim"
    steps: int = 20
    guidance: float = 2.5
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        limits.check_steps(self.steps)
        limits.check_guidance(self.guidance)


class Sampler(ABC):
    """Something that makes motions of ``captions``, as many and as long as asked for.

    longest: frames.
    """

    longest: int

    def __init__(
        self,
        captions: Sequence[str],
        encoder: TextEncoder,
        device: torch.device,
        patch: int,
        settings: SamplingSettings,
    ) -> None:
        self.device = device
        self.settings = settings
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
            half = self.settings.precision == "bf16-mixed"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
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
        super().__init__(captions, pipeline.encoder, pipeline.device, config.patch, settings)
        self.pipeline = pipeline
        self.longest = min(round(pipeline.info.max_seconds * FPS), config.max_frames)

    def _answers(self, text: tuple[Tensor, Tensor], mask: Tensor, seeds: Sequence[tuple[int, int]]) -> Tensor:
        model = self.pipeline
        noise = Noise(seeds, (mask.shape[1], model.denoiser.config.features), self.device)
        denoise = text_guided(model.denoiser, *text, self.settings.guidance, mask)
        if self.settings.sampler == "ancestral":
            x0 = ancestral(denoise, noise.first, model.schedule, self.settings.steps, noise_sampler=noise)
        else:
            x0 = ddim(denoise, noise.first, model.schedule, self.settings.steps)
        return x0.float() * model.std + model.mean

    def _joints(self, rows: Tensor) -> Tensor:
        return decode(on_floor(rows[None])[0])


class ConsensusSampler(Sampler):
    """A 2D model whose views agree in 3D: what lifting at inference comes to."""

    def __init__(self, prior: FlatPrior, captions: Sequence[str], settings: SamplingSettings) -> None:
        config = prior.network.config
        device = prior.network.write.weight.device
        super().__init__(captions, text_encoder(), device, config.patch, settings)
        self.prior = prior
        self.longest = config.max_frames

    def _answers(self, text: tuple[Tensor, Tensor], mask: Tensor, seeds: Sequence[tuple[int, int]]) -> Tensor:
        noise, asked = Noise(seeds, (mask.shape[1], JOINTS, 3), self.device), self.settings
        return made_by_consensus(
            self.prior, text, noise.first, mask, guidance=asked.guidance, steps=asked.steps,
            noise_sampler=noise if asked.sampler == "ancestral" else None,
        )  # fmt: skip

    def _joints(self, rows: Tensor) -> Tensor:
        return stand(rows)


def is_flat(name: str) -> bool:
    """Whether ``name`` is a run folder of `train flat`."""
    return (Path(name) / FILE).is_file()


def load_maker(name: str) -> Pipeline | FlatPrior:
    """What makes motions: a model by name or folder, or the 2D model of a run folder; where models run."""
    return FlatPrior.load(Path(name), choose_device("auto")) if is_flat(name) else Pipeline.load(name)


def sampler_for(model: Pipeline | FlatPrior, captions: Sequence[str], settings: SamplingSettings) -> Sampler:
    """What asks a model of either kind."""
    if isinstance(model, FlatPrior):
        return ConsensusSampler(model, captions, settings)
    return ModelSampler(model, captions, settings)


class Noise:
    """Standard normal noise (B, ...) of ``shape`` a row, each row from a seed of its own."""

    def __init__(
        self, seeds: Sequence[tuple[int, int]], shape: tuple[int, ...], device: torch.device
    ) -> None:
        self.seeds = seeds
        self.shape = shape
        self.device = device
        self.first = self._drawn(())

    def __call__(self, step: int) -> Tensor:
        """Fresh noise of a step, as :func:`videomdm.diffusion.sampling.ancestral` asks for it."""
        return self._drawn((step + 1,))  # a seed that ends in 0 is the same as one without it

    def _drawn(self, step: tuple[int, ...]) -> Tensor:
        return torch.stack([_noise((*seed, *step), self.shape) for seed in self.seeds]).to(self.device)


def _noise(seed: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise: the first rows are the same however many there are."""
    mixed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    rows = -(-shape[0] // 16) * 16  # torch draws in blocks of 16, and a last block that is not whole differs
    return torch.randn((rows, *shape[1:]), generator=torch.Generator().manual_seed(mixed))[: shape[0]]
