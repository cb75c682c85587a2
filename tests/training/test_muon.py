# SPDX-License-Identifier: Apache-2.0
"""Our Muon against torch's: the same update in fewer operations, from the same state."""

from __future__ import annotations

import copy
import sys

import pytest

torch = pytest.importorskip("torch")

from videomdm_training import muon  # noqa: E402 (after the skip)
from videomdm_training.muon import LEVEL, Muon, evening  # noqa: E402

SHAPES = [(48, 48), (160, 48), (48, 200), (40, 300), (300, 140)]


def matrix(shape: tuple[int, int], decay: float = 5.0, seed: int = 0) -> torch.Tensor:
    """Singular values that fall from 1 to exp(-decay) between random directions."""
    generator = torch.Generator().manual_seed(seed)
    u, _, vh = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    return u * torch.exp(-decay * torch.linspace(0, 1, min(shape))) @ vh


def weights(kind: type, **settings) -> tuple[list, torch.optim.Optimizer]:
    made = [torch.nn.Parameter(matrix(shape, 1.0, seed=9)) for shape in SHAPES]
    return made, kind(made, lr=0.02, weight_decay=0.1, **settings)


def torchs() -> tuple[list, torch.optim.Optimizer]:
    return weights(torch.optim.Muon, adjust_lr_fn="match_rms_adamw")


def step(held: list, optimiser: torch.optim.Optimizer, number: int) -> None:
    for weight in held:
        weight.grad = matrix(weight.shape, seed=number)
    optimiser.step()


def moves(ours: tuple, theirs: tuple) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """How far three steps take each of our matrices, and of theirs."""
    before = [weight.detach().clone() for weight in ours[0]]
    for number in range(3):
        step(*ours, number)
        step(*theirs, number)
    both = zip(before, ours[0], theirs[0], strict=True)
    return [(one.detach() - old, other.detach() - old) for old, one, other in both]


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_come_out_even_between_the_directions_of_the_matrix(shape):
    given = matrix(shape, decay=4.0)
    even = evening(given)
    assert torch.equal(even, even.mT) and len(even) == min(shape)
    moved = even @ given if shape[0] < shape[1] else given @ even
    assert torch.linalg.svdvals(moved).sub(LEVEL).abs().max() < 0.15
    u, _, vh = torch.linalg.svd(given, full_matrices=False)
    along = u.mT @ moved @ vh.mT
    assert (along - along.diagonal().diag()).abs().max() < 2e-3


def test_small_singular_values_rise_as_steeply_as_in_torchs_iterations():
    small = 1e-4
    given = torch.diag(torch.tensor([1.0, small, 0.0]))
    assert (evening(given) @ given)[1, 1] / small == pytest.approx(3.4445**5, rel=0.1)


def test_an_update_is_torchs_and_weights_decay_alike():
    for moved, wanted in moves(weights(Muon), torchs()):
        assert torch.cosine_similarity(moved.flatten(), wanted.flatten(), 0) > 0.97
        assert moved.norm() / wanted.norm() == pytest.approx(1.0, abs=0.06)


def test_matrices_of_one_shape_take_torchs_iterations_together(monkeypatch):
    """As on a GPU: the update is torch's, matrix by matrix, for wide, tall and square ones, several of a shape."""
    shapes = [*SHAPES, *SHAPES[:3], SHAPES[1]]
    monkeypatch.setattr(sys.modules[__name__], "SHAPES", shapes)
    monkeypatch.setattr(muon, "_move_each", muon._move_together)
    (ours, together), (theirs, plain) = weights(Muon), torchs()
    for moved, wanted in moves((ours, together), (theirs, plain)):
        assert (moved - wanted).norm() / wanted.norm() < 0.02  # bfloat16's roundings
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(together.state[one]["momentum_buffer"], plain.state[other]["momentum_buffer"])


def test_a_run_that_began_with_torchs_muon_goes_on():
    held, plain = torchs()
    for number in range(2):
        step(held, plain, number)
    ours, fast = weights(Muon)
    fast.load_state_dict(copy.deepcopy(plain.state_dict()))
    step(held, plain, 2)
    step(ours, fast, 2)
    assert fast.state_dict()["param_groups"] == plain.state_dict()["param_groups"]
    for one, other in zip(ours, held, strict=True):
        assert torch.equal(fast.state[one]["momentum_buffer"], plain.state[other]["momentum_buffer"])


def test_without_a_gradient_a_matrix_stays_and_with_a_zero_one_it_decays_only():
    held, optimiser = weights(Muon)
    before = [weight.detach().clone() for weight in held]
    held[0].grad = torch.zeros_like(held[0])
    optimiser.step()
    assert torch.equal(held[0], before[0] * (1 - 0.02 * 0.1))
    assert all(torch.equal(new, old) for new, old in zip(held[1:], before[1:], strict=True))
