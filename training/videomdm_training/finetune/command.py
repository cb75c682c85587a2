# SPDX-License-Identifier: Apache-2.0
"""``videomdm train finetune``: a folder of clips and captions becomes a new model."""

from __future__ import annotations

import shlex
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
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from videomdm.model.registry import user_models

    from ..configuration import time_left
    from .finetune import Base, finetune, load_settings
    from .folder import refuse_other_folder, refuse_other_settings, store_settings
    from .material import gather
    from .store import said, store, write_card

    begun = time.monotonic()
    folder = folder or user_models() / data.resolve().name
    base = Base.load(base_name)
    refuse_other_folder(folder, base)
    settings = load_settings(config, overrides, time_limit, folder)
    refuse_other_settings(folder, settings)
    material = gather(data, base, settings)
    refuse_other_settings(folder, settings, material.sha256)
    rank_zero_only(store_settings)(folder, base, settings, material.sha256)
    settings = time_left(settings, begun)
    tuned = finetune(
        base, material.supervision, material.words, settings, folder, material.kind, material.captions
    )

    @rank_zero_only
    def leave() -> None:  # of several processes one
        facts = {
            "licence": licence,
            "commercial": commercial and bool(base.meta.get("commercial")),
            "clips": material.clips,
            "supervision": material.kind,
        }
        path = store(folder, base, tuned, facts, whole)
        write_card(folder, base, tuned, settings, facts, material.captions, material.seconds, path)
        click.echo(tuned.outcome.said(path))
        click.echo(f"Motions of unrelated prompts moved: {said(tuned.forgotten)}.")
        words = ("videomdm", "generate", material.captions[0], "--model", str(folder))
        click.echo(f"Try it: {shlex.join(words)}")

    leave()
