# SPDX-License-Identifier: Apache-2.0
"""``videomdm train lifter``: the noisy teacher, from a pack."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command()
@options.pack
@options.run_folder
@options.config
@options.overrides
@options.time_limit
@options.licence
def lifter(
    pack: Path,
    folder: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    licence: str,
) -> None:
    """Train the 2D-to-3D lifter on PACK's teacher subjects; goes on where it stopped."""
    from .. import engine, sources
    from ..configuration import load_run_config, store_config
    from ..datasets.pack import Pack
    from ..teacher.fit_lifter import LifterFitConfig, fit_lifter

    settings = load_run_config(LifterFitConfig, config, overrides, time_limit, folder)
    data = Pack.load(pack)
    device = engine.fabric_for(settings.engine).device
    clips = sources.position_clips(data, data.select("train", "teacher"), device)
    store_config(settings, folder / "config.json")
    outcome = fit_lifter(clips, settings, folder, licence)
    click.echo(outcome.said(folder / "lifter.safetensors"))
