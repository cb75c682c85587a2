# SPDX-License-Identifier: Apache-2.0
"""``videomdm train theory``: what the depth-weighted 2D loss measures, as a figure and in numbers."""

from __future__ import annotations

from pathlib import Path

import click

from ..commands import options


@click.command()
@options.picture
@click.option(
    "--poses", type=click.IntRange(min=10), default=200, show_default=True, help="Poses to measure."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of poses and cameras."
)
def theory(picture: Path, poses: int, seed: int) -> None:
    """Measure the depth-weighted 2D loss against 3D error over sampled cameras, and draw it."""
    from .figure import draw, find

    findings = find(poses, seed)
    click.echo(findings.table())
    click.echo(draw(findings, picture))
