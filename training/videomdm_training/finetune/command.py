# SPDX-License-Identifier: Apache-2.0
"""``videomdm train finetune``: a folder of clips and captions becomes a new model."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..commands import options


@click.command()
@click.option(
    "--from", "base_name", default="base", show_default=True, help="Model (name or folder) to start from."
)
@click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of clips (.npz, .bvh) or keypoints of footage (.json), and captions (.txt).",
)
@click.option(
    "-o",
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the new model.  [default: named like the data, in the user's models]",
)
@options.config
@options.overrides
@options.time_limit
@click.option(
    "--whole", is_flag=True, help="Write all weights, which work without the base, not only the adapter."
)
@options.licence
@click.option(
    "--commercial",
    is_flag=True,
    help="The clips permit commercial use of the weights.  The base must permit it, too.",
)
def finetune(
    base_name: str,
    data: Path,
    folder: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    time_limit: float,
    whole: bool,
    licence: str,
    commercial: bool,
) -> None:
    """Make a new model of a studio's clips and captions; goes on where it stopped."""
    from videomdm.model.registry import user_models

    from ..configuration import load_run_config, time_left
    from .finetune import Base, FinetuneConfig, finetune, refuse_other_run
    from .material import gather
    from .store import store, write_card

    begun = time.monotonic()
    folder = folder or user_models() / data.resolve().name
    settings = load_run_config(FinetuneConfig, config, overrides, time_limit, folder)
    base = Base.load(base_name)
    refuse_other_run(folder, base, settings)
    material = gather(data, base, settings)
    settings = time_left(settings, begun)
    tuned = finetune(base, material.supervision, material.words, settings, folder, material.kind)
    facts = {
        "licence": licence,
        "commercial": commercial and bool(base.meta.get("commercial")),
        "clips": material.clips,
        "supervision": material.kind,
    }
    path = store(folder, base, tuned, facts, whole)
    write_card(folder, base, tuned, settings, facts, material.captions, material.seconds, path)
    outcome = tuned.outcome
    click.echo(outcome.said(path))
    click.echo(f"Motions of unrelated prompts moved by {1000 * tuned.forgotten:.0f} mm.")
    click.echo(f'Try it: videomdm generate "{material.captions[0]}" --model {folder}')
