# SPDX-License-Identifier: Apache-2.0
"""Which optimiser moves which weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from videomdm.errors import UserError  # noqa: E402 (after the skip)
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.model.transformer import hidden_matrices  # noqa: E402
from videomdm_training import engine  # noqa: E402
from videomdm_training.engine import EngineConfig  # noqa: E402
from videomdm_training.optimiser import optimisers_for  # noqa: E402

CONFIG = EngineConfig(steps=3, save_every=1, precision="32-true", accelerator="cpu", clip=1e9, warmup=1)


def lifter() -> Lifter:
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=16, layers=2, heads=2, hidden=24))


def seen(network, step, generator):
    keypoints = torch.randn(2, 8, 22, 2, generator=generator)
    lifted = network(keypoints, torch.ones(2, 8, 22))
    return {"loss": lifted.joints.square().mean() + (lifted.up[:, 0] - 1).square().mean()}


def test_muon_takes_the_matrices_of_the_blocks_and_adamw_everything_else_once():
    network = lifter()
    adamw, muon = optimisers_for(network, "muon", 1e-3, 2e-3, 0.01)
    held = [w for optimiser in (adamw, muon) for group in optimiser.param_groups for w in group["params"]]
    assert len(held) == len({id(w) for w in held}) == len(list(network.parameters()))
    blocks = {id(w) for w in hidden_matrices(network).values()}
    assert len(blocks) == 2 * 4  # qkv and out of the attention, into and out of the MLP
    assert {id(w) for group in muon.param_groups for w in group["params"]} == blocks
    assert len(optimisers_for(network, "adamw", 1e-3, 2e-3, 0.01)) == 1


def test_a_step_of_muon_evens_out_the_directions_of_the_gradient(tmp_path):
    network = lifter()
    before = [w.detach().clone() for w in hidden_matrices(network).values()]
    seen(network, 0, engine.generator_for(0, 0, torch.device("cpu")))["loss"].backward()
    gradients = [w.grad for w in hidden_matrices(network).values()]
    config = replace(CONFIG, steps=1, weight_decay=0.0, matrix_learning_rate=0.1, ema=0.0)
    outcome = engine.run(lifter(), seen, config, tmp_path, engine.fabric_for(config))
    for old, gradient, new in zip(before, gradients, hidden_matrices(outcome.network).values(), strict=True):
        moved, steep = torch.linalg.svdvals(new.detach() - old), torch.linalg.svdvals(gradient)
        assert moved[0] / (0.1 * 0.2 * max(old.shape) ** 0.5) == pytest.approx(1.0, abs=0.35)
        assert moved[4] / moved[0] > 2 * steep[4] / steep[0]


def test_a_run_keeps_the_optimiser_that_it_began_with(tmp_path):
    engine.run(lifter(), seen, CONFIG, tmp_path, engine.fabric_for(CONFIG))
    with pytest.raises(UserError, match="another optimiser"):
        other = replace(CONFIG, steps=5, optimiser="adamw")
        engine.run(lifter(), seen, other, tmp_path, engine.fabric_for(other))


def test_half_precision_without_scaled_losses_is_refused():
    with pytest.raises(UserError, match="half precision"):
        replace(CONFIG, precision="16-mixed")
