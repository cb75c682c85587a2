# SPDX-License-Identifier: Apache-2.0
"""From a studio's folder to what supervises the new model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from videomdm.errors import UserError
from videomdm.model.text import text_encoder

from .. import engine
from ..captions import CaptionTable
from ..datasets.footage import CAPTIONS, FootageClip, is_footage, read_footage
from ..datasets.left_out import LeftOut
from ..teacher.footage import LIFTED, folder_supervision, to_train_on
from ..teacher.supervision import Supervision, build_supervision
from .clips import CaptionedClip, read_clips, source_clips
from .finetune import Base, FinetuneConfig, add_prompts


@dataclass(frozen=True)
class Material:
    """A folder as training takes it.

    words:    the captions and the prompts of the rehearsal, encoded.
    kind:     how the clips supervise.
    clips:    how many there are; seconds: how long they are together.
    captions: as the studio wrote them.
    sha256:   of the clips, the captions, and the teachers of other tools.
    """

    supervision: Supervision
    words: CaptionTable
    kind: Literal["2d", "3d"]
    clips: int
    seconds: float
    captions: tuple[str, ...]
    sha256: str


def gather(folder: Path, base: Base, config: FinetuneConfig) -> Material:
    """Read a folder of clips, of footage, or of both; UserError where there are none or one cannot be used.

    Footage supervises in 2D; clips beside it then do, too.  What captions.csv holds out is not taken.
    """
    clips = read_clips(folder)
    seen: list[FootageClip] = []
    if is_footage(folder):
        seen = to_train_on(folder, read_footage(folder))
    else:
        left_out = LeftOut()
        for file in sorted(folder.glob("*.json")):
            left_out.add(str(file), f"it has no caption: write {file.stem}.txt, or {CAPTIONS}")
    if not clips and not seen:
        raise UserError(
            f"There are no clips in {folder}.",
            "Give a folder with clips (.npz, .bvh) or keypoints (.json, from `videomdm keypoints`), "
            "and a .txt with the caption beside each.",
        )
    kind = "2d" if seen else config.motions
    device = engine.fabric_for(config.engine).device
    words = CaptionTable()
    parts: list[tuple[Supervision, float]] = []
    if clips:
        made = build_supervision(
            source_clips(clips, words, config.mirror),
            base.lifter,
            device,
            # clips supervised by their own 3D need only one camera, whose view nobody will ask for
            views=config.views if kind == "2d" else 1,
            seed=config.engine.seed,
            camera=config.camera,
            detector=config.detector,
            known=config.known,
            align=config.align_teacher,
        )
        parts.append((made, float(len(clips))))
    if seen:
        made = folder_supervision(
            folder,
            seen,
            base.lifter,
            words,
            device,
            known=config.known,
            align=config.align_teacher,
            mirror=config.mirror,
        )
        parts.append((made, float(len(seen))))
    add_prompts(words)
    words.encode(text_encoder(device.type), device)
    seconds = sum(c.motion.seconds for c in clips) + sum(c.keypoints.seconds for c in seen)
    said = [clip.captions for clip in clips] + [clip.captions for clip in seen]
    captions = tuple(caption for each in said for caption in each)
    supervision = parts[0][0] if len(parts) == 1 else Supervision.join(parts)
    digest = _digest(folder, clips, seen)
    return Material(supervision, words, kind, len(clips) + len(seen), seconds, captions, digest)


def _digest(folder: Path, clips: Sequence[CaptionedClip], seen: Sequence[FootageClip]) -> str:
    """SHA-256 of all that supervises."""
    sha = hashlib.sha256()
    for clip in clips:
        sha.update(json.dumps([clip.name, clip.captions, clip.motion.positions.shape]).encode())
        sha.update(np.ascontiguousarray(clip.motion.positions).data)
    for shot in seen:
        seen_in = (shot.keypoints.width, shot.keypoints.height, shot.keypoints.fps)
        sha.update(json.dumps([shot.name, shot.captions, seen_in]).encode())
        for values in (shot.keypoints.points, shot.keypoints.confidence):
            sha.update(np.ascontiguousarray(values).data)
    for file in sorted((folder / LIFTED).glob("*")) if seen else []:
        sha.update(file.name.encode() + (file.read_bytes() if file.is_file() else b""))
    return sha.hexdigest()
