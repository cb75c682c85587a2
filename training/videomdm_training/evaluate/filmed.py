# SPDX-License-Identifier: Apache-2.0
"""Held-out clips as a synthetic camera and a detector see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from videomdm.progress import progress_bar

from ..clips import Batch
from ..datasets.pack import Pack, Segment
from ..sources import position_clips
from ..views import CameraConfig, DetectorConfig, View, observe, sample_cameras

BATCH = 16


def seen_clips(
    data: Pack,
    segments: Sequence[Segment],
    device: torch.device,
    seed: int,
    words: str,
    detector: DetectorConfig | None = None,
    camera: CameraConfig | None = None,
) -> Iterator[tuple[Batch, View]]:
    """Batches of clips of similar length, each clip seen by one camera; ``words`` label the progress bar.

    The batches' frames hold "positions" (B, T, 22, 3).
    """
    camera, detector = camera or CameraConfig(), detector or DetectorConfig()
    clips = position_clips(data, segments, device)
    generator = torch.Generator(device).manual_seed(seed)
    with progress_bar(total=len(clips), desc=words, unit="clip") as bar:
        for index in clips.order.split(BATCH):
            batch = clips.batch(index)
            positions = batch.frames["positions"]
            seen_by = sample_cameras(positions, batch.mask, generator, camera)
            yield batch, observe(positions, seen_by, generator, detector)
            bar.update(len(index))
