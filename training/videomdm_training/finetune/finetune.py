# SPDX-License-Identifier: Apache-2.0
"""Fine-tune a model on a few clips: by default a low-rank adapter, held to what its base can do."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from videomdm.diffusion.schedule import cosine
from videomdm.errors import UserError
from videomdm.model.adapter import AdapterConfig, load_denoiser
from videomdm.model.checkpoint import load_model
from videomdm.model.denoiser import Denoiser, DenoiserConfig
from videomdm.model.lifter import Lifter
from videomdm.model.registry import DENOISER, LIFTER, find_model, fingerprint

from .. import engine
from ..captions import CaptionTable
from ..configuration import load_run_config, time_left
from ..fit import FitConfig, LossConfig, VideoMDM
from ..normalisation import Normalisation
from ..samples import Samples
from ..teacher.supervision import Supervision, SupervisionConfig
from ..views import CameraConfig, DetectorConfig
from .network import AdaptedDenoiser
from .rehearsal import HELD_PROMPTS, PROMPTS, Forgetting, Rehearsal, RehearsalConfig, forgetting

MOST_SAMPLES = 4  # captions of whose motions there is a picture


def _engine(learning_rate: float = 7e-3) -> engine.EngineConfig:
    return engine.EngineConfig(
        steps=300, optimiser="adamw", learning_rate=learning_rate, weight_decay=0.0, warmup=10, cooldown=0.6,
        ema=0.98, save_every=50, log_every=5, validate_every=100,
    )  # fmt: skip


@dataclass(frozen=True)
class FinetuneConfig:
    """Everything that decides a fine-tuning.

    engine:  ``validate_every`` is how often motions of the first captions are drawn for TensorBoard.
    method:  "adapter" trains low-rank differences to the base and stores only those; "full" trains every weight
             and stores a whole model.
    motions: clips of 3D motion are supervised by their 3D; with "2d" they are looked at by synthetic cameras and
             only their keypoints supervise, as those of footage always do.
    loss:    the terms of 2D supervision; which supervision it is, ``motions`` decides.
    known:   what training knows of a clip: which teacher, which cameras.
    """

    engine: engine.EngineConfig = field(default_factory=_engine)
    method: Literal["adapter", "full"] = "adapter"
    motions: Literal["3d", "2d"] = "3d"
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    rehearsal: RehearsalConfig = field(default_factory=RehearsalConfig)
    loss: LossConfig = field(
        default_factory=lambda: LossConfig(position=0.001, velocity=2.0, teacher_path=True)
    )
    camera: CameraConfig = field(default_factory=CameraConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    known: SupervisionConfig = field(default_factory=SupervisionConfig)
    batch: int = 8
    views: int = 2
    align_teacher: bool = True
    mirror: bool = True

    def __post_init__(self) -> None:
        if self.loss.supervision != "2d":
            raise UserError(
                "loss.supervision is a setting of `train fit`.",
                'Set motions to "3d" or "2d": clips supervise by their own 3D, or by their keypoints.',
            )

    def as_fit(self, sizes: DenoiserConfig, diffusion_steps: int, loss: LossConfig) -> FitConfig:
        """The settings of a training from scratch that has the same losses; checks them."""
        return FitConfig(
            engine=self.engine,
            sizes=sizes,
            loss=loss,
            camera=self.camera,
            detector=self.detector,
            known=self.known,
            batch=self.batch,
            views=self.views,
            align_teacher=self.align_teacher,
            mirror=self.mirror,
            diffusion_steps=diffusion_steps,
        )


@dataclass(frozen=True)
class FullConfig(FinetuneConfig):
    """The defaults where every weight is trained: at an adapter's learning rate that diverges."""

    engine: engine.EngineConfig = field(default_factory=lambda: _engine(learning_rate=1e-4))
    method: Literal["adapter", "full"] = "full"


