# SPDX-License-Identifier: Apache-2.0
"""From a studio's folder to what supervises the new model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from videomdm.errors import UserError
from videomdm.model.text import text_encoder

from .. import engine
from ..captions import CaptionTable
from ..teacher.supervision import Supervision, build_supervision
from .clips import read_clips, source_clips
from .finetune import Base, FinetuneConfig, add_prompts


@dataclass(frozen=True)
class Material:
    """A folder as training takes it.

    words:    the captions and the prompts of the rehearsal, encoded.
    kind:     how the clips supervise.
    clips:    how many there are; seconds: how long they are together.
    captions: as the studio wrote them.
    """

    supervision: Supervision
    words: CaptionTable
    kind: Literal["2d", "3d"]
    clips: int
    seconds: float
    captions: tuple[str, ...]


def gather(folder: Path, base: Base, config: FinetuneConfig) -> Material:
    """Read a folder of clips; UserError where there are none or one cannot be used."""
    clips = read_clips(folder)
    if not clips:
        raise UserError(
            f"There are no clips in {folder}.", "Give a folder with .npz or .bvh files and their captions."
        )
    device = engine.fabric_for(config.engine).device
    words = CaptionTable()
    sources = source_clips(clips, words, config.mirror)
    add_prompts(words)
    words.encode(text_encoder(), device)
    # supervised by their own 3D, they need only one camera, whose view nobody will ask for
    views = config.views if config.motions == "2d" else 1
    supervision = build_supervision(
        sources,
        base.lifter,
        device,
        views=views,
        seed=config.engine.seed,
        camera=config.camera,
        detector=config.detector,
        align=config.align_teacher,
    )
    seconds = sum(clip.motion.seconds for clip in clips)
    captions = tuple(caption for clip in clips for caption in clip.captions)
    return Material(supervision, words, config.motions, len(clips), seconds, captions)
