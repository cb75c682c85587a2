# SPDX-License-Identifier: Apache-2.0
"""``videomdm train flat`` and ``videomdm train consensus``: the baseline that lifts at inference."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..commands import options


@click.command()
@options.data
@options.run_folder
@options.lifter("The one of the run to compare with: both then see the same keypoints.")
@options.config
@options.overrides
@options.time_limit
@options.role
def flat(
    data: tuple[str, ...],
    folder: Path,
    lifter_file: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    role: str,
) -> None:
    """Train a model of 2D motion on the keypoints of PACK's training segments; goes on where it stopped."""
    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter
    from videomdm.model.text import text_encoder

    from .. import engine
    from ..captions import CaptionTable
    from ..configuration import load_run_config, store_config, time_left
    from ..fit import FitConfig
    from ..mixture import DataSource, gather
    from .flat import FILE, FlatConfig, fit_flat

    begun = time.monotonic()
    settings = load_run_config(FlatConfig, config, overrides, time_limit, folder)
    lifter = load_model(lifter_file, Lifter).network
    assert isinstance(lifter, Lifter)
    device = engine.fabric_for(settings.engine).device
    words = CaptionTable()
    sources = [DataSource.parse(text) for text in data]
    mixture = gather(sources, lifter, words, FitConfig(), device, None if role == "all" else role)
    words.encode(text_encoder(device.type), device)
    store_config(settings, folder / "config.json")
    outcome = fit_flat(mixture.training, words, time_left(settings, begun), folder)
    click.echo(outcome.said(folder / FILE))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.picture
@click.option("--prompt", "prompts", multiple=True, help="What to make; may be given several times.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of each motion.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same motions.")
@click.option("--views", type=click.IntRange(3, 15), default=5, show_default=True, help="That must agree.")
def consensus(
    run: Path, picture: Path, prompts: tuple[str, ...], seconds: float, seed: int, views: int
) -> None:
    """Make 3D motions with the 2D model of RUN by multi-view consensus, and draw them.

    Each motion is also written beside the picture, as a clip file.
    """
    from videomdm.pipeline import TextRequest

    from ..sheet import PROMPTS, draw_sheet
    from .consensus import generate
    from .flat import FlatPrior

    prior = FlatPrior.load(run)
    motions = [generate(prior, TextRequest(p, seconds, seed), views)[0] for p in prompts or PROMPTS]
    for number, motion in enumerate(motions):
        motion.save(picture.with_name(f"{picture.stem}-{number + 1}.npz"))
    click.echo(draw_sheet(motions, picture, f"{run.name}, consensus of {views} views, seed {seed}"))
