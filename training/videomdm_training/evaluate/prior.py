# SPDX-License-Identifier: Apache-2.0
"""Lifting, measured on held-out clips that synthetic cameras see: the lifter alone, a fitted body, and the prior.

The keypoints have a detector's errors; a second table hides much of the body for a second or two at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from videomdm.diffusion.guidance import text_guided
from videomdm.lifting import Footage, LiftSettings, first_guess, lift_footage
from videomdm.motion.clip import FPS
from videomdm.pipeline import Pipeline

from ..datasets.pack import Pack, Segment
from ..views import DetectorConfig
from . import lifting, physical
from .figures import Figure, Section, summarise
from .filmed import seen_clips

# A detector that confuses limbs, before whose camera things stand: about a fifth of the joints goes unseen.
MUCH_HIDDEN = DetectorConfig(by_joint=True, occlusion=0.15, self_occlusion=0.5, swap=0.02)
TITLES = ("Lifting with the prior", "Lifting with the prior, much hidden")
NOTES = (
    "{seen}, no words.  `lifter alone` is its first answer to the whole clip; `fitted` averages its answers over "
    "windows and mirror images and fits a body to the keypoints; `with the prior` is what lifting does: the model "
    "answers for what was not seen, and the body is fitted again.  Each motion is turned about the vertical as a "
    "whole to fit the truth best; errors of the pose are about the root, the root's path starts at the true place.  "
    "{gain}"
)


def prior_sections(
    pipeline: Pipeline,
    data: Pack,
    segments: Sequence[Segment],
    seed: int,
    settings: LiftSettings | None = None,
) -> list[Section]:
    """Both tables; ``settings`` are the product's unless given, ``seed`` and the model's window apart."""
    settings = replace(settings or LiftSettings(), seed=seed, window=pipeline.denoiser.config.max_frames)
    looks = (
        ("Synthetic keypoints with a detector's errors", DetectorConfig()),
        ("Much of the body is hidden for a while, joints are confused", MUCH_HIDDEN),
    )
    sections = []
    for title, (seen, detector) in zip(TITLES, looks, strict=True):
        columns = _columns(pipeline, data, segments, seed, settings, detector, title.lower())
        notes = NOTES.format(seen=seen, gain=_gain(columns))
        sections.append(Section(title, notes, columns))
    return sections


def _columns(
    pipeline: Pipeline,
    data: Pack,
    segments: Sequence[Segment],
    seed: int,
    settings: LiftSettings,
    detector: DetectorConfig,
    words: str,
) -> dict[str, dict[str, Figure]]:
    assert pipeline.lifter is not None
    text, mask = pipeline.encoder([""])
    denoise = text_guided(pipeline.denoiser, text.to(pipeline.device), mask.to(pipeline.device), 1.0)
    model = pipeline.lifter, denoise, pipeline.schedule, pipeline.mean, pipeline.std
    rows: dict[str, list[dict[str, float]]] = {}
    for batch, view in seen_clips(data, segments, pipeline.device, seed, words, detector):
        for i, n in enumerate(batch.lengths.tolist()):
            footage = Footage(view.keypoints[i, :n], view.confidence[i, :n])
            truth = batch.frames["positions"][i, :n].cpu().numpy()
            alone, _ = first_guess(footage, pipeline.lifter, settings.window, settings.overlap)
            motions = {
                "lifter alone": alone,
                "fitted": lift_footage(footage, *model, replace(settings, steps=0)),
                "with the prior": lift_footage(footage, *model, settings),
            }
            for name, motion in motions.items():
                rows.setdefault(name, []).append(_in_world(motion, truth))
            rows.setdefault("truth", []).append(physical.plausibility(truth, FPS))
    return {name: summarise(measured) for name, measured in rows.items()}


def _gain(columns: Mapping[str, Mapping[str, Figure]]) -> str:
    """How much lower the error is than the lifter's, in words."""
    alone, full = (columns[name]["mpjpe"].mean for name in ("lifter alone", "with the prior"))
    return f"With the prior MPJPE is {100 * (1 - full / alone):.1f} % lower than the lifter's."


def _in_world(positions: Tensor, truth: np.ndarray) -> dict[str, float]:
    turned = lifting.turn_onto(positions.cpu().numpy(), truth)
    errors = lifting.measure(turned, truth, FPS)
    return errors | {"path": lifting.path_error(turned, truth)} | physical.plausibility(turned, FPS)
