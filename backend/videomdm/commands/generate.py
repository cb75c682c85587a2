# SPDX-License-Identifier: Apache-2.0
"""``videomdm generate``: a prompt becomes a clip file."""

from __future__ import annotations

from pathlib import Path

import click

from .. import protocol
from . import options
from .job import a_client, model_name, run, write


@click.command()
@click.argument("prompt")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of the clip.")
@options.seed
@options.guidance
@options.steps
@click.option("--samples", type=int, default=1, show_default=True, help="How many takes to make.")
@options.model
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write, .npz or .bvh; several takes are numbered.",
)
@options.connection_file
@options.curve_dir
@options.library
@options.pipeline
def generate(
    prompt: str,
    seconds: float,
    seed: int,
    guidance: float,
    steps: int,
    samples: int,
    model: str,
    output: Path,
    connection_file: Path,
    curve_dir: Path | None,
    library: Path | None,
    pipeline: str,
) -> None:
    """Make motion from a prompt.

    Uses the running server of `videomdm serve`, or else one of its own for this one call.
    """
    options.check_clip(output)
    job = protocol.TextJob(prompt, seconds, seed, guidance, steps, samples, model_name(model))
    protocol.check_job(job)
    with a_client(connection_file, curve_dir, model, library, pipeline) as client:
        motions = run(client, job)
    for path in write(output, motions):
        click.echo(path)
