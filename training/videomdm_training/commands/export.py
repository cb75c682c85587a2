# SPDX-License-Identifier: Apache-2.0
"""``videomdm train export``: a model, from the folder of a run."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.folder("Of the model.")
@click.option(
    "--lifter",
    "lifter_file",
    type=click.Path(path_type=Path),
    help="Its lifter.  [default: the one that the run was made with]",
)
def export(run: Path, folder: Path, lifter_file: Path | None) -> None:
    """Make a model of RUN's last saved state, while it trains or later."""
    from ..export import export as export_model

    step = export_model(run, folder, lifter_file)
    click.echo(f"{folder} is the model of step {step}.")
