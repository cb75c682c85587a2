# SPDX-License-Identifier: Apache-2.0
"""The transformer that the denoiser and the lifter share.

Shape letters: B batch, N tokens, L text tokens, C width, H heads.

Pre-norm blocks with rotary positions (Su et al., 2021), a SiLU-gated MLP, optional cross-attention to text
tokens, and one shared modulation of scale, shift and gate for all blocks ("adaLN-single" of PixArt-alpha, Chen
et al., 2023), which costs a table for each block instead of a matrix.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError


def check_sizes(**sizes: int) -> None:
    """UserError unless a network can have these sizes: all of at least 1, and a width that its heads can divide."""
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"The network's {name} is {size}.", "Give at least 1.")
    width, heads = sizes["width"], sizes["heads"]
    if width % (2 * heads) or width % 4:  # rotary positions turn halves of a head, embeddings have quarters
        raise UserError(
            f"A network of width {width} cannot have {heads} heads.",
            "Give a width that is a multiple of 4 and of twice the heads.",
        )


def rotary_table(tokens: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (N, head_width / 2), of rotary positions 0..N-1."""
    frequency = 1000.0 ** (-torch.arange(0, head_width, 2, device=device, dtype=torch.float32) / head_width)
    angle = torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * frequency
    return angle.cos(), angle.sin()


def apply_rotary(x_BHNC: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the two halves of each head's channels by the token's angles."""
    cosine, sine = (part.to(x_BHNC.dtype) for part in table)
    a, b = x_BHNC.chunk(2, dim=-1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], dim=-1)


def timestep_embedding(t_B: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding (B, width) of diffusion steps (B,), integers or not."""
    half = width // 2
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t_B.device) / half)
    angle = t_B.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def hidden_matrices(network: nn.Module) -> dict[str, Tensor]:
    """The weight matrices (out, in) of the linear layers within a network's blocks, by name."""
    return {
        f"{name}.weight": module.weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and ".blocks." in f".{name}."
    }


def attend(q_BHNC: Tensor, k_BHLC: Tensor, v_BHLC: Tensor, mask: Tensor | None) -> Tensor:
    """Attention (B, H, N, C / H) of queries to keys; ``mask`` is true where a key may be looked at.

    ``scaled_dot_product_attention``, except to train in bfloat16 on a CPU: the gradient of torch's fused kernel takes
    five times as long there as its parts written out, and some tens of tokens need none of what fusing saves.
    """
    slow = q_BHNC.dtype == torch.bfloat16 and q_BHNC.device.type == "cpu" and q_BHNC.requires_grad
    if not slow:
        return F.scaled_dot_product_attention(q_BHNC, k_BHLC, v_BHLC, attn_mask=mask)
    scores = (q_BHNC * q_BHNC.shape[-1] ** -0.5) @ k_BHLC.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1) @ v_BHLC


class SelfAttention(nn.Module):
    """Multi-head attention of tokens (B, N, C) to each other, with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x_BNC: Tensor, table: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        B, N, C = x_BNC.shape
        q, k, v = self.qkv(x_BNC).view(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k = apply_rotary(q, table), apply_rotary(k, table)
        y = attend(q, k, v, mask)
        return self.out(y.transpose(1, 2).reshape(B, N, C))


class CrossAttention(nn.Module):
    """Multi-head attention of tokens (B, N, C) to text tokens (B, L, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x_BNC: Tensor, text_BLC: Tensor, mask: Tensor | None) -> Tensor:
        B, N, C = x_BNC.shape
        q = self.q(x_BNC).view(B, N, self.heads, -1).transpose(1, 2)
        k, v = self.kv(text_BLC).view(B, text_BLC.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = attend(q, k, v, mask)
        return self.out(y.transpose(1, 2).reshape(B, N, C))


class GatedMLP(nn.Module):
    """SwiGLU (Shazeer, 2020): out(silu(a) * b)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.into = nn.Linear(width, 2 * hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.into(x).chunk(2, dim=-1)
        return self.out(F.silu(gate) * value)


class Block(nn.Module):
    """Self-attention, optional cross-attention, MLP; modulated by (B, 6, C) where the trunk is conditioned."""

    def __init__(self, width: int, heads: int, hidden: int, cross: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = SelfAttention(width, heads)
        self.cross_norm = nn.LayerNorm(width) if cross else None
        self.cross = CrossAttention(width, heads) if cross else None
        self.mlp_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = GatedMLP(width, hidden)
        # shift, scale, gate for attention, then for the MLP; added to the shared modulation
        table = torch.zeros(6, width)
        table[2] = table[5] = 1.0
        self.table = nn.Parameter(table)

    def forward(
        self,
        x: Tensor,
        modulation_B6C: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor | None,
        text_BLC: Tensor | None,
        text_mask: Tensor | None,
    ) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation_B6C + self.table).unsqueeze(2).unbind(1)
        h = self.attention_norm(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h, rotary, mask)
        if self.cross is not None and self.cross_norm is not None and text_BLC is not None:
            x = x + self.cross(self.cross_norm(x), text_BLC, text_mask)
        h = self.mlp_norm(x) * (1 + scale2) + shift2
        return x + gate2 * self.mlp(h)


class Trunk(nn.Module):
    """A stack of blocks on tokens (B, N, C)."""

    def __init__(self, width: int, layers: int, heads: int, hidden: int, cross: bool) -> None:
        super().__init__()
        self.head_width = width // heads
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.blocks = nn.ModuleList(Block(width, heads, hidden, cross) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x_BNC: Tensor,
        condition_BC: Tensor,
        token_mask_BN: Tensor | None = None,
        text_BLC: Tensor | None = None,
        text_mask_BL: Tensor | None = None,
    ) -> Tensor:
        """Run the blocks.  Masks are true where a token is real; a clip has at least one real token."""
        rotary = rotary_table(x_BNC.shape[1], self.head_width, x_BNC.device)
        mask = None if token_mask_BN is None else token_mask_BN[:, None, None, :]
        text_mask = None if text_mask_BL is None else text_mask_BL[:, None, None, :]
        modulation = self.modulation(F.silu(condition_BC)).unflatten(-1, (6, -1))
        for block in self.blocks:
            x_BNC = block(x_BNC, modulation, rotary, mask, text_BLC, text_mask)
        return self.norm(x_BNC)
