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
@click.option(
    "--lifter",
    "lifter_file",
    type=click.Path(path_type=Path),
    help="The one of the run to compare with; needed for folders of keypoint files only.",
)
@options.config
@options.overrides
@options.time_limit
@options.role
@options.licence
@options.commercial
def flat(
    data: tuple[str, ...],
    folder: Path,
    lifter_file: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    role: str,
    licence: str,
    commercial: bool,
) -> None:
    """Train a model of 2D motion on the keypoints of PACK's training segments; goes on where it stopped.

    With the camera, detector, views and mirror of a run of `train fit` it sees the same keypoints as that run.
    """
    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter
    from videomdm.model.registry import CONFIG
    from videomdm.model.text import text_encoder
    from videomdm.motion.clip import FPS

    from .. import engine
    from ..cache import Cache
    from ..captions import CaptionTable
    from ..configuration import load_run_config, store_config, time_left
    from ..mixture import DataSource
    from .flat import FILE, FlatConfig, fit_flat
    from .keypoints import gather_keypoints

    begun = time.monotonic()
    settings = load_run_config(FlatConfig, config, overrides, time_limit, folder)
    lifter = load_model(lifter_file, Lifter).network if lifter_file is not None else None
    assert lifter is None or isinstance(lifter, Lifter)
    device = engine.fabric_for(settings.engine).device
    words = CaptionTable()
    sources = [DataSource.parse(text) for text in data]
    seen, credit = gather_keypoints(sources, lifter, words, settings, device, None if role == "all" else role)
    cache = Cache(folder / "cache")
    words.encode(text_encoder(device.type), device, cache=cache)
    store_config(settings, folder / CONFIG)
    licence, commercial = options.told(folder / FILE, licence, commercial)
    facts: dict[str, object] = {
        "name": folder.resolve().name,
        "fps": FPS,
        "licence": licence,
        "commercial": commercial,
        "data": credit,
    }
    outcome = fit_flat(seen, words, time_left(settings, begun), folder, facts)
    if outcome.finished:
        cache.remove()
    click.echo(outcome.said(folder / FILE))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.picture
@click.option("--prompt", "prompts", multiple=True, help="What to make; may be given several times.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of each motion.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same motions.")
@click.option(
    "--views",
    type=click.IntRange(3, 15),
    default=5,
    show_default=True,
    help="That must agree; an odd number.",
)
def consensus(
    run: Path, picture: Path, prompts: tuple[str, ...], seconds: float, seed: int, views: int
) -> None:
    """Make 3D motions with the 2D model of RUN by multi-view consensus, and draw them.

    Each motion is also written beside the picture, as a clip file.
    """
    from videomdm.errors import UserError
    from videomdm.pipeline import TextRequest, choose_device
    from videomdm.progress import progress_bar

    from ..sheet import PROMPTS, draw_sheet
    from .consensus import generate
    from .flat import FlatPrior

    if views % 2 == 0:
        raise UserError(
            f"Of {views} views, two and two see the same line from its ends.",
            f"Choose an odd number, such as {views + 1}.",
        )
    prior = FlatPrior.load(run, choose_device("auto"))
    motions = [
        generate(prior, TextRequest(prompt, seconds, seed), views)[0]
        for prompt in progress_bar(prompts or PROMPTS, desc="motions", leave=False)
    ]
    for number, motion in enumerate(motions):
        motion.save(picture.with_name(f"{picture.stem}-{number + 1}.npz"))
    click.echo(draw_sheet(motions, picture, f"{run.name}, consensus of {views} views, seed {seed}"))
