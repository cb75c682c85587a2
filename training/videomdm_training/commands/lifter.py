# SPDX-License-Identifier: Apache-2.0
"""``videomdm train lifter``: the noisy teacher, from a pack."""

from __future__ import annotations

import time
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
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from videomdm.model.registry import CONFIG, LIFTER

    from .. import engine, sources
    from ..configuration import load_run_config, store_config, time_left
    from ..datasets.pack import Pack
    from ..teacher.fit_lifter import LifterFitConfig, fit_lifter

    begun = time.monotonic()
    settings = load_run_config(LifterFitConfig, config, overrides, time_limit, folder)
    made = folder / LIFTER
    licence, _ = options.told(made, licence)
    data = Pack.load(pack)
    device = engine.fabric_for(settings.engine).device
    clips = sources.position_clips(data, data.select("train", "teacher"), device)
    store_config(settings, folder / CONFIG)
    outcome = fit_lifter(clips, time_left(settings, begun), folder, licence)
    rank_zero_only(click.echo)(outcome.said(made))
