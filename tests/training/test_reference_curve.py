# SPDX-License-Identifier: Apache-2.0
"""A seeded run is the same run in every process, and the one whose losses are stored here, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from .reference_run import STEPS, machine

STORED = Path(__file__).with_name("reference_curve.json")


@pytest.fixture(scope="module")
def curves(repository: Path) -> list[list[str]]:
    """The losses of two fresh processes."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(repository), *filter(None, sys.path)]),
        "PYTHONHASHSEED": "random",
    }
    found = []
    for threads in ("1", "2"):  # what the surroundings say of threads must not matter
        done = subprocess.run(
            [sys.executable, "-m", "tests.training.reference_run"],
            env=environment | {"OMP_NUM_THREADS": threads},
            cwd=repository,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(json.loads(done.stdout)["losses"])
    return found


def test_two_fresh_processes_take_the_same_steps(curves):
    assert curves[0] == curves[1]
    values = [float.fromhex(text) for text in curves[0]]
    assert len(values) == STEPS
    assert sum(values[80:100]) < 0.9 * sum(values[:20])  # it learns


def test_the_steps_are_the_stored_ones(curves):
    stored = json.loads(STORED.read_text())
    here = machine()
    other = {name: here[name] for name, value in stored["made_on"].items() if here[name] != value}
    if other:
        pytest.skip(f"the curve was stored on {stored['made_on']}; here: {other}")
    for step, (ours, theirs) in enumerate(zip(curves[0], stored["losses"], strict=True)):
        assert ours == theirs, f"step {step}: {float.fromhex(ours)!r}, stored {float.fromhex(theirs)!r}"
