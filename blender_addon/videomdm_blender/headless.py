# SPDX-License-Identifier: GPL-3.0-or-later
"""Retargets in a process of its own: ``python -m videomdm_blender.headless`` with a job as JSON on stdin.

Blender can hang at its end, and its importers write to stdout as they like.  So the command line starts this
module, reads the one line that begins with ``MARK``, and ends the process when it has it or when it takes
too long.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from videomdm.errors import UserError

MARK = "videomdm-result: "
TIME_LIMIT = 900.0  # seconds


@dataclass(frozen=True)
class Job:
    """One clip onto one rig.  Paths are absolute; empty texts and None mean "not given".

    fps:         of the scene; None keeps that of the rig's file.
    start_frame: on which the motion begins.
    controls:    of arms and legs, as ``videomdm_blender.controls.limb.Controls`` has them.
    """

    clip: str
    rig: str
    out: str
    armature: str = ""
    mapping: str = ""
    save_mapping: str = ""
    fps: float | None = None
    start_frame: int = 1
    in_place: bool = False
    controls: str = "fk"


@dataclass(frozen=True)
class Done:
    """What was made of a job."""

    out: str
    take: str
    family: str
    bones: int
    frames: int
    fps: float
    notes: tuple[str, ...]


def run_in_process(job: Job, time_limit: float = TIME_LIMIT) -> Done:
    """Do a job in a new process; UserError where it fails, as if it had been done in this one."""
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "videomdm_blender.headless"],
            input=json.dumps(asdict(job)),
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"Blender did not finish within {time_limit:.0f} s.", "Try a smaller rig or clip.", "timeout"
        ) from error
    lines = [line for line in finished.stdout.splitlines() if line.startswith(MARK)]
    if not lines:
        tail = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"Blender ended without a result (status {finished.returncode}): {tail}.",
            "Open the rig in Blender to see whether the file is sound.",
            "blender",
        )
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(MARK))
    if "error" in answer:
        raise UserError(*answer["error"])
    return Done(**(answer["done"] | {"notes": tuple(answer["done"]["notes"])}))


def perform(job: Job) -> Done:
    """Do a job in this process, which must have bpy.  What is open in Blender is closed."""
    import bpy

    from .armature.apply import apply_take, mapping_of
    from .armature.exporting import export_rig, require_writable
    from .armature.importing import open_rig
    from .armature.rest import read_rest
    from .clips import read_clip
    from .controls.limb import Controls
    from .retarget.solve import Options
    from .rigs import load_mapping, save_mapping

    out = Path(job.out)
    require_writable(out)
    clip = Path(job.clip)
    motion = read_clip(clip)
    rig = open_rig(Path(job.rig), job.armature)
    armature = rig.armature
    scene = bpy.context.scene
    assert scene is not None
    if job.fps is not None:
        scene.render.fps = max(1, round(job.fps))
        scene.render.fps_base = scene.render.fps / job.fps
    if job.mapping:
        mapping = load_mapping(Path(job.mapping), read_rest(armature))
    else:
        mapping = mapping_of(armature, rig.humanoid)
    applied = apply_take(
        scene,
        armature,
        motion,
        name=clip.stem,
        start_frame=job.start_frame,
        mapping=mapping,
        options=Options(in_place=job.in_place),
        controls=Controls(job.controls),
    )
    export_rig(out, scene, armature, applied)
    if job.save_mapping:
        save_mapping(Path(job.save_mapping), applied.mapping)
    return Done(
        out=job.out,
        take=applied.action.name,
        family=applied.mapping.family,
        bones=len(applied.take.bones),
        frames=len(applied.take.location),
        fps=scene.render.fps / scene.render.fps_base,
        notes=applied.notes,
    )


def main() -> int:
    """Read a job from stdin, do it, and write the result as one line."""
    try:
        answer: dict[str, Any] = {"done": asdict(perform(Job(**json.load(sys.stdin))))}
    except UserError as error:
        answer = {"error": [error.message, error.advice, error.code]}
    except ImportError as error:
        if error.name != "bpy":
            raise
        answer = {"error": list(no_blender().args)}
    print(f"\n{MARK}{json.dumps(answer)}", flush=True)
    return 0


def no_blender() -> UserError:
    """What to say where Blender's module is missing."""
    return UserError(
        "Retargeting needs Blender as a Python module, which is not installed here.",
        "Install it: pip install 'videomdm[blender]'.",
        "no-blender",
    )


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except Exception:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
