# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a clip: ``python -m videomdm_blender.render CLIP --sheet walk.png --film walk.mp4``."""

from __future__ import annotations

from pathlib import Path

import bpy
import click

from videomdm.errors import UserError

from .. import console
from ..armature.apply import apply_motion
from ..armature.importing import open_rig
from ..clips import read_clip
from ..mannequin.build import build_mannequin
from ..retarget import Options
from .sheet import contact_sheet
from .stage import build_stage, follow
from .video import video

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("clip", type=FILE)
@click.option("--rig", type=FILE, help="Character to show the motion on.  [default: the mannequin]")
@click.option("--sheet", type=FILE, help="PNG file for a contact sheet.")
@click.option("--film", type=FILE, help="MP4 file for a film.")
@click.option("--count", default=12, show_default=True, help="Pictures of the contact sheet.")
@click.option("--columns", default=4, show_default=True, help="Pictures in one row of it.")
@click.option("--size", nargs=2, type=int, default=(320, 240), show_default=True, help="Size of a picture.")
def main(
    clip: Path,
    rig: Path | None,
    sheet: Path | None,
    film: Path | None,
    count: int,
    columns: int,
    size: tuple[int, int],
) -> None:
    """Render the motion in CLIP (.npz, .bvh) on a character."""
    if sheet is None and film is None:
        raise UserError("There is nothing to make.", "Name a file with --sheet, --film or both.")
    motion = read_clip(clip)
    log = (sheet or film or clip).resolve().with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with console.hushed(log) as report:
        if rig is None:
            bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        armature = open_rig(rig.resolve()).armature if rig is not None else None
        scene = bpy.context.scene
        assert scene is not None
        with report.stage("Putting the motion on the rig"):
            armature = armature or build_mannequin(scene)
            action = apply_motion(
                scene, armature, motion, name=clip.stem, start_frame=1, options=Options(contact="auto")
            )
        first, last = (round(frame) for frame in action.frame_range.to_tuple())
        frames = range(first, last + 1)
        scene.render.resolution_x, scene.render.resolution_y = size
        build_stage(scene, follow(scene, armature, frames))
        if sheet is not None:
            with report.stage("Rendering the contact sheet"):
                contact_sheet(scene, sheet.resolve(), frames, count=count, columns=columns, size=size)
        if film is not None:
            with report.stage("Rendering the film") as progress:
                video(scene, film.resolve(), frames, size=size, progress=progress)
    log.unlink()


if __name__ == "__main__":
    console.run(main)
