# SPDX-License-Identifier: Apache-2.0
"""``videomdm train sheet`` and ``videomdm train curve``: what a model makes, and how it was trained."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("model")
@options.picture
@click.option("--prompt", "prompts", multiple=True, help="What to make; may be given several times.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of each motion.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same sheet.")
def sheet(model: str, picture: Path, prompts: tuple[str, ...], seconds: float, seed: int) -> None:
    """Draw what MODEL (name or folder) makes of prompts, as stick figures."""
    from ..sheet import make_sheet

    click.echo(make_sheet(model, prompts, picture, seconds, seed))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.picture
def curve(run: Path, picture: Path) -> None:
    """Draw the loss curves of RUN, a run folder."""
    from ..curve import draw_curve

    click.echo(draw_curve(run, picture))
