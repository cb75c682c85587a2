# SPDX-License-Identifier: Apache-2.0
"""The denoiser: noisy motion features, a diffusion step and text tokens in; clean features out.

Shape letters: B batch, T frames, D representation width, N tokens (T / patch), L text tokens, C width.

One token stands for ``patch`` consecutive frames, which makes training and sampling about ``patch`` times
cheaper than one token a frame at equal quality a step.  Text enters twice: its tokens through cross-attention
in every block, their mean through the modulation together with the diffusion step.

Attention knows how far apart tokens are; that a clip begins here and ends there is told to each token.  Without it
a prediction from pure noise is the same at all times, and "sits down" sits from the first frame on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from ..motion.representation import WIDTH
from .text import STATE
from .transformer import Trunk, check_sizes, timestep_embedding


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of a denoiser; stored in every checkpoint."""

    features: int = WIDTH  # D
    patch: int = 4  # frames in one token
    width: int = 256  # C
    layers: int = 6
    heads: int = 4
    hidden: int = 704  # of the gated MLP
    text_width: int = STATE  # so many first columns of the text encoder's token states are read
    max_frames: int = 200

    def __post_init__(self) -> None:
        check_sizes(**asdict(self))


class Denoiser(nn.Module):
    """x0 prediction of normalised features (B, T, D); T is a multiple of ``config.patch``."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        C = config.width
        self.read = nn.Linear(config.features * config.patch, C)
        self.text = nn.Linear(config.text_width, C)
        self.no_text = nn.Parameter(torch.randn(1, 1, C) * 0.02)
        self.time = nn.Sequential(nn.Linear(C, C), nn.SiLU(), nn.Linear(C, C))
        self.trunk = Trunk(C, config.layers, config.heads, config.hidden, cross=True)
        self.write = nn.Linear(C, config.features * config.patch)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)
        self.place = nn.Linear(C, C, bias=False)

    def forward(
        self,
        x_BTD: Tensor,
        t_B: Tensor,
        text_BLE: Tensor,
        text_mask_BL: Tensor,
        frame_mask_BT: Tensor | None = None,
    ) -> Tensor:
        """Predict x0 (B, T, D).

        t_B:           diffusion steps, 0 (clean) to steps - 1.
        text_BLE:      token states of the text encoder.
        text_mask_BL:  true for real tokens; a row without any is unconditional.
        frame_mask_BT: true for real frames, constant within a token.
        """
        B, T, _ = x_BTD.shape
        patch = self.config.patch
        if T % patch:
            raise ValueError(f"the denoiser takes a multiple of {patch} frames, not {T}")
        tokens = self.read(x_BTD.reshape(B, T // patch, -1))
        tokens = tokens + self.place(self._places(B, T, frame_mask_BT, x_BTD.device).to(tokens.dtype))
        text, text_mask = self._with_null(text_BLE, text_mask_BL)
        weight = text_mask.to(text.dtype)[..., None]
        pooled = (text * weight).sum(1) / weight.sum(1)
        condition = self.time(timestep_embedding(t_B, self.config.width).to(text.dtype)) + pooled
        token_mask = None if frame_mask_BT is None else frame_mask_BT[:, ::patch]
        y = self.trunk(tokens, condition, token_mask, text, text_mask)
        return self.write(y).reshape(B, T, -1)

    def _places(self, B: int, T: int, mask_BT: Tensor | None, device: torch.device) -> Tensor:
        """(B, N, C) how many frames lie before each token and how many from it to the clip's end."""
        half = self.config.width // 2
        frame = torch.arange(0, T, self.config.patch, device=device)
        ends = torch.full((B,), T, device=device) if mask_BT is None else mask_BT.sum(1)
        before = timestep_embedding(frame, half).expand(B, -1, -1)
        after = timestep_embedding((ends[:, None] - frame).clamp(min=0).flatten(), half)
        return torch.cat([before, after.unflatten(0, (B, -1))], dim=-1)

    def _with_null(self, text_BLE: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Prepend the learned "no text" token, seen only by rows that have no text."""
        text = self.text(text_BLE[..., : self.config.text_width])
        null = self.no_text.to(text.dtype).expand(len(text), 1, -1)
        empty = ~mask_BL.any(dim=1, keepdim=True)
        return torch.cat([null, text], dim=1), torch.cat([empty, mask_BL], dim=1)
