# SPDX-License-Identifier: Apache-2.0
"""``videomdm train``: data, teacher and model, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .ablations.command import ablate
from .baselines.command import consensus, flat
from .evaluate.command import evaluate, evaluator
from .finetune.command import finetune
from .prepare import prepare
from .recipe import base
from .study.command import study
from .teacher.command import lifted, teacher
from .theory.command import theory

if TYPE_CHECKING:
    from .datasets.pack import Pack


@click.group()
def train() -> None:
    """Prepare data, and train or fine-tune a model from 2D keypoints."""


train.add_command(prepare)
train.add_command(finetune)
train.add_command(theory)
train.add_command(ablate)
train.add_command(flat)
train.add_command(consensus)
train.add_command(base)
train.add_command(teacher)
train.add_command(lifted)
train.add_command(evaluate)
train.add_command(evaluator)
train.add_command(study)

_pack = click.argument("pack", type=click.Path(path_type=Path))
_folder = click.option(
    "-o", "--out", "folder", required=True, type=click.Path(path_type=Path), help="Run folder."
)
_config = click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file; defaults where it is silent."
)
_set = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting.")
_limit = click.option(
    "--time-limit",
    type=float,
    default=0.0,
    show_default=True,
    help="Save and stop after so many seconds; 0: never.",
)

_picture = click.option(
    "-o",
    "--out",
    "picture",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG file to write.",
)


@train.command()
@_pack
@_folder
@_config
@_set
@_limit
def lifter(
    pack: Path, folder: Path, config: Path | None, overrides: tuple[str, ...], time_limit: float
) -> None:
    """Train the 2D-to-3D lifter on PACK's teacher subjects; goes on where it stopped."""
    from . import engine, sources
    from .configuration import load_run_config, store_config
    from .teacher.fit_lifter import LifterFitConfig, fit_lifter

    settings = load_run_config(LifterFitConfig, config, overrides, time_limit)
    data = _load(pack)
    device = engine.fabric_for(settings.engine).device
    clips = sources.position_clips(data, data.select("train", "teacher"), device)
    store_config(settings, folder / "config.json")
    outcome = fit_lifter(clips, settings, folder)
    click.echo(outcome.said(folder / "lifter.safetensors"))


@train.command()
@click.argument("data", nargs=-1, required=True, metavar="PACK[:WEIGHT]...")
@_folder
@click.option(
    "--lifter", "lifter_file", required=True, type=click.Path(path_type=Path), help="The noisy teacher."
)
@_config
@_set
@_limit
@click.option(
    "--role", type=click.Choice(["all", "prior"]), default="all", show_default=True, help="Subjects."
)
@click.option(
    "--cache",
    "cache_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps what the lifter makes of the data; runs may share it.  "
    "[default: within the run's folder, until the run is finished]",
)
@click.option(
    "--licence", default="LicenseRef-unknown", show_default=True, help="SPDX name of the weights' licence."
)
@click.option(
    "--commercial", is_flag=True, help="The data permits commercial use of the weights: say so in them."
)
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
    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter
    from videomdm.model.text import text_encoder
    from videomdm.motion.clip import FPS, write_atomically

    from . import engine
    from .cache import Cache
    from .captions import CaptionTable
    from .configuration import load_run_config, store_config
    from .fit import FitConfig
    from .fit import fit as fit_denoiser
    from .mixture import DataSource, gather

    settings = load_run_config(FitConfig, config, overrides, time_limit)
    teacher = load_model(lifter_file, Lifter).network
    assert isinstance(teacher, Lifter)
    device = engine.fabric_for(settings.engine).device
    words = CaptionTable()
    cache = Cache(cache_folder or folder / "cache")
    given = [DataSource.parse(text) for text in data]
    mixture = gather(given, teacher, words, settings, device, None if role == "all" else role, cache)
    words.encode(text_encoder(), device, cache=cache)
    store_config(settings, folder / "config.json")
    write_atomically(folder / "lifter.safetensors", lifter_file.read_bytes())
    facts: dict[str, object] = {
        "name": folder.name,
        "fps": FPS,
        "licence": licence,
        "commercial": commercial,
        "data": mixture.credit,
        "max_seconds": 10.0,
    }
    outcome = fit_denoiser(mixture.training, words, settings, folder, facts, mixture.validation)
    if outcome.finished and cache_folder is None:
        cache.remove()
    click.echo(outcome.said(folder / "denoiser.safetensors"))


@train.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the model."
)
@click.option(
    "--lifter",
    "lifter_file",
    type=click.Path(path_type=Path),
    help="Its lifter.  [default: the one that the run was made with]",
)
def export(run: Path, folder: Path, lifter_file: Path | None) -> None:
    """Make a model of RUN's last saved state, while it trains or later."""
    from .export import export as export_model

    step = export_model(run, folder, lifter_file)
    click.echo(f"step {step}; {folder}")


@train.command()
@click.argument("model")
@_picture
@click.option("--prompt", "prompts", multiple=True, help="What to make; may be given several times.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of each motion.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same sheet.")
def sheet(model: str, picture: Path, prompts: tuple[str, ...], seconds: float, seed: int) -> None:
    """Draw what MODEL (name or folder) makes of prompts, as stick figures."""
    from .sheet import make_sheet

    click.echo(make_sheet(model, prompts, picture, seconds, seed))


@train.command()
@click.argument("run", type=click.Path(path_type=Path))
@_picture
def curve(run: Path, picture: Path) -> None:
    """Draw the loss curves of RUN, a run folder."""
    from .curve import draw_curve

    click.echo(draw_curve(run, picture))


def _load(path: Path) -> Pack:
    from .datasets.pack import Pack

    return Pack.load(path)
