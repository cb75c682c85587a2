# SPDX-License-Identifier: Apache-2.0
"""Captions as token states, encoded once, and their mirrored words."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from videomdm.model import text
from videomdm.model.text import TextEncoder

from .cache import Cache, key_of

_SWAPS = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "counter clockwise": "clockwise",
    "anticlockwise": "clockwise",
    "anti-clockwise": "clockwise",
    "leftward": "rightward",
    "rightward": "leftward",
    "leftwards": "rightwards",
    "rightwards": "leftwards",
}
_SWAP_PATTERN = re.compile(r"\b(" + "|".join(sorted(_SWAPS, key=len, reverse=True)) + r")\b", re.IGNORECASE)
# "right" that names no side stays
_NOT_A_SIDE = re.compile(
    r"(?<!\bthe )(?<!turn )(?<!turns )(?<!turning )"
    r"\bright[ -](away|now|after|before|down|angled?|angles|in front)\b|\ball right\b",
    re.IGNORECASE,
)


def mirror_caption(caption: str) -> str:
    """The caption of the mirrored motion: left and right, and turning directions, change places."""
    kept = [match.span() for match in _NOT_A_SIDE.finditer(caption)]

    def swap(match: re.Match[str]) -> str:
        if any(start <= match.start() < end for start, end in kept):
            return match.group()
        word = _SWAPS[match.group().lower()]
        return word.capitalize() if match.group()[0].isupper() else word

    return _SWAP_PATTERN.sub(swap, caption)


class CaptionTable:
    """Unique captions and their token states, flat on one device in float16."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._ids: dict[str, int] = {}

    def add(self, caption: str) -> int:
        """The id of a caption, new or known."""
        if caption not in self._ids:
            self._ids[caption] = len(self.texts)
            self.texts.append(caption)
        return self._ids[caption]

    def encode(
        self, encoder: TextEncoder, device: torch.device, batch: int = 128, cache: Cache | None = None
    ) -> None:
        """Encode all captions, or find them in ``cache``; needed once, before :meth:`states`."""
        key = key_of(
            [self.texts, text.SHA256, batch, encoder.device.type], {}, (Path(text.__file__), Path(__file__))
        )
        kept = cache.load(key) if cache else None
        if kept is None:
            kept = self._encoded(encoder, batch)
            if cache:
                cache.store(key, kept)
        self.lengths, self.flat = (kept[name].to(device) for name in ("lengths", "flat"))
        self.offsets = torch.cumsum(self.lengths, 0) - self.lengths

    def _encoded(self, encoder: TextEncoder, batch: int) -> dict[str, Tensor]:
        """Tokens of each caption, and the states of all tokens."""
        order = sorted(range(len(self.texts)), key=lambda i: len(self.texts[i]))
        rows: list[Tensor] = [torch.empty(0)] * len(order)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            states, mask = encoder([self.texts[i] for i in chosen])
            for i, state, real in zip(chosen, states, mask, strict=True):
                rows[i] = state[real].half().cpu()
        return {"lengths": torch.tensor([len(row) for row in rows]), "flat": torch.cat(rows)}

    def states(self, ids: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Token states (B, L, E) float32 and mask (B, L) of captions ``ids`` (B,); rows not kept are empty."""
        lengths = self.lengths[ids]
        L = int(lengths.max())
        token = torch.arange(L, device=ids.device)
        rows = self.offsets[ids][:, None] + torch.minimum(token[None], lengths[:, None] - 1)
        mask = token[None] < lengths[:, None]
        if keep is not None:
            mask = mask & keep[:, None]
        return self.flat[rows].float(), mask
