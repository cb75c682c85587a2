# SPDX-License-Identifier: Apache-2.0
"""What a model is trained on: packs and folders of footage, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from videomdm.errors import UserError
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import FPS

from . import sources
from .cache import Cache
from .captions import CaptionTable
from .datasets.footage import FootageClip, read_footage
from .datasets.pack import Pack
from .fit import FitConfig
from .teacher.footage import folder_supervision, to_train_on
from .teacher.kept import kept_supervision
from .teacher.supervision import SourceClip, Supervision


@dataclass(frozen=True)
class DataSource:
    """A pack, or a folder of keypoint files, and how often it is drawn relative to the others."""

    path: Path
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> DataSource:
        """Read PATH or PATH:WEIGHT; UserError where the weight is not above 0."""
        path, colon, tail = text.rpartition(":")
        try:
            weight = float(tail)
        except ValueError:
            return cls(Path(text))
        if not colon:
            return cls(Path(text))
        if not 0 < weight < float("inf"):
            raise UserError(f"{text} has the weight {tail}.", "Give a weight above 0, as in cmu.pack:2.")
        return cls(Path(path), weight)


@dataclass(frozen=True)
class Mixture:
    """Training clips, clips for validation if there are any with known 3D, and what the model's facts say of them."""

    training: Supervision
    validation: Supervision | None
    credit: str


def read_sources(given: Sequence[DataSource]) -> list[Pack | list[FootageClip]]:
    """Every source in memory; UserError names the one that cannot be read."""
    read: list[Pack | list[FootageClip]] = []
    for source in given:
        data = read_footage(source.path) if source.path.is_dir() else Pack.load(source.path)
        if isinstance(data, Pack) and data.fps != FPS:
            raise UserError(f"{source.path} has {data.fps:g} frames per second.", f"Pack it at {FPS:g}.")
        read.append(data)
    return read


def gather(
    given: Sequence[DataSource],
    lifter: Lifter,
    words: CaptionTable,
    config: FitConfig,
    device: torch.device,
    role: str | None = None,
    cache: Cache | None = None,
) -> Mixture:
    """Look at all sources as ``config`` says; of packs, only segments of ``role`` (None: any) train.

    Captions are added to ``words``.  The packs' "val" segments validate.  What the lifter makes of packs is kept in
    ``cache``.  The training clips' true motion is there only where it supervises.
    """
    training: list[tuple[Supervision, float]] = []
    validation: list[tuple[Supervision, float]] = []
    credit: list[str] = []
    look = partial(
        kept_supervision,
        cache,
        lifter=lifter,
        device=device,
        camera=config.camera,
        detector=config.detector,
        known=config.known,
        align=config.align_teacher,
    )
    with_truth = config.loss.supervision == "3d"
    for source, data in zip(given, read_sources(given), strict=True):
        if not isinstance(data, Pack):
            made = folder_supervision(
                source.path,
                to_train_on(source.path, data),
                lifter,
                words,
                device,
                known=config.known,
                align=config.align_teacher,
                mirror=config.mirror,
            )
            training.append((made, source.weight))
            continue
        clips = training_clips(source, data, words, config.mirror, role)
        training.append((look(clips, views=config.views, seed=0, truth=with_truth), source.weight))
        held_out = sources.source_clips(data, data.select("val"), words, False)
        if held_out:
            validation.append((look(held_out, views=1, seed=1, truth=True), source.weight))
        credit.append(str(data.notes.get("credit", "")))
    return Mixture(
        joined(training), joined(validation) if validation else None, "; ".join(filter(None, credit))
    )


def training_clips(
    source: DataSource, data: Pack, words: CaptionTable, mirror: bool, role: str | None
) -> list[SourceClip]:
    """The training segments of a pack, of ``role`` (None: any), their captions added to ``words``.

    UserError where there are none.
    """
    clips = sources.source_clips(data, data.select("train", role), words, mirror)
    if not clips:
        raise UserError(
            f"{source.path} has no captioned segment to train on.",
            "Look at its report: which split and role do the segments have?",
        )
    return clips


def joined(parts: list[tuple[Supervision, float]]) -> Supervision:
    """Several supervisions as one, drawn from by their weights."""
    return parts[0][0] if len(parts) == 1 else Supervision.join(parts)
