# SPDX-License-Identifier: Apache-2.0
"""A studio's folder of motion clips and captions.

``NAME.npz`` is a clip as ``videomdm generate`` and ``lift`` write it, ``NAME.bvh`` one with the 22 joints that
``videomdm`` writes.  ``NAME.txt`` beside it holds its captions, one in a line; without it the clip's own counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from videomdm.errors import UserError
from videomdm.motion.bvh import read_bvh, to_motion
from videomdm.motion.clip import FPS, Motion
from videomdm.motion.representation import canonicalise
from videomdm.motion.resample import resample
from videomdm.motion.skeleton import JOINT_NAMES, mirror_positions

from ..captions import CaptionTable, mirror_caption
from ..sources import LONGEST, SHORTEST
from ..teacher.supervision import SourceClip

KINDS = (".npz", ".bvh")
SHORTEST_BONES, LONGEST_BONES = 1.3, 10.0  # metres, all together: somebody 0.5 m tall, and a giant of 4 m


@dataclass(frozen=True)
class CaptionedClip:
    """A clip at 20 fps with one or more captions; ``name`` is its file's."""

    name: str
    motion: Motion
    captions: tuple[str, ...]


def read_clips(folder: Path) -> list[CaptionedClip]:
    """All clips of a folder, long ones cut to pieces of at most 10 s; none where it holds no motion files.

    UserError where a file cannot be read, has no caption, or is shorter than a second.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give the folder that holds the clips.")
    clips = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in KINDS):
        motion = Motion.load(path) if path.suffix.lower() == ".npz" else _bvh(path)
        captions = _captions(path, motion)
        motion = resample(motion, FPS)
        if len(motion) < SHORTEST:
            raise UserError(
                f"The clip {path} lasts {motion.seconds:.2f} seconds only.",
                f"Give clips of at least {SHORTEST / FPS:g} second, or take it out of the folder.",
            )
        pieces = -(-len(motion) // LONGEST)
        clips += [
            CaptionedClip(path.name, Motion(part, FPS), captions)
            for part in np.array_split(motion.positions, pieces)
        ]
    return clips


def _bvh(path: Path) -> Motion:
    """The motion in metres: centimetres are usual, and told by the bones, since who lies down has no height."""
    try:
        take = read_bvh(path)
        motion = to_motion(take)
    except UserError as error:
        raise UserError(f"{path}: {error.message}", error.advice, error.code) from error
    joints = [take.skeleton.index(name) for name in JOINT_NAMES[1:]]
    bones = float(np.linalg.norm(take.skeleton.offsets[joints], axis=1).sum())
    for scale in (0.01, 1.0):
        if SHORTEST_BONES < scale * bones < LONGEST_BONES:
            return Motion(scale * motion.positions, motion.fps)
    raise UserError(
        f"The bones of the figure in {path} are {bones:.3g} units long together, which is no person's size.",
        "Write it in centimetres or metres.",
    )


def _captions(path: Path, motion: Motion) -> tuple[str, ...]:
    words = path.with_suffix(".txt")
    try:
        lines = words.read_text(encoding="utf-8").splitlines() if words.is_file() else [motion.caption]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The captions {words} cannot be read ({error}).", "Write them as UTF-8 text."
        ) from error
    captions = tuple(line.strip() for line in lines if line.strip())
    if not captions:
        raise UserError(f"The clip {path} has no caption.", f"Write one in {words.name} beside it.")
    return captions


def source_clips(clips: Sequence[CaptionedClip], words: CaptionTable, mirror: bool) -> list[SourceClip]:
    """Clips as training takes them, with their mirror images where ``mirror``."""
    result = []
    for clip in clips:
        positions = np.ascontiguousarray(canonicalise(clip.motion.positions)[0])
        result.append(SourceClip(torch.from_numpy(positions), tuple(map(words.add, clip.captions)), 1.0))
        if mirror:
            captions = tuple(words.add(mirror_caption(c)) for c in clip.captions)
            result.append(SourceClip(torch.from_numpy(mirror_positions(positions)), captions, 1.0))
    return result
