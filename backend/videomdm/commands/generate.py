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
@click.option(
    "--samples",
    type=int,
    default=1,
    show_default=True,
    help="How many takes to make; their files are numbered.",
)
@options.model
@options.output
@options.backend
def generate(
    prompt: str,
    seconds: float,
    seed: int,
    guidance: float,
    steps: int,
    samples: int,
    model: str,
    output: Path,
    backend: options.Backend,
) -> None:
    """Make motion from a prompt.

    Uses the running server of `videomdm serve`, or else one of its own for this one call.
    """
    options.check_clip(output)
    job = protocol.TextJob(prompt, seconds, seed, guidance, steps, samples, model_name(model))
    protocol.check_job(job)
    with a_client(backend, model) as client:
        motions = run(client, job)
    for path in write(output, motions):
        click.echo(path)
