# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on the held-out clips of a packed data set.

Three parts: the lifter alone, lifting with the prior, and words to motion.  Footage is synthetic: cameras as
VideoMDM draws them, and a detector's errors.  Every number comes from the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videomdm.errors import UserError
from videomdm.lifting import LiftSettings
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import FPS
from videomdm.pipeline import Pipeline

from ..baselines.flat import FlatPrior
from ..cache import digest
from ..datasets.pack import Pack, Segment
from ..sources import usable
from ..views import CameraConfig, DetectorConfig
from . import lifting, prior, words
from .captioned import captioned
from .evaluator import FrozenEvaluator
from .figures import Report, Section, summarise
from .filmed import seen_clips
from .kept import joined, read_report, refuse_others
from .prior import MUCH_HIDDEN, prior_sections
from .sampling import SamplingSettings, load_maker
from .words import WordsSettings, words_section

PARTS = ("lifter", "prior", "words")
SPLITS = ("test", "val", "beside_test")
TEACHER_CLIPS, LIFTED_CLIPS = 128, 20  # of a split, where no limit is given
LIFTER_TITLE = "The lifter alone"
TITLES = (LIFTER_TITLE, *prior.TITLES, words.TITLE)
Model = Pipeline | FlatPrior


@dataclass(frozen=True)
class EvaluationSettings:
    """What to measure, and on what.

    parts:        of ``PARTS``.
    beside:       further models (names or folders) for a column each in the table of words to motion; runs of
                  `train flat` are asked by consensus of several views.
    split:        where the lifted clips and the captions of words to motion are from.
    limit:        clips in each part; 0 takes 128 for the lifter, 20 for the prior, and the whole split for words.
    replications: of words to motion.
    evaluator:    file of another evaluator than the one that ships with the package.
    lift:         how footage is lifted; its seed and window are the evaluation's and the model's.
    sampling:     how words become motion.
    """

    parts: Sequence[str] = PARTS
    beside: Sequence[str] = ()
    split: str = "test"
    limit: int = 0
    replications: int = 20
    seed: int = 0
    evaluator: Path | None = None
    lift: LiftSettings = field(default_factory=LiftSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


def evaluate(model: str, pack: Path, settings: EvaluationSettings, folder: Path | None = None) -> Report:
    """Evaluate ``model`` (name or folder) on held-out segments of a pack.

    The sections that an earlier evaluation of the same left in ``folder`` are part of the report.  UserError, before
    anything is measured, where the one in ``folder`` is of something else, or where there is nothing to evaluate on.
    Of a model without a lifter only words to motion is measured.
    """
    pipeline = Pipeline.load(model)
    lifter = pipeline.lifter
    if lifter is None and "words" not in settings.parts:
        raise UserError(f"The model {pipeline.info.name} has no lifter to measure.", "Measure --part words.")
    before = read_report(folder) if folder is not None else None
    data = Pack.load(pack)
    seed, limit = settings.seed, settings.limit
    facts = _common(pipeline, pack, settings)
    needed = tuple(facts)
    splits: dict[str, list[Segment]] = {}
    lifted: list[Segment] = []
    asked: _Asked | None = None
    if lifter is not None and "lifter" in settings.parts:
        splits = {split: _held_out(data, split, limit or TEACHER_CLIPS, seed) for split in ("val", "test")}
    if lifter is not None and "prior" in settings.parts:
        lifted = _held_out(data, settings.split, limit or LIFTED_CLIPS, seed)
        facts |= {"split of the lifted clips": settings.split, "hidden detector": _told(MUCH_HIDDEN)}
        facts |= {f"lift {name}": value for name, value in _plain(settings.lift).items()}
    if splits or lifted:
        facts |= {"camera": _told(CameraConfig()), "detector": _told(DetectorConfig())}
    if "words" in settings.parts:
        asked = _Asked.of(pipeline, data, settings)
        facts |= asked.facts(settings)
    if before is not None and folder is not None:
        refuse_others(before, facts, needed, folder)
    sections: list[Section] = []
    if lifter is not None and splits:
        sections.append(lifter_section(lifter, data, splits, pipeline.device, seed))
    if lifted:
        sections += prior_sections(pipeline, data, lifted, seed, settings.lift)
    if asked is not None:
        how = WordsSettings(settings.replications, seed, settings.sampling)
        sections.append(words_section(asked.models, data, asked.segments, asked.evaluator, how))
    report = Report(facts, tuple(sections))
    return joined(before, report, TITLES) if before is not None else report


def _common(pipeline: Pipeline, pack: Path, settings: EvaluationSettings) -> dict[str, Any]:
    """The facts that every section depends on."""
    return {
        "model": pipeline.info.name,
        "weights": f"SHA-256 {_weights(pipeline)}",
        "data": pack.name,
        "data file": f"SHA-256 {hashlib.sha256(pack.read_bytes()).hexdigest()}",
        "seed": settings.seed,
        "limit": settings.limit,
        "frames per second": FPS,
        "device": pipeline.device.type,
    }


@dataclass(frozen=True)
class _Asked:
    """Whom words to motion asks, for what, and who judges."""

    models: Mapping[str, Model]
    segments: Sequence[Segment]
    evaluator: FrozenEvaluator

    @classmethod
    def of(cls, pipeline: Pipeline, data: Pack, settings: EvaluationSettings) -> _Asked:
        evaluator = FrozenEvaluator.load(settings.evaluator)
        models: dict[str, Model] = {pipeline.info.name: pipeline}
        for name in settings.beside:
            _add(models, *_beside(name))
        segments = _held_out(data, settings.split, settings.limit, settings.seed, words_needed=True)
        words.refuse_few(segments)
        return cls(models, segments, evaluator)

    def facts(self, settings: EvaluationSettings) -> dict[str, Any]:
        """What decides the table."""
        _, *beside = self.models.items()
        sampling = settings.sampling
        return {
            "split of the captions": settings.split,
            "replications": settings.replications,
            "evaluator": f"SHA-256 {self.evaluator.digest}",
            "beside": "; ".join(f"{name}, SHA-256 {_weights(model)}" for name, model in beside) or "none",
            "sampler": sampling.sampler,
            "denoising steps": sampling.steps,
            "guidance": sampling.guidance,
            "precision": sampling.precision,
        }


def _weights(model: Model) -> str:
    """SHA-256 of everything in a model that was learned."""
    if isinstance(model, FlatPrior):
        return digest(model.network.state_dict())
    learned = {"mean": model.mean, "std": model.std, **model.denoiser.state_dict(prefix="denoiser.")}
    if model.lifter is not None:
        learned |= model.lifter.state_dict(prefix="lifter.")
    return digest(learned)


def _held_out(data: Pack, split: str, count: int, seed: int, words_needed: bool = False) -> list[Segment]:
    """``count`` segments of a split drawn without repetition, or all where ``count`` is 0; UserError for none."""
    segments = (captioned if words_needed else usable)(data.select(split))
    if not segments:
        kind = "captioned segments" if words_needed else "segments"
        raise UserError(
            f"The data set has no {kind} of the split {split}.",
            f"Give some of its {kind} the split {split}, or measure other --part or --split.",
        )
    order = np.random.default_rng(seed).permutation(len(segments))
    return [segments[i] for i in order[: count or None]]


def _beside(name: str) -> tuple[str, Model]:
    """A model by name or folder, or the 2D model of a run folder; and what it is called."""
    model = load_maker(name)
    if isinstance(model, FlatPrior):
        return f"{Path(name).resolve().name}, consensus", model
    return model.info.name, model


def _add(models: dict[str, Model], name: str, model: Model) -> None:
    """By its name, with a number behind it where the name is taken."""
    free, number = name, 2
    while free in models:
        free, number = f"{name} ({number})", number + 1
    models[free] = model


def lifter_section(
    lifter: Lifter, data: Pack, splits: dict[str, list[Segment]], device: torch.device, seed: int
) -> Section:
    """The lifter's joints against the truth, both in camera space."""
    columns = {}
    for split, segments in splits.items():
        rows: list[dict[str, float]] = []
        for batch, view in seen_clips(data, segments, device, seed, f"lifter, {split}"):
            with torch.inference_mode():
                lifted = lifter(view.keypoints, view.confidence, batch.mask)
            truth = view.camera.to_camera(batch.frames["positions"])
            cosine = (lifted.up * view.camera.R[:, 0, :, 1]).sum(-1).clamp(-1, 1)
            off = (lifted.joints[:, :, 0, 2] / truth[:, :, 0, 2] - 1).abs()
            for i, n in enumerate(batch.lengths.tolist()):
                guess, real = lifted.joints[i, :n].cpu().numpy(), truth[i, :n].cpu().numpy()
                depth, gravity = float(off[i, :n].mean()), float(cosine[i].arccos())
                rows.append(lifting.measure(guess, real, FPS) | {"gravity": gravity, "depth": depth})
        columns[split] = summarise(rows)
    notes = "Joints about the root, in camera space, from synthetic keypoints with a detector's errors."
    return Section(LIFTER_TITLE, notes, columns)


def _told(config: CameraConfig | DetectorConfig) -> str:
    return ", ".join(f"{name} {value}" for name, value in vars(config).items())


def _plain(settings: LiftSettings) -> dict[str, object]:
    """What decides lifting, as facts of a report."""
    values = asdict(settings)
    fit = {f"fit.{name}": value for name, value in values.pop("fit").items()}
    return {name: value for name, value in (values | fit).items() if name not in ("seed", "window")}
