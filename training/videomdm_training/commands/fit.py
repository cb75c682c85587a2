# SPDX-License-Identifier: Apache-2.0
"""``videomdm train fit``: a denoiser, from packs and footage as cameras see them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import click

from . import options


@click.command()
@options.data
@options.run_folder
@options.lifter("Model file of the noisy teacher.")
@options.config
@options.overrides
@options.time_limit
@options.role
@click.option(
    "--cache",
    "cache_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps what the lifter makes of the data; runs may share it.  "
    "[default: within the run's folder, until the run is finished]",
)
@options.licence
@options.commercial
def fit(
    data: tuple[str, ...],
    folder: Path,
    lifter_file: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    role: str,
    cache_folder: Path | None,
    licence: str,
    commercial: bool,
) -> None:
    """Train a model on PACK's training segments as a camera sees them; goes on where it stopped.

    Several PACKs, which may also be folders of keypoint files with captions, are drawn in proportion to their
    weights (1 if not given), whatever their sizes.
    """
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter
    from videomdm.model.registry import CONFIG, DENOISER, LIFTER
    from videomdm.model.text import text_encoder
    from videomdm.motion.clip import FPS, write_atomically

    from .. import engine
    from ..cache import Cache, TimedCache, TimeUp
    from ..captions import CaptionTable
    from ..configuration import load_run_config, store_config, time_left
    from ..fit import NORMALISATION, FitConfig, refuse_without_truth
    from ..fit import fit as fit_denoiser
    from ..mixture import DataSource, Mixture, gather
    from ..normalisation import Normalisation

    begun = time.monotonic()
    settings = load_run_config(FitConfig, config, overrides, time_limit, folder)
    _refuse_other_lifter(folder, lifter_file)
    teacher = load_model(lifter_file, Lifter).network
    assert isinstance(teacher, Lifter)
    fabric = engine.fabric_for(settings.engine)
    device, say = fabric.device, rank_zero_only(click.echo)
    cache = Cache(cache_folder or folder / "cache")
    given = [DataSource.parse(text) for text in data]

    def prepared(cache: Cache) -> tuple[Mixture, CaptionTable]:
        words = CaptionTable()
        mixture = gather(given, teacher, words, settings, device, None if role == "all" else role, cache)
        words.encode(text_encoder(device.type), device, cache=cache)
        return mixture, words

    made = None
    if limit := settings.engine.time_limit:
        with suppress(TimeUp):
            made = prepared(TimedCache(cache.folder, begun + limit))
        if fabric.broadcast(made is None):  # of several processes the first decides for all
            say("the clips are not all taught yet; run the same command to go on")
            return
    mixture, words = made or prepared(cache)
    refuse_without_truth(mixture.training, settings)
    if licence == options.UNKNOWN and not commercial and (folder / NORMALISATION).is_file():
        before = Normalisation.load(folder / NORMALISATION)[1]  # what the run was told when it began
        licence, commercial = before.get("licence", licence), before.get("commercial", commercial)
    store_config(settings, folder / CONFIG)
    write_atomically(folder / LIFTER, lifter_file.read_bytes())
    facts: dict[str, object] = {
        "name": folder.resolve().name,
        "fps": FPS,
        "licence": licence,
        "commercial": commercial,
        "data": mixture.credit,
        "max_seconds": settings.sizes.max_frames / FPS,
    }
    settings = time_left(settings, begun)
    outcome = fit_denoiser(mixture.training, words, settings, folder, facts, mixture.validation)
    if outcome.finished and cache_folder is None:
        cache.remove()
    say(outcome.said(folder / DENOISER))


def _refuse_other_lifter(folder: Path, lifter_file: Path) -> None:
    """UserError where the run in ``folder`` has seen another lifter's motion."""
    from videomdm.errors import UserError
    from videomdm.model.registry import LIFTER

    from ..engine import STATE

    kept = folder / LIFTER
    if not ((folder / STATE).is_file() and kept.is_file() and lifter_file.is_file()):
        return
    if kept.read_bytes() != lifter_file.read_bytes():
        raise UserError(
            f"The run in {folder} has another lifter than {lifter_file}.",
            f"Go on with --lifter {kept}, or choose another folder.",
        )
