# SPDX-License-Identifier: Apache-2.0
"""The last denoising step without seams between tokens.

A denoiser writes several frames with each token, and where one token's frames end and the next one's begin, joints
jump: on the base model feet accelerate two and a half times as much there as within a token, and slide with it.  So
the last step is taken on a second grid of tokens, too, which begin half a token later, and a frame is mostly what the
token says in whose middle it lies: overlap-add with a triangular window.  The mean over all grids (cycle spinning;
Coifman and Donoho, 1995) would be smoother than people are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.denoiser import Denoiser

LAST = 0  # the diffusion step whose x0 is the result


def predict(
    model: Denoiser, x: Tensor, t: Tensor, text: Tensor, text_mask: Tensor, frame_mask: Tensor | None
) -> Tensor:
    """x0 (B, T, D) of ``model`` with its own arguments; in the last step a mixture of two grids of tokens."""
    x0 = model(x, t, text, text_mask, frame_mask).float()  # what is mixed is mixed in full precision
    patch, T = model.config.patch, x.shape[1]
    if patch in (1, T) or bool((t != LAST).any()):
        return x0
    place = torch.arange(patch, device=x.device)
    window = (0.5 + torch.minimum(place, place.flip(0))).repeat(T // patch)[None, :, None]
    real = torch.ones_like(x[..., 0], dtype=torch.bool) if frame_mask is None else frame_mask
    here = slice(patch // 2, T - patch + patch // 2)
    whole = real[:, here].unflatten(1, (-1, patch)).all(2).repeat_interleave(patch, 1)
    later = model(x[:, here], t, text, text_mask, whole).float()
    weight = window[:, :-patch] * whole[..., None]
    total, weights = window * x0, window.repeat(len(x), 1, 1)
    total[:, here] += torch.where(weight > 0, weight * later, 0.0)  # a row without a whole token says nothing
    weights[:, here] += weight
    return total / weights