def load_settings(
    path: Path | None, overrides: Sequence[str], time_limit: float, folder: Path
) -> FinetuneConfig:
    """The configuration of a run in ``folder``, as :func:`load_run_config`, with the defaults of its method."""
    settings = load_run_config(FinetuneConfig, path, overrides, time_limit, folder)
    if settings.method == "full":
        return load_run_config(FullConfig, path, overrides, time_limit, folder)
    return settings


@dataclass(frozen=True)
class Base:
    """A whole model to start from: its network, lifter, normalisation and facts."""

    folder: Path
    network: Denoiser
    lifter: Lifter
    normalisation: Normalisation
    meta: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> Base:
        """By name or folder; UserError where it is missing, an adapter itself, or has no lifter."""
        folder = find_model(name)
        if not (folder / DENOISER).is_file():
            raise UserError(
                f"The model {name} is itself an adapter.",
                "Fine-tune its base, or make it a whole model first with --whole.",
            )
        file = load_denoiser(folder)
        if not (folder / LIFTER).is_file() or not {"mean", "std"} <= file.tensors.keys():
            raise UserError(f"The model {name} has no lifter or no normalisation.", "Choose another base.")
        lifter = load_model(folder / LIFTER, Lifter).network
        assert isinstance(file.network, Denoiser) and isinstance(lifter, Lifter)
        normalisation = Normalisation(file.tensors["mean"], file.tensors["std"])
        return cls(folder, file.network, lifter, normalisation, file.meta)

    @property
    def diffusion_steps(self) -> int:
        """Of its schedule."""
        return int(self.meta.get("diffusion_steps", 50))

    @property
    def identity(self) -> dict[str, str]:
        """Its name, and the fingerprint by which an adapter knows it again."""
        name = self.folder.resolve().name
        return {"name": name, "weights_sha256": fingerprint(self.folder / DENOISER)}


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning made: the network with averaged weights, and what it lost of its base."""

    outcome: engine.Outcome
    forgotten: Forgetting


def add_prompts(words: CaptionTable) -> None:
    """Enter the prompts of the rehearsal; to be done before the captions are encoded."""
    for prompt in (*PROMPTS, *HELD_PROMPTS):
        words.add(prompt)


def finetune(
    base: Base,
    data: Supervision,
    words: CaptionTable,
    config: FinetuneConfig,
    folder: Path,
    supervision: Literal["2d", "3d"],
    captions: Sequence[str],
) -> Tuned:
    """Train in ``folder``, going on where a run there stopped.

    ``words`` holds the ``captions`` of ``data`` and those of :func:`add_prompts`, encoded.
    """
    begun = time.monotonic()
    fabric = engine.fabric_for(config.engine)
    torch.manual_seed(config.engine.seed)
    schedule = cosine(base.diffusion_steps).to(fabric.device)
    normalisation = base.normalisation.to(fabric.device)
    network = base.network.to(fabric.device)
    frozen = copy.deepcopy(network).eval().requires_grad_(False)
    loss = replace(config.loss, supervision=supervision)
    settings = config.as_fit(network.config, base.diffusion_steps, loss)
    clips = VideoMDM(data, words, normalisation, schedule, settings)
    rehearsal = None
    if config.rehearsal.weight:
        rehearsal = Rehearsal(
            frozen, words, schedule, config.rehearsal, loss.drop_text, config.engine.seed,
            config.engine.precision, captions,
        )  # fmt: skip

    def losses(model: nn.Module, step: int, generator: torch.Generator) -> Iterator[dict[str, Tensor]]:
        yield from clips(model, step, generator)
        if rehearsal is not None:
            kept = rehearsal.loss(model, generator)
            yield {"loss": config.rehearsal.weight * kept, "rehearsal": kept.detach()}

    trained = AdaptedDenoiser(frozen, config.adapter) if config.method == "adapter" else network
    picture = Samples(list(dict.fromkeys(captions))[:MOST_SAMPLES], normalisation, schedule, folder)
    left = time_left(config, begun).engine  # the rehearsal's motions took their time
    outcome = engine.run(trained, losses, left, folder, fabric, picture=picture)
    forgotten = forgetting(frozen, outcome.network, words, normalisation, schedule, captions)
    return Tuned(outcome, forgotten)
