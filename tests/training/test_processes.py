# SPDX-License-Identifier: Apache-2.0
"""Several processes under ``torchrun``: one network, one exchange a step, one folder that all of them go by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.model.registry import model_info  # noqa: E402 (after the skip)
from videomdm_training import engine  # noqa: E402

from .test_engine import losses, network, rows, run  # noqa: E402
from .test_recipe import SETTINGS  # noqa: E402
from .two_processes import STEPS  # noqa: E402


def torchrun(repository: Path, *words: object) -> str:
    """What two processes print."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(repository), *filter(None, sys.path)]),
        "OMP_NUM_THREADS": "1",
    }
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    done = subprocess.run(
        [*start, *map(str, words)],
        env=environment,
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_processes_train_one_network_on_their_own_batches(tmp_path, repository):
    printed = torchrun(repository, "tests.training.two_processes", tmp_path / "two")
    told = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    (*one, stopped, exchanges, first), (*other, also_stopped, _, also_first) = told["processes"]
    assert told["steps"] == 12 and one == other  # the same weights
    assert stopped == also_stopped == 1.0  # both stopped after the same step
    assert first != also_first  # other batches
    assert exchanges == 12  # one a step, though a step's losses come in two parts
    assert [row["step"] for row in rows(tmp_path / "two")] == [3, 6, 9, 12]  # written once
    assert engine.load_state(tmp_path / "two" / engine.STATE)["step"] == 12

    def both(model, step, generator):
        shares = [losses(model, step, engine.generator_for(0, step, "cpu", rank)) for rank in (0, 1)]
        return {name: (shares[0][name] + shares[1][name]) / 2 for name in shares[0]}

    alone = run(tmp_path / "alone", STEPS, both).network
    weights = torch.cat([value.flatten() for value in alone.state_dict().values()])
    assert torch.allclose(weights, torch.tensor(one), atol=1e-5)  # as on both batches together
    assert not torch.allclose(
        weights, torch.cat([v.flatten() for v in network().state_dict().values()]), atol=0.01
    )


def test_processes_make_the_base_model_together_in_slices(pack_file, train, tmp_path, repository):
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ("videomdm.cli", "train", "base", pack_file, "-o", tmp_path, "--commercial", *settings)
    assert "run the same command" in torchrun(repository, *words, "--time-limit", 0.001)
    assert not (tmp_path / "model").exists()
    torchrun(repository, *words)
    assert engine.load_state(tmp_path / "run" / engine.STATE)["step"] == 2
    assert model_info(tmp_path / "model").commercial
