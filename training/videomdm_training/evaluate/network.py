# SPDX-License-Identifier: Apache-2.0
"""The evaluator's network: motions and captions to unit vectors in one space.

A dual encoder in the manner of CLIP (Radford et al., 2021) and TMR (Petrovich et al., 2023): what a caption says
and what a motion shows lie near each other.  Text comes as token states of the frozen text encoder.

Shape letters: B batch, T frames, D representation width, N tokens (T / patch), L text tokens, C width, E embedding.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videomdm.errors import UserError
from videomdm.model.transformer import Block, CrossAttention, check_sizes, rotary_table
from videomdm.motion.representation import WIDTH


@dataclass(frozen=True)
class EvaluatorSizes:
    """Sizes of an evaluator; stored in its file.

    embedding: E, small, so that the covariance of some hundred clips can be estimated.
    dropout:   of the token embeddings and the pooled vectors, in training only.
    """

    features: int = WIDTH  # D
    patch: int = 4  # frames in one token
    width: int = 192  # C
    motion_layers: int = 3
    text_layers: int = 1
    heads: int = 4
    hidden: int = 384  # of the gated MLP
    text_width: int = 384  # so many first columns of the text encoder's token states are read
    embedding: int = 64  # E
    dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = asdict(self)
        if not 0 <= sizes.pop("dropout") < 1:
            raise UserError("sizes.dropout must lie between 0 and 1.", "Change the configuration.")
        check_sizes(**sizes)


class _Encoder(nn.Module):
    """Tokens (B, N, inputs) with a mask (B, N) to unit vectors (B, E)."""

    def __init__(self, inputs: int, layers: int, sizes: EvaluatorSizes) -> None:
        super().__init__()
        C = sizes.width
        self.head_width = C // sizes.heads
        self.read = nn.Linear(inputs, C)
        self.drop = nn.Dropout(sizes.dropout)
        self.blocks = nn.ModuleList(Block(C, sizes.heads, sizes.hidden, cross=False) for _ in range(layers))
        self.norm = nn.LayerNorm(C)
        self.query = nn.Parameter(torch.randn(1, 1, C) * 0.02)
        self.pool = CrossAttention(C, sizes.heads)
        self.write = nn.Linear(2 * C, sizes.embedding)

    def forward(self, tokens: Tensor, mask: Tensor, places: Tensor | None = None) -> Tensor:
        x = self.drop(self.read(tokens))
        B, N, C = x.shape
        rotary = rotary_table(N if places is None else int(places.max()) + 1, self.head_width, x.device)
        if places is not None:
            rotary = rotary[0][places][:, None], rotary[1][places][:, None]
        unmodulated = torch.zeros(B, 6, C, device=x.device, dtype=x.dtype)
        attended = mask[:, None, None]
        for block in self.blocks:
            x = block(x, unmodulated, rotary, attended, None, None)
        x = self.norm(x)
        weight = mask[..., None].to(x.dtype)
        mean = (x * weight).sum(1) / weight.sum(1).clamp(min=1)
        pooled = self.pool(self.query.to(x.dtype).expand(B, 1, -1), x, attended)[:, 0]
        return F.normalize(self.write(self.drop(torch.cat([mean, pooled], -1))).float(), dim=-1)


class Evaluator(nn.Module):
    """The encoder of motions and the encoder of captions."""

    def __init__(self, config: EvaluatorSizes) -> None:
        super().__init__()
        self.config = config
        self.motion = _Encoder(config.features * config.patch, config.motion_layers, config)
        self.text = _Encoder(config.text_width, config.text_layers, config)

    def embed_motion(self, x_BTD: Tensor, frame_mask_BT: Tensor) -> Tensor:
        """Unit vectors (B, E) of normalised features (B, T, D); T is a multiple of ``config.patch``.

        ``frame_mask_BT`` is true for real frames, constant within a token.
        """
        B, T, _ = x_BTD.shape
        patch = self.config.patch
        if T % patch:
            raise ValueError(f"the evaluator takes a multiple of {patch} frames, not {T}")
        return self.motion(x_BTD.reshape(B, T // patch, -1), frame_mask_BT[:, ::patch])

    def embed_text(self, text_BLE: Tensor, text_mask_BL: Tensor) -> Tensor:
        """Unit vectors (B, E) of token states (B, L, 768) with a mask (B, L) that is true for real tokens."""
        return self.text(text_BLE[..., : self.config.text_width], text_mask_BL)

    def forward(
        self, tokens_BNP: Tensor, mask_BN: Tensor, places_BN: Tensor, text_BLE: Tensor, text_mask_BL: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, E) of motions, of which only some tokens at ``places_BN`` are given, and of captions."""
        return self.motion(tokens_BNP, mask_BN, places_BN), self.embed_text(text_BLE, text_mask_BL)
