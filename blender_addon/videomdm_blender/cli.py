# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm retarget``: a clip onto a rig, from file to file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from videomdm.errors import UserError

from .clips import read_clip
from .controls.limb import Controls
from .edit.settings import TakeSettings
from .headless import Job, no_blender, require_shown, run_in_process
from .take_options import take_options

RIG_SUFFIXES = (".blend", ".fbx", ".glb", ".gltf", ".vrm", ".bvh", ".usd", ".usda", ".usdc", ".usdz")
OUT_SUFFIXES = (".blend", ".fbx", ".glb", ".bvh", ".usd", ".usdz")
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("clip", type=FILE)
@click.argument("rig", type=FILE)
@click.option("-o", "--out", type=FILE, required=True, help=f"File to write: {', '.join(OUT_SUFFIXES)}.")
@click.option("--armature", default="", help="Name of the armature object, where the file has several.")
@click.option("--mapping", type=FILE, help="Mapping file to use instead of finding the bones.")
@click.option("--save-mapping", type=FILE, help="Write the mapping that was used to this file.")
@click.option("--fps", type=click.FloatRange(1, 240), help="Frame rate.  [default: the rig file's]")
@click.option(
    "--start-frame", "--start", type=int, default=1, show_default=True, help="Frame of the first key."
)
@click.option(
    "--controls",
    type=click.Choice([choice.value for choice in Controls]),
    default=Controls.FK.value,
    show_default=True,
    help="Controls of arms and legs to key, on rigs that have both.",
)
@click.option(
    "--contact/--no-contact",
    default=None,
    help="Keep standing feet in place, always or never.  [default: where that makes the take better]",
)
@take_options
def retarget(
    clip: Path,
    rig: Path,
    out: Path,
    armature: str,
    mapping: Path | None,
    save_mapping: Path | None,
    fps: float | None,
    start_frame: int,
    controls: str,
    contact: bool | None,
    settings: TakeSettings,
) -> None:
    """Put the motion of CLIP (.npz, .bvh) onto the character in RIG (.blend, .fbx, .glb, .vrm, .bvh)."""
    read_clip(clip)  # what is wrong with it is said before Blender starts
    require_shown(out, settings)
    if rig.suffix.lower() not in RIG_SUFFIXES:
        raise UserError(f"{rig} is no kind of rig file.", f"Use one of {', '.join(RIG_SUFFIXES)}.", "bad-rig")
    for path in (rig, mapping):
        if path is not None and not path.is_file():
            raise UserError(f"{path} does not exist.", "Check the path.", "no-file")
    if find_spec("bpy") is None:
        raise no_blender()
    done = run_in_process(
        Job(
            clip=str(clip.resolve()),
            rig=str(rig.resolve()),
            out=str(out.resolve()),
            armature=armature,
            mapping=str(mapping.resolve()) if mapping else "",
            save_mapping=str(save_mapping.resolve()) if save_mapping else "",
            fps=fps,
            start_frame=start_frame,
            controls=controls,
            contact="auto" if contact is None else contact,
            settings=settings,
        )
    )
    click.echo(f"{out}: {done.frames} frames at {done.fps:g} fps on {done.bones} bones ({done.family}).")
    for note in done.notes:
        click.echo(note)
