# SPDX-License-Identifier: Apache-2.0
"""``videomdm train evaluate`` and ``videomdm train evaluator``."""

from __future__ import annotations

from pathlib import Path

import click

from ..commands import options


@click.command()
@click.argument("model")
@options.pack
@click.option(
    "-o",
    "--out",
    "folder",
    default=Path("evaluation"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for evaluation.md and evaluation.json; other parts that lie there, measured on the same, are kept.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["lifter", "prior", "words"]),
    help="Measure only this; may be given several times.  [default: all]",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="MODEL",
    help="Another model beside it in the table of words to motion; a run folder of `train flat` will do.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "val", "beside_test"]),
    default="test",
    show_default=True,
    help="Which clips to lift, and whose captions to ask for.",
)
@click.option(
    "--replications",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How often to ask for all captions.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Clips in each part.  [default: 128 for the lifter, 20 for the prior, the whole split for words]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of clips, views, noise."
)
@click.option(
    "--lift",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Lift with another setting, such as prior=0.5 or fit.observed=0.02.",
)
@click.option(
    "--sample",
    "sampling",
    multiple=True,
    metavar="KEY=VALUE",
    help="Make motions of words with another setting: sampler (ddim or ancestral), steps, guidance or precision.",
)
@click.option(
    "--evaluator",
    type=click.Path(path_type=Path),
    help="File of another evaluator than the one that ships with the package.",
)
def evaluate(
    model: str,
    pack: Path,
    folder: Path,
    parts: tuple[str, ...],
    beside: tuple[str, ...],
    split: str,
    replications: int,
    limit: int | None,
    seed: int,
    overrides: tuple[str, ...],
    sampling: tuple[str, ...],
    evaluator: Path | None,
) -> None:
    """Measure MODEL (name or folder) on PACK's held-out clips: lifting, lifting with the prior, words to motion."""
    from videomdm.lifting import LiftSettings

    from ..configuration import load_config
    from .model import PARTS, EvaluationSettings
    from .model import evaluate as evaluate_model
    from .sampling import SamplingSettings

    lift = load_config(LiftSettings, None, overrides)
    sample = load_config(SamplingSettings, None, sampling)
    settings = EvaluationSettings(
        parts or PARTS, beside, split, limit or 0, replications, seed, evaluator, lift, sample
    )
    report = evaluate_model(model, pack, settings, folder)
    click.echo(report.markdown())
    for path in report.write(folder):
        click.echo(path)


@click.command()
@options.pack
@options.run_folder
@options.config
@options.overrides
@options.time_limit
@options.licence
def evaluator(
    pack: Path,
    folder: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    licence: str,
) -> None:
    """Train the evaluator of words to motion on PACK's training segments; goes on where it stopped."""
    from videomdm.model.registry import CONFIG

    from ..configuration import load_run_config, store_config
    from ..datasets.pack import Pack
    from .evaluator import FrozenEvaluator
    from .fit_evaluator import NAME, EvaluatorConfig, fit_evaluator, held_out_r_precision

    settings = load_run_config(EvaluatorConfig, config, overrides, time_limit, folder)
    data = Pack.load(pack)
    store_config(settings, folder / CONFIG)
    facts: dict[str, object] = {"licence": licence, "data": data.notes.get("credit", "")}
    outcome = fit_evaluator(data, settings, folder, facts)
    click.echo(outcome.said(folder / NAME))
    for split, found in held_out_r_precision(data, FrozenEvaluator.load(folder / NAME)).items():
        tops = " / ".join(f"{value:.3f}" for value in found.values())
        click.echo(f"{split}: R-precision of real motions, top 1 / 2 / 3 of 32: {tops}")
