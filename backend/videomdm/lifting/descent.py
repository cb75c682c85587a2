# SPDX-License-Identifier: Apache-2.0
"""Many small minimisations at once: limited-memory BFGS (Nocedal, 1980), each row with a step of its own.

``torch.optim.LBFGS`` knows one problem; fits of many clips are as many, and one step length for all of them would be
the worst clip's.  Shape letters: B problems, N unknowns of each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

HISTORY = 10
SUFFICIENT = 1e-4  # of the decrease that the slope promises (Armijo)
TRIES, SHORTEST = 6, 0.1  # of a step; each at least so much of the one before


class _Curvature:
    """The last steps and what they did to the gradients: an estimate of the inverse of the Hessian."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        self.scale: Tensor | None = None

    def add(self, step: Tensor, change: Tensor) -> None:
        """A step (B, N) and the change (B, N) of the gradients; rows that bend the wrong way are forgotten."""
        bend = (step * change).sum(1, keepdim=True)
        stiff = (change * change).sum(1, keepdim=True)
        good = bend > 1e-10 * stiff.clamp(min=1e-30)
        inverse = torch.where(good, 1 / torch.where(good, bend, 1), 0)
        self.pairs = [*self.pairs[1 - HISTORY :], (step, change, inverse)]
        scale = torch.where(good, bend / stiff.clamp(min=1e-30), 0)
        self.scale = scale if self.scale is None else torch.where(good, scale, self.scale)

    def descend(self, gradient: Tensor) -> Tensor:
        """The direction (B, N) of the next step."""
        if self.scale is None:
            return -gradient / gradient.abs().sum(1, keepdim=True).clamp(min=1.0)
        first = 1 / gradient.abs().sum(1, keepdim=True).clamp(min=1.0)
        q = -gradient
        shares = []
        for step, change, inverse in reversed(self.pairs):
            share = inverse * (step * q).sum(1, keepdim=True)
            q = q - share * change
            shares.append(share)
        q = torch.where(self.scale > 0, self.scale, first) * q
        for (step, change, inverse), share in zip(self.pairs, reversed(shares), strict=True):
            q = q + step * (share - inverse * (change * q).sum(1, keepdim=True))
        return q


def minimise(value: Callable[[Tensor], Tensor], x: Tensor, iterations: int) -> Tensor:
    """Rows of ``x`` (B, N) at which ``value`` of them, (B,), is low: no row ends higher than it began.

    ``value`` of a row must depend on that row alone.
    """

    def look(at: Tensor) -> tuple[Tensor, Tensor]:
        at = at.detach().requires_grad_()
        with torch.enable_grad():
            found = value(at)
            (gradient,) = torch.autograd.grad(found.sum(), at)
        return found.detach(), gradient

    curvature = _Curvature()
    best, gradient = look(x)
    for _ in range(iterations):
        direction = curvature.descend(gradient)
        slope = (direction * gradient).sum(1)
        uphill = slope >= 0  # rounding: go straight down instead
        direction = torch.where(uphill[:, None], -gradient, direction)
        slope = torch.where(uphill, -gradient.square().sum(1), slope)
        length = torch.ones_like(best)
        for _ in range(TRIES):
            there = x + length[:, None] * direction
            found, turned = look(there)
            fails = ~(found <= best + SUFFICIENT * length * slope)
            if not bool(fails.any()):
                break
            # the minimum of the parabola through both values and the slope here
            bow = 2 * (found - best - length * slope)
            shorter = torch.where(bow > 0, -slope * length.square() / bow, length / 2).nan_to_num(0)
            length = torch.where(
                fails, torch.maximum(torch.minimum(shorter, length / 2), SHORTEST * length), length
            )
        else:
            there = torch.where(fails[:, None], x, there)
            turned = torch.where(fails[:, None], gradient, turned)
            found = torch.where(fails, best, found)
        curvature.add(there - x, turned - gradient)
        x, best, gradient = there, found, turned
    return x
