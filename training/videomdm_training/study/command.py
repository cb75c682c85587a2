# SPDX-License-Identifier: Apache-2.0
"""``videomdm train study``: make a blinded preference study, and score its answers."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def study() -> None:
    """Ask people which of two motions they prefer, without telling them whose they are."""


@study.command()
@click.argument("first")
@click.argument("second")
@click.option(
    "-o",
    "--out",
    "page",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write; the key is written beside it as .key.json.",
)
@click.option(
    "--pack", type=click.Path(path_type=Path), help="Ask for held-out captions of this packed data set."
)
@click.option("--prompt", "prompts", multiple=True, help="Ask for this instead; may be given several times.")
@click.option("--pairs", type=click.IntRange(1, 500), default=24, show_default=True, help="How many pairs.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 10.0),
    default=5.0,
    show_default=True,
    help="Length of each motion, without --pack.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), help="Makes the same study again.  [default: a secret one]"
)
@click.option(
    "--sample",
    "sampling",
    multiple=True,
    metavar="KEY=VALUE",
    help="Make motions with another setting: sampler (ddim or ancestral), steps, guidance or precision.",
)
def make(
    first: str,
    second: str,
    page: Path,
    pack: Path | None,
    prompts: tuple[str, ...],
    pairs: int,
    seconds: float,
    seed: int | None,
    sampling: tuple[str, ...],
) -> None:
    """Write a page that shows motions of FIRST and SECOND side by side.

    Each is a model (name or folder), a run folder of `train flat`, or "real" for recorded motions of --pack.  Give
    participants the page only.  It needs no network; they save their answers as a file and send it back.
    """
    from videomdm.errors import UserError

    from ..configuration import load_config
    from ..evaluate.sampling import SamplingSettings
    from .make import StudySettings, make_study

    if pack is not None and prompts:
        raise UserError("Both --pack and --prompt say what to ask for.", "Give one of them.")
    sample = load_config(SamplingSettings, None, sampling)
    for path in make_study(first, second, page, StudySettings(pack, prompts, pairs, seconds, seed, sample)):
        click.echo(path)


@study.command("score")
@click.argument("key", type=click.Path(path_type=Path))
@click.argument("answers", nargs=-1, required=True, type=click.Path(path_type=Path))
def score_answers(key: Path, answers: tuple[Path, ...]) -> None:
    """Say which source the ANSWERS of a study prefer.

    One file for each participant; KEY tells whose motions they saw.
    """
    from .score import score

    click.echo(score(key, answers).markdown())
