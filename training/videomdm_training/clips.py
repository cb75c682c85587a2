# SPDX-License-Identifier: Apache-2.0
"""Clips on the training device: flat tensors, length-matched batches, no Python for each sample.

Shape letters: B batch, T frames, F all frames of all clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

FRAME_MULTIPLE = 4  # frames: batches are cut to a multiple, as one token stands for several


@dataclass(frozen=True)
class Batch:
    """Clips of similar length, padded by repeating their last frame.

    index: (B,) which clips; lengths: (B,) frames; mask: (B, T) true for real frames; frames: tensors (B, T, ...).
    """

    index: Tensor
    lengths: Tensor
    mask: Tensor
    frames: Mapping[str, Tensor]


class Clips:
    """Variable-length clips as flat tensors (F, ...) with offsets, resident on one device."""

    def __init__(
        self,
        frames: Mapping[str, Tensor],
        lengths: Tensor,
        weights: Tensor | None = None,
        multiple: int = FRAME_MULTIPLE,
        window: int = 512,
    ) -> None:
        """Hold ``frames`` (F, ...) of clips of ``lengths`` (M,).

        weights:  (M,) how often a clip is drawn, relative to the others.
        multiple: batches are cut to a multiple of so many frames.
        window:   a batch is drawn from so many clips next to each other in length.
        """
        self.frames = dict(frames)
        self.lengths = lengths
        self.offsets = torch.cumsum(lengths, 0) - lengths
        self.multiple = multiple
        order = torch.argsort(lengths, stable=True)
        self.order = order
        self.weights = torch.ones(len(lengths), device=lengths.device) if weights is None else weights.float()
        self.sorted_weights = self.weights[order]
        self.window = min(window, len(lengths))

    def __len__(self) -> int:
        return len(self.lengths)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices (B,) of clips of similar length, drawn by weight."""
        anchor = int(torch.multinomial(self.sorted_weights, 1, generator=generator))
        start = min(max(anchor - self.window // 2, 0), len(self) - self.window)
        near = self.sorted_weights[start : start + self.window]
        picked = torch.multinomial(near, count, replacement=True, generator=generator)
        return self.order[start + picked]

    def batch(self, index: Tensor, crop: int = 0, generator: torch.Generator | None = None) -> Batch:
        """The clips ``index`` (B,) as one batch; with ``crop``, a random window of at most so many frames."""
        lengths = self.lengths[index]
        starts = self.offsets[index]
        if crop:
            spare = (lengths - crop).clamp(min=0)
            random = torch.rand(len(index), generator=generator, device=lengths.device)
            starts = starts + (random * (spare + 1)).long().clamp(max=spare)
            lengths = lengths.clamp(max=crop)
        lengths = (lengths // self.multiple * self.multiple).clamp(min=self.multiple)
        T = int(lengths.max())
        frame = torch.arange(T, device=lengths.device)
        rows = starts[:, None] + torch.minimum(frame[None], lengths[:, None] - 1)
        return Batch(
            index,
            lengths,
            frame[None] < lengths[:, None],
            {name: values[rows] for name, values in self.frames.items()},
        )


def hold_after_end(positions: Tensor, lengths: Tensor) -> Tensor:
    """Repeat each clip's last real frame over its padding: (B, T, 22, 3) with ``lengths`` (B,)."""
    frame = torch.arange(positions.shape[1], device=positions.device)
    index = torch.minimum(frame[None], lengths[:, None] - 1)
    return positions.gather(1, index[..., None, None].expand_as(positions))
