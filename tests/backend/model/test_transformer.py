# SPDX-License-Identifier: Apache-2.0
"""Attention that is trained in bfloat16 on a CPU is written out, because torch's fused gradient is slow there."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402 (after the skip)

from videomdm.model.transformer import attend  # noqa: E402


@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_bfloat16_is_that_in_float32(masked):
    """Values and gradients, to the three digits that bfloat16 has."""
    torch.manual_seed(0)
    parts = [torch.randn(5, 2, tokens, 16, requires_grad=True) for tokens in (7, 9, 9)]
    seen = torch.arange(9)[None] < torch.tensor([9, 1, 4, 8, 2])[:, None]
    mask = seen[:, None, None] if masked else None
    expected = F.scaled_dot_product_attention(*parts, attn_mask=mask)
    wanted = torch.autograd.grad(expected.square().sum(), parts)
    short = [part.detach().bfloat16().requires_grad_() for part in parts]
    found = attend(*short, mask)
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 0.03
    for gradient, true in zip(torch.autograd.grad(found.float().square().sum(), short), wanted, strict=True):
        assert (gradient - true).norm() < 0.02 * true.norm()


def test_masked_keys_cannot_be_seen():
    """They change nothing, and get no gradient."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, tokens, 8).bfloat16().requires_grad_() for tokens in (3, 6, 6))
    mask = (torch.arange(6) < 4)[None, None, None]
    whole = attend(q, k, v, mask)
    assert torch.equal(whole, attend(q, k[:, :, :4], v[:, :, :4], None))
    for gradient in torch.autograd.grad(whole.sum(), (k, v)):
        assert not gradient[:, :, 4:].any()
