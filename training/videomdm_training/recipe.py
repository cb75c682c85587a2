# SPDX-License-Identifier: Apache-2.0
"""``videomdm train base``: the base model from a pack, in one command that goes on where it stopped."""

from __future__ import annotations

import time
from pathlib import Path

import click

from .commands import options
from .commands.export import export
from .commands.fit import fit
from .commands.lifter import lifter
from .commands.transport import most, split, with_cache

RECIPES = Path(__file__).with_name("recipes")


@click.command("base")
@options.pack
@options.folder("Of the lifter, the run and the model.")
@options.time_limit
@options.licence
@options.commercial
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="STAGE.KEY=VALUE",
    help="Override a setting of a stage: lifter.engine.steps=3000, fit.batch=32.",
)
@click.option(
    "--pieces",
    type=click.Path(file_okay=False, path_type=Path),
    help="Leave the whole folder here in small pieces, too, at every stop; `videomdm train join` puts it together.",
)
@most
@with_cache
@click.pass_context
def base(
    context: click.Context,
    pack: Path,
    folder: Path,
    time_limit: float,
    licence: str,
    commercial: bool,
    overrides: tuple[str, ...],
    pieces: Path | None,
    most: float,
    with_cache: bool,
) -> None:
    """Train the base model on PACK: the lifter, the denoiser, and the model's folder.

    The same command goes on where it stopped.  Makes lifter/, run/ and model/ in the folder that -o names.
    """
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    _train(context, pack, folder, time_limit, overrides, licence, commercial)
    if pieces is not None:
        rank_zero_only(context.invoke)(split, run=folder, folder=pieces, most=most, with_cache=with_cache)


def _train(
    context: click.Context,
    pack: Path,
    folder: Path,
    time_limit: float,
    overrides: tuple[str, ...],
    licence: str,
    commercial: bool,
) -> None:
    """What is left of the recipe, until the time is up."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from videomdm.errors import UserError
    from videomdm.model.registry import LIFTER

    from .configuration import load_config
    from .engine import fabric_for, last_step
    from .fit import FitConfig

    stages: dict[str, list[str]] = {"lifter": [], "fit": []}
    for override in overrides:
        stage, dot, setting = override.partition(".")
        if stage not in stages or not dot:
            raise UserError(
                f"{override!r} names no stage.", "Begin with lifter. or fit., as in fit.engine.steps=5000."
            )
        stages[stage].append(setting)
    config = RECIPES / "base.toml"
    settings = load_config(FitConfig, config, stages["fit"])
    fabric = fabric_for(settings.engine)  # its processes go from stage to stage together
    say = rank_zero_only(click.echo)
    deadline = time.monotonic() + time_limit

    def left() -> float:
        return max(1e-3, deadline - time.monotonic()) if time_limit else 0.0

    teacher = folder / "lifter" / LIFTER
    if not teacher.is_file():
        context.invoke(
            lifter,
            pack=pack,
            folder=teacher.parent,
            config=RECIPES / "lifter.toml",
            overrides=tuple(stages["lifter"]),
            time_limit=left(),
            licence=licence,
        )
        if not teacher.is_file():
            return
        # the next stage begins with minutes of preparing
        if time_limit and fabric.broadcast(time.monotonic() >= deadline):
            say("the lifter is finished; run the same command to go on")
            return
    run = folder / "run"
    if last_step(run) < settings.engine.steps:
        context.invoke(
            fit,
            data=(str(pack),),
            folder=run,
            lifter_file=teacher,
            config=config,
            overrides=tuple(stages["fit"]),
            time_limit=left(),
            role="all",
            cache_folder=None,
            licence=licence,
            commercial=commercial,
        )
        if last_step(run) < settings.engine.steps:
            return
    rank_zero_only(context.invoke)(export, run=run, folder=folder / "model", lifter_file=None)
