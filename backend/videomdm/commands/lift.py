# SPDX-License-Identifier: Apache-2.0
"""``videomdm lift``: the 2D keypoints of footage become a clip file."""

from __future__ import annotations

from pathlib import Path

import click

from .. import protocol
from . import options
from .job import a_client, model_name, run, write


@click.command()
@click.argument("keypoints", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="What the footage shows, in words; helps where little is seen.")
@options.seed
@options.guidance
@options.steps
@click.option(
    "--fps", type=float, help="Frame rate of a folder or list of keypoints that does not tell its own."
)
@options.model
@options.output
@options.backend
def lift(
    keypoints: Path,
    prompt: str,
    seed: int,
    guidance: float,
    steps: int,
    fps: float | None,
    model: str,
    output: Path,
    backend: options.Backend,
) -> None:
    """Turn the 2D KEYPOINTS of footage into 3D motion.

    KEYPOINTS is a file of `videomdm keypoints`, or a folder of OpenPose JSON files, or an AlphaPose or COCO
    result list.  Uses the running server of `videomdm serve`, or else one of its own for this one call.
    """
    from ..keypoints.formats import load_any

    options.check_clip(output)
    seen = load_any(keypoints, fps)
    job = protocol.LiftJob.of(
        seen.trimmed(), prompt=prompt, seed=seed, guidance=guidance, steps=steps, model=model_name(model)
    )
    protocol.check_job(job)
    with a_client(backend, model) as client:
        motions = run(client, job)
    for path in write(output, motions):
        click.echo(path)
