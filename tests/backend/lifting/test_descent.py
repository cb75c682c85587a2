# SPDX-License-Identifier: Apache-2.0
"""Many minimisations at once: each as good as alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from videomdm.lifting.descent import minimise  # noqa: E402


def rosenbrock(x):
    """Rosenbrock's valley (1960), its minimum at (1, 1, ...)."""
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


def test_every_row_comes_to_its_minimum():
    torch.manual_seed(0)
    x = minimise(rosenbrock, torch.rand(5, 6, dtype=torch.float64), 200)
    assert torch.allclose(x, torch.ones_like(x), atol=1e-4)


def test_a_row_takes_the_steps_that_it_takes_alone():
    """Also beside one that is a thousand times steeper, and one that is at its minimum already."""
    torch.manual_seed(1)
    start = torch.rand(3, 6, dtype=torch.float64)
    start[2] = 1.0
    steep = torch.tensor([1.0, 1000.0, 1.0], dtype=torch.float64)
    together = minimise(lambda x: steep * rosenbrock(x), start, 12)
    for row in range(3):
        alone = minimise(lambda x, row=row: steep[row] * rosenbrock(x), start[row : row + 1], 12)
        assert torch.allclose(together[row], alone[0], rtol=1e-9, atol=1e-12)
    assert torch.equal(together[2], start[2])


def test_no_row_ends_higher_than_it_began():
    """Cliffs and kinks, which promise more than they hold."""
    torch.manual_seed(2)
    start = 4 * torch.randn(64, 5, dtype=torch.float64)

    def rough(x):
        return (x.abs() + 3 * torch.sign(torch.sin(5 * x)) + torch.where(x > 2, 50 * x, 0)).sum(1)

    for iterations in (1, 2, 5, 20):
        assert (rough(minimise(rough, start, iterations)) <= rough(start)).all()
