# SPDX-License-Identifier: GPL-3.0-or-later
"""From a prompt to a film, in one command without a window: ``python -m videomdm_blender.demo --out DIR``.

It starts a backend of its own, talks to it as the sidebar does, puts the motion on the mannequin, saves the
scene as .blend, .glb and .fbx, and renders a contact sheet and a film.  Needs an environment with torch and
bpy.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import click

import videomdm_blender
from videomdm import protocol
from videomdm.errors import UserError

from . import console
from .connection import hub
from .connection.session import Phase
from .console import Report
from .generate import jobs
from .mannequin.build import build_mannequin
from .render.sheet import contact_sheet
from .render.stage import build_stage, follow
from .render.video import video

PROMPT = "a person walks forward"
START_SECONDS = 300.0  # a first start may have to read weights from a slow disk
GENERATE_SECONDS = 600.0
FPS = 24
SHEET_SIZE = (320, 240)
FILM_SIZE = (400, 300)


def run(report: Report, out: Path, request: protocol.TextJob, model: str, device: str) -> list[Path]:
    """Do all stages; returns the files that were made.  ``model`` "" is the backend's own choice."""
    videomdm_blender.register()
    try:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        scene = bpy.context.scene
        assert scene is not None
        scene.render.fps = FPS
        with tempfile.TemporaryDirectory() as private:
            with report.stage("Starting the backend"):
                _start(Path(private), out / "backend.log", model, device)
            with report.stage("Building the mannequin"):
                armature = build_mannequin(scene)
            with report.stage("Generating the motion") as progress:
                action = _generate(request, jobs.Target.of(scene, armature), progress)
            with report.stage("Stopping the backend"):
                hub.disconnect(wait=True)
        first, last = (round(frame) for frame in action.frame_range.to_tuple())
        frames = range(first, last + 1)
        scene.frame_start, scene.frame_end = first, last
        return [*_export(report, out, armature), *_render(report, out, scene, armature, frames)]
    finally:
        videomdm_blender.unregister()


def _start(folder: Path, log: Path, model: str, device: str) -> None:
    command = [sys.executable, "-m", "videomdm.cli", "serve", "--device", device]
    if model:
        command += ["--model", model]
    hub.start_backend([*command, "--library", str(folder / "library")], folder / "connection.json", log)
    arrived = hub.wait(lambda: hub.hub.status.phase in (Phase.READY, Phase.FAILED), START_SECONDS)
    if hub.hub.status.error is not None:
        raise hub.hub.status.error
    if not arrived:
        raise UserError(
            f"The backend was not ready after {START_SECONDS:.0f} seconds.", f"Its log is {log}.", "timeout"
        )


def _generate(
    request: protocol.TextJob, target: jobs.Target, progress: Callable[[float], None]
) -> bpy.types.Action:
    job = jobs.submit(request, target)

    def ended() -> bool:
        progress(job.fraction)
        return job.ended

    if not hub.wait(ended, GENERATE_SECONDS):
        jobs.cancel(job)
        raise UserError("The motion was not made in time.", "Ask for a shorter one.", "timeout")
    if job.error is not None:
        raise job.error
    return bpy.data.actions[job.action]


def _export(report: Report, out: Path, armature: bpy.types.Object) -> list[Path]:
    """The character with its motion for other programs."""
    for thing in bpy.data.objects:
        thing.select_set(thing is armature or thing.parent is armature)
    made = []
    with report.stage("Saving .glb and .fbx"):
        with _whole(out / "demo.glb") as path:
            bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True)
            made.append(out / "demo.glb")
        with _whole(out / "demo.fbx") as path:
            bpy.ops.export_scene.fbx(filepath=str(path), use_selection=True, add_leaf_bones=False)
            made.append(out / "demo.fbx")
    return made


def _render(
    report: Report, out: Path, scene: bpy.types.Scene, armature: bpy.types.Object, frames: range
) -> list[Path]:
    """The scene with floor and camera, and its pictures."""
    scene.render.resolution_x, scene.render.resolution_y = FILM_SIZE
    with report.stage("Saving .blend"):
        build_stage(scene, follow(scene, armature, frames))
        scene.frame_set(frames[0])
        with _whole(out / "demo.blend") as path:
            bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)
    with report.stage("Rendering the contact sheet"):
        sheet = contact_sheet(scene, out / "demo.png", frames, size=SHEET_SIZE)
    with report.stage("Rendering the film") as progress:
        film = video(scene, out / "demo.mp4", frames, size=FILM_SIZE, progress=progress)
    return [out / "demo.blend", sheet, film]


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A place to write to; the file gets its name when it is complete."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".demo-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)


@click.command(help="From a prompt to a film: generate, retarget onto the mannequin, export, render.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for all files."
)
@click.option("--prompt", default=PROMPT, show_default=True, help="The motion in words.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of the motion.")
@click.option("--seed", default=0, show_default=True, help="Another seed gives another motion.")
@click.option("--model", default="", help="Model to use, a name or a folder.  [default: the backend's]")
@click.option(
    "--device", default="auto", show_default=True, help='What the model runs on: "auto", "cpu", "cuda".'
)
def main(out: Path, prompt: str, seconds: float, seed: int, model: str, device: str) -> None:
    """Run the demo."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    request = protocol.TextJob(prompt=prompt, seconds=seconds, seed=seed)
    protocol.check_job(request)
    with console.hushed(out / "blender.log") as report:
        report.say(f'"{prompt}", {seconds:g} s, seed {seed}')
        made = run(report, out, request, model, device)
        report.say(f"All of it took {sum(report.seconds.values()):.1f} s.  The files:")
        for path in made:
            report.say(f"  {path}  ({path.stat().st_size / 1024:.0f} KiB)")


if __name__ == "__main__":
    console.run(main)
