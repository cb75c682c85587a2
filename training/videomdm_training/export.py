# SPDX-License-Identifier: Apache-2.0
"""A model of a run, at any time: the averaged weights of its last saved state, with the lifter beside them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from videomdm.errors import UserError
from videomdm.model.checkpoint import load_model
from videomdm.model.denoiser import Denoiser
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import write_atomically

from .engine import STATE, load_state
from .fit import NORMALISATION, FitConfig, save_denoiser
from .normalisation import Normalisation


def export(run: Path, folder: Path, lifter: Path | None = None) -> int:
    """Make ``folder`` a model of ``run``, which may be training meanwhile; returns the step of the weights.

    ``lifter`` is a model file; by default the run's own.  UserError where the run has saved no state yet, or
    where something is damaged; then nothing is written.
    """
    if not (run / STATE).is_file():
        raise UserError(
            f"The run {run} has no saved state.",
            "Give the folder of `videomdm train fit`, or wait for its first save.",
        )
    lifter = lifter or run / "lifter.safetensors"
    load_model(lifter, Lifter)
    normalisation, facts = Normalisation.load(run / NORMALISATION)
    state = load_state(run / STATE)
    try:
        config = msgspec.json.decode((run / "config.json").read_bytes(), type=FitConfig)
        network = Denoiser(config.sizes)
        network.load_state_dict(state["average"])
    except (OSError, msgspec.DecodeError, RuntimeError) as error:
        raise UserError(f"The configuration of {run} is not the one of its state.", "Train again.") from error
    step = int(state["step"])
    facts = {**facts, "name": folder.name}
    write_atomically(folder / "lifter.safetensors", lifter.read_bytes())
    save_denoiser(folder / "denoiser.safetensors", network, normalisation, facts, step, state["seconds"])
    return step
