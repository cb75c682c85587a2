# SPDX-License-Identifier: Apache-2.0
"""From a packed data set to the clips that training draws from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from videomdm.camera import Camera, seen_from
from videomdm.errors import UserError
from videomdm.motion.representation import canonicalise
from videomdm.motion.skeleton import mirror_positions

from .captions import CaptionTable, mirror_caption
from .clips import Clips
from .datasets.pack import Pack, Segment
from .teacher.supervision import SourceClip

SHORTEST = 20  # frames: one second
LONGEST = 200  # frames


def usable(segments: Sequence[Segment]) -> list[Segment]:
    """Segments of at least a second."""
    return [s for s in segments if len(s) >= SHORTEST]


def balance(segments: Sequence[Segment]) -> list[float]:
    """Weights that draw each description by the square root of how often it occurs.

    The database holds hundreds of near-identical walks; drawn evenly they would drown the rest.
    """
    counts = Counter(s.description for s in segments)
    return [1.0 / math.sqrt(counts[s.description]) for s in segments]


def joints(pack: Pack, segment: Segment) -> Tensor:
    """(T, 22, 3) float32 of a segment, turned to face +Z at the origin, at most ``LONGEST`` frames."""
    positions, _ = canonicalise(pack.clip(segment)[:LONGEST].astype(np.float32))
    return torch.from_numpy(np.ascontiguousarray(positions))


def position_clips(pack: Pack, segments: Sequence[Segment], device: torch.device) -> Clips:
    """Clips with frames "positions" (F, 22, 3), for the lifter."""
    segments = usable(segments)
    if not segments:
        raise UserError(
            "The pack has no such segment of at least a second.",
            "Look at its report: which split and role do the segments have?",
        )
    clips = [joints(pack, s) for s in segments]
    return Clips(
        {"positions": torch.cat(clips).to(device)},
        torch.tensor([len(c) for c in clips], device=device),
        torch.tensor(balance(segments), device=device),
    )


def real_cameras(pack: Pack, segment: Segment) -> Camera | None:
    """The calibrated cameras that saw a segment, R (V, 3, 3) and t (V, 3) float32 in the axes of :func:`joints`."""
    stored = pack.notes.get("cameras", {}).get(segment.take)
    if not stored:
        return None
    R, t = (np.array([camera[name] for camera in stored], np.float32) for name in ("R", "t"))
    _, placement = canonicalise(pack.clip(segment)[:LONGEST].astype(np.float32))
    moved = seen_from(Camera(R[:, None], t[:, None]), placement)
    return Camera(*(torch.from_numpy(np.float32(array[:, 0])) for array in (moved.R, moved.t)))


def mirror_cameras(cameras: Camera | None) -> Camera | None:
    """Cameras that see the mirrored clip as a mirrored image."""
    if cameras is None:
        return None
    flip = torch.tensor([-1.0, 1.0, 1.0])
    return Camera(flip[:, None] * cameras.R * flip, flip * cameras.t)


def source_clips(
    pack: Pack, segments: Sequence[Segment], captions: CaptionTable, mirror: bool
) -> list[SourceClip]:
    """Clips of the segments that have captions, with their mirror images where ``mirror``."""
    segments = [segment for segment in usable(segments) if segment.captions]
    result = []
    for segment, weight in zip(segments, balance(segments), strict=True):
        positions, cameras = joints(pack, segment), real_cameras(pack, segment)
        result.append(SourceClip(positions, tuple(map(captions.add, segment.captions)), weight, cameras))
        if mirror:
            mirrored = torch.from_numpy(mirror_positions(positions.numpy()))
            words = tuple(captions.add(mirror_caption(c)) for c in segment.captions)
            result.append(SourceClip(mirrored, words, weight, mirror_cameras(cameras)))
    return result
