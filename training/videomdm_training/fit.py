# SPDX-License-Identifier: Apache-2.0
"""Train the denoiser: VideoMDM's recipe, and 3D supervision as its baseline.

Shape letters: B batch, T frames, D representation width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from videomdm.diffusion.schedule import Schedule, cosine
from videomdm.errors import UserError
from videomdm.model.checkpoint import save_model
from videomdm.model.denoiser import Denoiser, DenoiserConfig
from videomdm.model.registry import DENOISER
from videomdm.motion.representation import decode

from . import engine
from .baselines.flat import FlatPrior
from .captions import CaptionTable
from .clips import FRAME_MULTIPLE, Batch
from .losses import (
    DepthWeighting,
    alignment_loss,
    alignment_target,
    feature_loss,
    floor_loss,
    on_path,
    reprojection_losses,
)
from .normalisation import Normalisation
from .samples import Samples
from .teacher.supervision import Supervision, SupervisionConfig
from .validate import denoising_errors
from .views import CameraConfig, DetectorConfig

NORMALISATION = "normalisation.safetensors"


@dataclass(frozen=True)
class LossConfig:
    """Which supervision, and how its terms weigh; the defaults are VideoMDM's.

    supervision:  "2d" is VideoMDM; "3d" is MDM on the motion capture itself; "teacher" is MDM on the lifted motion.
    teacher_steps: so many first steps take the teacher's features as the target, which costs a third and gives the
                  2D losses a start from which their rays are nearly right.
    high_noise:   above 1, losses on features draw noisier diffusion steps more often, with a density of that power
                  less one.  What a motion does, and when, is decided there; too few steps there are the first thing
                  that a short training is seen to lack.
    root:         how often losses on features count each of the root's four channels.
    floor:        weight of the squared distance between each frame's lowest joint and the floor.
    distil:       weight of score distillation from a 2D prior, the run folder or file of `train flat` that
                  ``distil_prior`` names.
    teacher_path: alignment puts the predicted poses on the teacher's path before they move onto their rays, and
                  then supervises all channels; the reprojection loss, whose gradient grows with the drift of the
                  predicted path, can then weigh less.
    """

    supervision: Literal["2d", "3d", "teacher"] = "2d"
    teacher_steps: int = 0
    high_noise: float = 1.0
    root: float = 1.0
    position: float = 7.0
    velocity: float = 350.0
    alignment: float = 1.0
    teacher_path: bool = False
    depth: DepthWeighting = "joint"
    multistep: bool = True
    low_noise_steps: int = 16  # t* of 12, rounded up to whole buckets
    buckets: int = 4
    drop_text: float = 0.1
    floor: float = 0.0
    distil: float = 0.0
    distil_prior: str = ""

    def __post_init__(self) -> None:
        if not (self.high_noise > 0 and self.root > 0):
            raise UserError("loss.high_noise and loss.root must be above 0.", "1 is neutral.")
        if self.floor < 0:
            raise UserError("loss.floor must not be negative.", "0 leaves the floor out.")
        if self.distil < 0 or (self.distil > 0 and not self.distil_prior):
            raise UserError(
                "loss.distil must not be negative, and above 0 it needs loss.distil_prior.",
                "Train a 2D prior with `videomdm train flat` and give its folder.",
            )


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides a denoiser's training.

    align_teacher: the teacher's joints are moved onto their observed rays once, before anything else.
    known:         what training knows of a clip: which teacher, which cameras.
    samples:       prompts whose motions are drawn for TensorBoard with each validation.
    """

    engine: engine.EngineConfig = field(default_factory=engine.EngineConfig)
    sizes: DenoiserConfig = field(default_factory=DenoiserConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    known: SupervisionConfig = field(default_factory=SupervisionConfig)
    batch: int = 64
    views: int = 2
    align_teacher: bool = True
    mirror: bool = True
    diffusion_steps: int = 50
    samples: tuple[str, ...] = ("a person walks forward", "a person jumps in place", "someone throws punches")

    def __post_init__(self) -> None:
        if (
            min(self.batch, self.views, self.loss.buckets) < 1
            or self.loss.low_noise_steps < self.loss.buckets
        ):
            raise UserError(
                "batch, views, loss.buckets and the steps in a bucket must be at least 1.",
                "Change the configuration.",
            )
        if self.loss.low_noise_steps >= self.diffusion_steps:
            raise UserError(
                "loss.low_noise_steps must be fewer than diffusion_steps.", "Change the configuration."
            )
        if self.loss.low_noise_steps % self.loss.buckets:
            raise UserError(
                "loss.buckets must divide loss.low_noise_steps.",
                "Choose 16 steps in 4 buckets, for instance.",
            )
        if FRAME_MULTIPLE % self.sizes.patch:
            raise UserError(
                f"sizes.patch must divide {FRAME_MULTIPLE}, to which clips are cut.", "Choose 1, 2 or 4."
            )


class VideoMDM:
    """The losses of one training step."""

    def __init__(
        self,
        data: Supervision,
        captions: CaptionTable,
        normalisation: Normalisation,
        schedule: Schedule,
        config: FitConfig,
    ) -> None:
        self.data = data
        self.captions = captions
        self.normalisation = normalisation
        self.schedule = schedule
        self.config = config
        self.prior: FlatPrior | None = None
        if config.loss.distil:
            self.prior = FlatPrior.load(Path(config.loss.distil_prior), normalisation.mean.device)

    def __call__(
        self, network: nn.Module, step: int, generator: torch.Generator
    ) -> Iterator[dict[str, Tensor]]:
        """Losses of training step ``step``, all its random numbers from ``generator``; in parts, which add up."""
        config = self.config.loss
        batch = self.data.clips.batch(self.data.clips.draw(self.config.batch, generator))
        text = self._text(batch, generator)
        warm = step < config.teacher_steps
        if config.supervision == "3d":
            yield self._on_features(network, batch, batch.frames["truth"], text, generator)
        elif config.supervision == "teacher" or warm:
            yield self._on_features(network, batch, batch.frames["teacher"], text, generator)
        elif config.multistep and self._takes_several(step):
            yield from self._multistep(network, batch, text, generator)
        else:
            first = config.low_noise_steps if config.multistep else 0
            t = torch.randint(
                first, len(self.schedule), (len(batch.index),), generator=generator, device=generator.device
            )
            x_t = self.schedule.diffuse(*self._start(batch, generator), t)
            x0 = network(x_t, t, *text, batch.mask)
            yield self._losses(x0.float(), batch, text, generator)

    def _takes_several(self, step: int) -> bool:
        """Whether a step is one of low noise.

        All processes of a run decide alike: one that takes several steps would keep the others waiting.
        """
        common = engine.generator_for(self.config.engine.seed, step, torch.device("cpu"))
        chance = float(torch.rand((), generator=common))
        return chance < self.config.loss.low_noise_steps / len(self.schedule)

    def _text(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        ids = self.data.captions[batch.index]
        B, K = ids.shape
        column = torch.randint(0, K, (B, 1), generator=generator, device=generator.device)
        keep = torch.rand(B, generator=generator, device=generator.device) >= self.config.loss.drop_text
        return self.captions.states(ids.gather(1, column)[:, 0], keep)

    def _start(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The noisy teacher's normalised features and fresh noise, both (B, T, D)."""
        x = self.normalisation.apply(batch.frames["teacher"])
        return x, torch.randn(x.shape, generator=generator, device=x.device)

    def _on_features(
        self,
        network: nn.Module,
        batch: Batch,
        target: Tensor,
        text: tuple[Tensor, Tensor],
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        x = self.normalisation.apply(target)
        u = torch.rand(len(x), generator=generator, device=generator.device)
        t = (
            (len(self.schedule) * u ** (1 / self.config.loss.high_noise))
            .long()
            .clamp(max=len(self.schedule) - 1)
        )
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        x0 = network(self.schedule.diffuse(x, noise, t), t, *text, batch.mask).float()
        loss = feature_loss(x0, x, batch.mask, self.config.loss.root)
        return {"loss": loss, "features": loss.detach()}

    def _multistep(
        self,
        network: nn.Module,
        batch: Batch,
        text: tuple[Tensor, Tensor],
        generator: torch.Generator,
    ) -> Iterator[dict[str, Tensor]]:
        """From the noisiest of the low-noise buckets down, on the model's own predictions: each one's share."""
        config = self.config.loss
        size = config.low_noise_steps // config.buckets
        B = len(batch.index)
        x_t = t = x0 = None
        for bucket in reversed(range(config.buckets)):
            to = bucket * size + torch.randint(0, size, (B,), generator=generator, device=generator.device)
            if x_t is None or t is None or x0 is None:
                x_t = self.schedule.diffuse(*self._start(batch, generator), to)
            else:
                x_t = self.schedule.step(x_t, x0, t, to)
            t = to
            predicted = network(x_t, t, *text, batch.mask).float()
            x0 = predicted.detach()
            losses = self._losses(predicted, batch, text, generator)
            yield {name: value / config.buckets for name, value in losses.items()}

    def _losses(
        self, x0: Tensor, batch: Batch, text: tuple[Tensor, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        config = self.config.loss
        camera = self.data.camera(batch.index)
        keypoints, confidence = batch.frames["keypoints"], batch.frames["confidence"]
        features = self.normalisation.undo(x0)
        positions = predicted = decode(features)
        place, change = reprojection_losses(
            predicted, camera, keypoints, confidence, batch.mask, config.depth
        )
        loss = config.position * place + config.velocity * change
        parts = {"position": place.detach(), "velocity": change.detach()}
        if config.alignment > 0:
            if config.teacher_path:
                positions = decode(on_path(features.detach(), batch.frames["teacher"].float()))
            target = alignment_target(positions, camera, keypoints, confidence, batch.lengths)
            wanted = self.normalisation.apply(target)
            if config.teacher_path:
                aligned = feature_loss(x0, wanted, batch.mask, config.root)
            else:
                aligned = alignment_loss(x0, wanted, batch.mask)
            loss = loss + config.alignment * aligned
            parts["alignment"] = aligned.detach()
        if config.floor > 0:
            height = floor_loss(predicted, batch.mask)
            loss = loss + config.floor * height
            parts["floor"] = height.detach()
        if self.prior is not None:
            distilled = self.prior.distil(predicted, batch.mask, text, generator)
            loss = loss + config.distil * distilled
            parts["distil"] = distilled.detach()
        return {"loss": loss, **parts}


def save_denoiser(
    path: Path,
    network: nn.Module,
    normalisation: Normalisation,
    facts: Mapping[str, object],
    step: int,
    seconds: float,
) -> Path:
    """Write a denoiser's model file, with ``facts`` and how long it was trained."""
    meta = {**facts, "training_steps": step, "training_seconds": round(seconds)}
    return save_model(path, network, meta, {"mean": normalisation.mean, "std": normalisation.std})


def refuse_without_truth(data: Supervision, config: FitConfig) -> None:
    """UserError where ``config`` asks for 3D supervision and ``data`` has none."""
    if config.loss.supervision == "3d" and not data.has_truth:
        raise UserError(
            "Footage has no 3D to learn from.", 'Set loss.supervision to "2d", or train on motion capture.'
        )


def fit(
    data: Supervision,
    captions: CaptionTable,
    config: FitConfig,
    folder: Path,
    facts: dict[str, object],
    validation: Supervision | None = None,
) -> engine.Outcome:
    """Train a denoiser; writes ``denoiser.safetensors`` with ``facts`` at every stop, averaged weights."""
    refuse_without_truth(data, config)
    fabric = engine.fabric_for(config.engine)
    torch.manual_seed(config.engine.seed)
    source = "truth" if config.loss.supervision == "3d" else "teacher"
    kept = folder / NORMALISATION
    if (folder / engine.STATE).is_file() and kept.is_file():  # the weights belong to what the run began with
        normalisation = Normalisation.load(kept)[0].to(fabric.device)
    else:
        normalisation = Normalisation.of(data.clips.frames[source])
    schedule = cosine(config.diffusion_steps).to(fabric.device)
    facts = {**facts, "diffusion_steps": config.diffusion_steps, "supervision": config.loss.supervision}
    if fabric.global_rank == 0:
        normalisation.store(folder / NORMALISATION, facts)
    losses = VideoMDM(data, captions, normalisation, schedule, config)

    def validate(network: nn.Module, _: int) -> dict[str, float]:
        if validation is None or not validation.has_truth:
            return {}
        return denoising_errors(network, validation, captions, normalisation, schedule)

    picture = Samples(config.samples, normalisation, schedule, folder) if config.samples else None
    outcome = engine.run(Denoiser(config.sizes), losses, config.engine, folder, fabric, validate, picture)
    if fabric.global_rank == 0:
        save_denoiser(
            folder / DENOISER,
            outcome.network,
            normalisation,
            facts,
            outcome.step,
            outcome.seconds,
        )
    fabric.barrier()
    return outcome
