# SPDX-License-Identifier: Apache-2.0
"""The last denoising step without seams between tokens.

A denoiser writes several frames with each token, and where one token's frames end and the next one's begin, joints
jump: on the base model they accelerate two and a half times as much there as within a token, and feet slide with
it.  So the last step is taken on every grid of tokens, each begun one frame later than the one before, and a frame
is the mean of what they say of it (cycle spinning; Coifman and Donoho, "Translation-invariant de-noising", 1995).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.denoiser import Denoiser

LAST = 0  # the diffusion step whose x0 is the result


def predict(
    model: Denoiser, x: Tensor, t: Tensor, text: Tensor, text_mask: Tensor, frame_mask: Tensor | None
) -> Tensor:
    """x0 (B, T, D) of ``model`` with its own arguments; in the last step the mean over all grids of tokens."""
    x0 = model(x, t, text, text_mask, frame_mask)
    patch, T = model.config.patch, x.shape[1]
    if patch in (1, T) or bool((t != LAST).any()):
        return x0
    real = torch.ones_like(x[..., 0], dtype=torch.bool) if frame_mask is None else frame_mask
    total, count = x0.clone(), torch.ones_like(x0[..., :1])
    for shift in range(1, patch):
        here = slice(shift, T - patch + shift)
        whole = real[:, here].unflatten(1, (-1, patch)).all(2).repeat_interleave(patch, 1)
        shifted = model(x[:, here], t, text, text_mask, whole)
        total[:, here] += torch.where(
            whole[..., None], shifted, 0.0
        )  # a row without a whole token says nothing
        count[:, here] += whole[..., None]
    return total / count
