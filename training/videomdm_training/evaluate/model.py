# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on the held-out clips of a packed data set.

Three parts: the lifter alone, lifting with the prior, and words to motion.  Footage is synthetic: cameras as
VideoMDM draws them, and a detector's errors.  Every number comes from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
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

from ..baselines.flat import FILE, FlatPrior
from ..datasets.pack import Pack, Segment
from ..sources import usable
from ..views import CameraConfig, DetectorConfig
from . import lifting
from .evaluator import FrozenEvaluator
from .figures import Report, Section, summarise
from .filmed import seen_clips
from .prior import MUCH_HIDDEN, prior_sections
from .sampling import SamplingSettings
from .words import WordsSettings, words_section

PARTS = ("lifter", "prior", "words")
SPLITS = ("test", "val", "beside_test")
TEACHER_CLIPS, LIFTED_CLIPS = 128, 20  # of a split, where no limit is given


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


def evaluate(model: str, pack: Path, settings: EvaluationSettings) -> Report:
    """Evaluate ``model`` (name or folder) on held-out segments of a pack.

    UserError where there is nothing to evaluate on.  Of a model without a lifter only words to motion is measured.
    """
    pipeline = Pipeline.load(model)
    if pipeline.lifter is None and "words" not in settings.parts:
        raise UserError(f"The model {pipeline.info.name} has no lifter to measure.", "Measure --part words.")
    data = Pack.load(pack)
    seed, limit = settings.seed, settings.limit
    facts: dict[str, Any] = {"model": pipeline.info.name, "data": pack.name, "seed": seed, "limit": limit}
    sections: list[Section] = []
    footage = [part for part in ("lifter", "prior") if part in settings.parts and pipeline.lifter is not None]
    if pipeline.lifter is not None and "lifter" in footage:
        splits = {split: _held_out(data, split, limit or TEACHER_CLIPS, seed) for split in ("val", "test")}
        sections.append(lifter_section(pipeline.lifter, data, splits, pipeline.device, seed))
    if "prior" in footage:
        chosen = _held_out(data, settings.split, limit or LIFTED_CLIPS, seed)
        sections += prior_sections(pipeline, data, chosen, seed, settings.lift)
        facts |= {"split of the lifted clips": settings.split, "hidden detector": _told(MUCH_HIDDEN)}
        facts |= {f"lift {name}": value for name, value in _plain(settings.lift).items()}
    if footage:
        facts |= {"camera": _told(CameraConfig()), "detector": _told(DetectorConfig())}
    if "words" in settings.parts:
        evaluator = FrozenEvaluator.load(settings.evaluator)
        models: dict[str, Pipeline | FlatPrior] = {pipeline.info.name: pipeline}
        for name in settings.beside:
            _add(models, *_beside(name, pipeline.device))
        words = WordsSettings(settings.replications, seed, settings.sampling)
        chosen = _held_out(data, settings.split, limit, seed)
        sections.append(words_section(models, data, chosen, evaluator, words))
        facts |= {"split of the captions": settings.split, "evaluator": f"SHA-256 {evaluator.digest}"}
        facts |= {"sampler": settings.sampling.sampler, "denoising steps": settings.sampling.steps}
        facts |= {"guidance": settings.sampling.guidance, "precision": settings.sampling.precision}
    facts |= {"frames per second": FPS, "device": pipeline.device.type}
    return Report(facts, tuple(sections))


def _held_out(data: Pack, split: str, count: int, seed: int) -> list[Segment]:
    """``count`` segments of a split drawn without repetition, or all where ``count`` is 0; UserError for none."""
    segments = usable(data.select(split))
    if not segments:
        raise UserError(
            f"The data set has no segments of the split {split}.",
            f"Give some of its segments the split {split}, or measure other --part or --split.",
        )
    order = np.random.default_rng(seed).permutation(len(segments))
    return [segments[i] for i in order[: count or None]]


def _beside(model: str, device: torch.device) -> tuple[str, Pipeline | FlatPrior]:
    """A model by name or folder, or the 2D model of a run folder; and what it is called."""
    if (Path(model) / FILE).is_file():
        return f"{Path(model).resolve().name}, consensus", FlatPrior.load(Path(model), device)
    pipeline = Pipeline.load(model)
    return pipeline.info.name, pipeline


def _add(models: dict[str, Pipeline | FlatPrior], name: str, model: Pipeline | FlatPrior) -> None:
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
    return Section("The lifter alone", notes, columns)


def _told(config: CameraConfig | DetectorConfig) -> str:
    return ", ".join(f"{name} {value}" for name, value in vars(config).items())


def _plain(settings: LiftSettings) -> dict[str, object]:
    """What decides lifting, as facts of a report."""
    values = asdict(settings)
    fit = {f"fit.{name}": value for name, value in values.pop("fit").items()}
    return {name: value for name, value in (values | fit).items() if name not in ("seed", "window")}
