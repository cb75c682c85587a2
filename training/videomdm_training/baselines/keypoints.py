# SPDX-License-Identifier: Apache-2.0
"""The keypoints that a run of `train fit` sees, without its teacher: packs need no lifting then."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from videomdm.errors import UserError
from videomdm.model.lifter import Lifter

from ..captions import CaptionTable
from ..datasets.pack import Pack
from ..mixture import DataSource, joined, read_sources, training_clips
from ..teacher.footage import folder_supervision, to_train_on
from ..teacher.supervision import Supervision, SupervisionConfig, build_supervision
from .flat import FlatConfig


def gather_keypoints(
    given: Sequence[DataSource],
    lifter: Lifter | None,
    words: CaptionTable,
    config: FlatConfig,
    device: torch.device,
    role: str | None = None,
) -> tuple[Supervision, str]:
    """What :func:`videomdm_training.mixture.gather` trains on, as far as 2D goes, and the packs' credit.

    Captions are added to ``words``; of packs, only segments of ``role`` (None: any) train.  The ``lifter`` decides
    which clips of footage count; UserError where there is footage and no lifter.
    """
    if lifter is None and any(source.path.is_dir() for source in given):
        raise UserError(
            "Footage needs a lifter: clips that its motion does not explain are left out, here as in `train fit`.",
            "Give the --lifter of the run to compare with.",
        )
    parts: list[tuple[Supervision, float]] = []
    credit: list[str] = []
    for source, data in zip(given, read_sources(given), strict=True):
        if isinstance(data, Pack):
            clips = training_clips(source, data, words, config.mirror, role)
            seen = build_supervision(
                clips, None, device, views=config.views, camera=config.camera, detector=config.detector
            )
            credit.append(str(data.notes.get("credit", "")))
        else:
            assert lifter is not None
            chosen = to_train_on(source.path, data)
            seen = folder_supervision(
                source.path, chosen, lifter, words, device,
                known=SupervisionConfig(), align=False, mirror=config.mirror,
            )  # fmt: skip
        parts.append((seen, source.weight))
    return joined(parts), "; ".join(filter(None, credit))
