# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm mapping``: which bone of a rig is which part of the body."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import click

from videomdm.errors import UserError

from ..cli import RIG_SUFFIXES
from ..headless import no_blender
from ..retarget.rig import Mapping
from ..rigs.families import family_called
from .headless import Request, ask
from .table import table

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("rig", type=FILE)
@click.option("--armature", default="", help="Name of the armature object, where the file has several.")
@click.option("--load", type=FILE, help="Check this mapping file on the rig instead of finding the bones.")
@click.option("--save", type=FILE, help="Write the mapping to this file, to be corrected or shared.")
def mapping(rig: Path, armature: str, load: Path | None, save: Path | None) -> None:
    """Show which bone of RIG (.blend, .fbx, .glb, .vrm, .bvh, .usd) is which part of the body."""
    if rig.suffix.lower() not in RIG_SUFFIXES:
        raise UserError(f"{rig} is no kind of rig file.", f"Use one of {', '.join(RIG_SUFFIXES)}.", "bad-rig")
    for path in (rig, load):
        if path is not None and not path.is_file():
            raise UserError(f"{path} does not exist.", "Check the path.", "no-file")
    if find_spec("bpy") is None:
        raise no_blender()
    answer = ask(
        asdict(
            Request(
                rig=str(rig.resolve()),
                armature=armature,
                load=str(load.resolve()) if load else "",
                save=str(save.resolve()) if save else "",
            )
        )
    )
    found = Mapping({slot: tuple(chain) for slot, chain in answer["slots"].items()}, answer["family"])
    family = family_called(found.family)
    kind = family.title if family else "by its structure" if found.family else "by hand"
    click.echo(f"{rig.name}, {answer['armature']}: {kind}, {len(found.bones)} of {answer['bones']} bones")
    click.echo(table(found))
    if save:
        click.echo(f"Saved to {save}.")
