# SPDX-License-Identifier: Apache-2.0
"""Muon whose step on a CPU costs half: two inverses of a small matrix in place of fifteen products of large ones.

``torch.optim.Muon`` evens out the singular values of each momentum matrix by five Newton-Schulz iterations, which
lift them from 0..1 to 0.93 +- 0.27, save those below about 0.002.  A rational function of the matrix's Gram matrix
does the same, evener, at the price of one Cholesky factorisation and inverse per pole: a small form of Zolotarev's
approximation of the sign function, by which Nakatsukasa and Freund (2016) compute polar factors.  What that costs
depends on the smaller side, and all of it stays in float32.  A GPU is at its best in products and keeps to torch's
iterations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# s -> s (CONSTANT + sum of weight / (s^2 + shift)) stays as close to LEVEL as two poles can for all s of 0.002..1,
# and rises from 0 about as steeply (472) as torch's iterations do (485)
LEVEL = 0.93  # root mean square of what torch's iterations give
CONSTANT = 0.8946040
POLES = ((0.008573499, 1.896078e-05), (0.1723081, 0.009186045))  # weight, shift
BLOCK = 128  # columns of the Gram matrix that are made at once


def evening(matrix: Tensor) -> Tensor:
    """The symmetric matrix, float32, whose product with ``matrix`` (m, n) has even singular values, LEVEL +- 0.15.

    It is as large as the smaller side and stands on that side: ``evening(M) @ M`` where M is wide, else
    ``M @ evening(M)``; either is nearly LEVEL times the polar factor U V^T.  Singular values below 0.002 of the
    Frobenius norm stay smaller, in proportion.
    """
    tall = (matrix.mT if _is_wide(matrix) else matrix).float()
    small = tall.shape[1]
    gram = tall.new_zeros(small, small)
    for first in range(0, small, BLOCK):  # Cholesky's factorisation reads the lower triangle only
        block = slice(first, first + BLOCK)
        torch.mm(tall[:, first:].mT, tall[:, block], out=gram[first:, block])
    square = gram.trace().clamp(min=1e-14)  # of the Frobenius norm
    gram /= square
    total = torch.zeros_like(gram)
    before = 0.0
    for weight, shift in POLES:
        gram.diagonal().add_(shift - before)
        before = shift
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        total.add_(inverse.mT, alpha=weight)  # symmetric; this way round it lies in memory as the sum does
    total.diagonal().add_(CONSTANT)
    return total.div_(square.sqrt())


def _is_wide(matrix: Tensor) -> bool:
    return matrix.shape[0] < matrix.shape[1]


def iterated(matrices: Tensor, coefficients: Sequence[float], steps: int, eps: float) -> Tensor:
    """``matrices`` (N, m, n) by torch's Newton-Schulz iterations, all at once, in bfloat16.

    A network's matrices have few shapes; one by one, each of the fifteen products would be launched for every matrix.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16()
    x = x.mT if tall else x
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Muon):
    """``torch.optim.Muon``, whose state it shares, faster.

    On a CPU the product with :func:`evening` replaces the iterations; elsewhere matrices of one shape take them
    together.  An update has the size that AdamW's would have, so that a learning rate and a decay mean the same to
    both.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            ahead = self._momentum(weights, group["momentum"])
            if all(weight.device.type == "cpu" for weight in weights):
                _move_each(weights, ahead, group)
            else:
                _move_together(weights, ahead, group)
        return loss

    def _momentum(self, weights: Sequence[Tensor], momentum: float) -> list[Tensor]:
        """Nesterov's: the gradients moved towards their averages, which take them in first."""
        grads = [weight.grad for weight in weights if weight.grad is not None]
        means = []
        for weight, grad in zip(weights, grads, strict=True):
            state = self.state[weight]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(grad)
            means.append(state["momentum_buffer"])
        torch._foreach_lerp_(means, grads, 1 - momentum)
        return list(torch._foreach_lerp(grads, means, momentum))


def _pace(shape: torch.Size, group: Mapping[str, Any]) -> float:
    """The learning rate with which an even matrix is as large a step as AdamW's."""
    return float(group["lr"]) * 0.2 * math.sqrt(max(shape))


def _move_each(weights: Sequence[Tensor], ahead: Sequence[Tensor], group: Mapping[str, Any]) -> None:
    keep = 1 - float(group["lr"]) * group["weight_decay"]
    for weight, matrix in zip(weights, ahead, strict=True):
        even = evening(matrix).to(weight.dtype)
        pair = (even, matrix) if _is_wide(matrix) else (matrix, even)
        weight.addmm_(*pair, beta=keep, alpha=-_pace(weight.shape, group))


def _move_together(weights: Sequence[Tensor], ahead: Sequence[Tensor], group: Mapping[str, Any]) -> None:
    alike: dict[tuple[torch.Size, torch.device], list[int]] = {}
    for number, weight in enumerate(weights):
        alike.setdefault((weight.shape, weight.device), []).append(number)
    torch._foreach_mul_(list(weights), 1 - float(group["lr"]) * group["weight_decay"])
    for (shape, _), numbers in alike.items():
        stacked = torch.stack([ahead[n] for n in numbers])
        even = iterated(stacked, group["ns_coefficients"], group["ns_steps"], group["eps"])
        chosen = [weights[n] for n in numbers]
        torch._foreach_add_(chosen, list(even.to(chosen[0].dtype)), alpha=-_pace(shape, group))
