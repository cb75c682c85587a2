# SPDX-License-Identifier: Apache-2.0
"""A run that ``torchrun`` starts as several processes, stopped by its time limit and gone on with."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from videomdm_training import engine

from .test_engine import CONFIG, losses, network


def main(folder: Path) -> None:
    """Train; the first process prints what all of them hold and saw."""
    config = replace(CONFIG, steps=12, precision="32-true")
    fabric = engine.fabric_for(config)
    seen = []

    def watched(model, step, generator):
        seen.append(float(torch.rand((), generator=engine.generator_for(0, step, "cpu", fabric.global_rank))))
        return losses(model, step, generator)

    stopped = engine.run(network(), watched, replace(config, time_limit=1e-9), folder, fabric)
    fabric.barrier()
    outcome = engine.run(network(), watched, config, folder, fabric)
    weights = torch.cat([v.flatten() for v in outcome.network.state_dict().values()])
    together = fabric.all_gather(torch.cat([weights, torch.tensor([float(stopped.step), seen[0]])]))
    if fabric.global_rank == 0:
        print(json.dumps({"steps": outcome.step, "processes": together.tolist()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
