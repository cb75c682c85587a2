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

STEPS = replace(CONFIG, steps=12, precision="32-true")


def main(folder: Path) -> None:
    """Train; the first process prints what all of them hold and saw."""
    fabric = engine.fabric_for(STEPS)
    seen = []
    exchanges = 0

    def in_parts(model, step, generator):
        seen.append(float(torch.rand((), generator=engine.generator_for(0, step, "cpu", fabric.global_rank))))
        whole = losses(model, step, generator)
        for share in (0.25, 0.75):
            yield {name: share * value for name, value in whole.items()}
            whole = losses(model, step, engine.generator_for(0, step, "cpu", fabric.global_rank))

    reduce = fabric.all_reduce

    def counted(*values, **options):
        nonlocal exchanges
        exchanges += 1
        return reduce(*values, **options)

    fabric.all_reduce = counted
    stopped = engine.run(network(), in_parts, replace(STEPS, time_limit=1e-9), folder, fabric)
    outcome = engine.run(network(), in_parts, STEPS, folder, fabric)
    weights = torch.cat([v.flatten() for v in outcome.network.state_dict().values()])
    told = [float(stopped.step), float(exchanges), seen[0]]
    together = fabric.all_gather(torch.cat([weights, torch.tensor(told)]))
    if fabric.global_rank == 0:
        print(json.dumps({"steps": outcome.step, "processes": together.tolist()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
