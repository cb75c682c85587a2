# SPDX-License-Identifier: Apache-2.0
"""A model of a run, at any time: the averaged weights of its last saved state, with the lifter beside them."""

from __future__ import annotations

from pathlib import Path

from videomdm.errors import UserError
from videomdm.model.checkpoint import load_model
from videomdm.model.denoiser import Denoiser
from videomdm.model.lifter import Lifter
from videomdm.model.registry import CONFIG, DENOISER, LIFTER
from videomdm.motion.clip import write_atomically

from .card import write_card
from .configuration import load_config, store_config
from .engine import STATE, load_state
from .fit import NORMALISATION, FitConfig, save_denoiser
from .normalisation import Normalisation


def export(run: Path, folder: Path, lifter: Path | None = None) -> int:
    """Make ``folder`` a model of ``run``, which may be training meanwhile, with its settings and a card.

    Returns the step of the weights.
    ``lifter`` is a model file; by default the run's own.  UserError where the run has saved no state yet, or
    where something is damaged; then nothing is written.
    """
    if not (run / STATE).is_file():
        raise UserError(
            f"The run {run} has no saved state.",
            "Give the folder of `videomdm train fit`, or wait for its first save.",
        )
    if not (run / NORMALISATION).is_file():
        raise UserError(
            f"{run} is not a run of `videomdm train fit`, or lacks its {NORMALISATION}.",
            "Give the folder of such a run; in the folder of `videomdm train base` that is run/.",
        )
    lifter = lifter or run / LIFTER
    load_model(lifter, Lifter)
    normalisation, facts = Normalisation.load(run / NORMALISATION)
    state = load_state(run / STATE)
    try:
        config = load_config(FitConfig, run / CONFIG)
        network = Denoiser(config.sizes)
        network.load_state_dict(state["average"])
    except (UserError, RuntimeError) as error:
        raise UserError(f"The configuration of {run} is not the one of its state.", "Train again.") from error
    step = int(state["step"])
    facts = {**facts, "name": folder.resolve().name}
    write_atomically(folder / LIFTER, lifter.read_bytes())
    save_denoiser(folder / DENOISER, network, normalisation, facts, step, state["seconds"])
    store_config(config, folder / CONFIG)
    write_card(folder, facts, config, step, state["seconds"])
    return step
