# SPDX-License-Identifier: GPL-3.0-or-later
"""Retargets in a process of its own: ``python -m videomdm_blender.headless``; see ``one_shot``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from videomdm.errors import UserError

from . import one_shot
from .edit.settings import TakeSettings

if TYPE_CHECKING:  # Blender is loaded by what does the work, not by what starts it
    import bpy

    from videomdm.motion import Motion

    from .armature.apply import Applied
    from .armature.importing import OpenRig

TIME_LIMIT = 900.0  # seconds


@dataclass(frozen=True)
class Job:
    """One clip onto one rig.  Paths are absolute; empty texts and None mean "not given".

    fps:         of the scene; None keeps that of the rig's file.
    start_frame: on which the motion begins.
    controls:    of arms and legs, as ``videomdm_blender.controls.limb.Controls`` has them.
    contact:     of standing feet with the floor, as ``videomdm_blender.retarget.Options`` has it.
    settings:    of the take; a dictionary of them becomes one.
    """

    clip: str
    rig: str
    out: str
    armature: str = ""
    mapping: str = ""
    save_mapping: str = ""
    fps: float | None = None
    start_frame: int = 1
    controls: str = "fk"
    contact: bool | Literal["auto"] = "auto"
    settings: TakeSettings = field(default_factory=TakeSettings)

    def __post_init__(self) -> None:
        if not isinstance(self.settings, TakeSettings):
            object.__setattr__(self, "settings", TakeSettings(**self.settings))


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
    done = one_shot.ask("videomdm_blender.headless", asdict(job), time_limit)
    return Done(**(done | {"notes": tuple(done["notes"])}))


def perform(job: Job) -> Done:
    """Do a job in this process, which must have bpy.  What is open in Blender is closed."""
    from .armature.exporting import export_rig, require_writable
    from .armature.importing import open_rig
    from .clips import read_clip
    from .rigs import save_mapping

    out = Path(job.out)
    require_writable(out)
    require_shown(out, job.settings)
    motion = read_clip(Path(job.clip))
    rig = open_rig(Path(job.rig), job.armature)
    scene, applied = put_on(job, motion, rig)
    export_rig(out, scene, rig.armature, applied)
    if job.save_mapping:
        save_mapping(Path(job.save_mapping), applied.mapping)
    return account(job, scene, applied)


def require_shown(out: Path, settings: TakeSettings) -> None:
    """UserError where a kind of file cannot hold what the settings ask for."""
    suffix = out.suffix.lower()
    if settings.push_down and suffix != ".blend":
        raise UserError(f"{out} cannot hold NLA tracks.", "Write a .blend, or leave out --nla.", "setting")
    if settings.cycles and suffix != ".blend":
        raise UserError(
            f"{out} cannot hold endless loops.", "Write a .blend, or leave out --cycles.", "setting"
        )
    if settings.root == "object" and suffix == ".bvh":
        raise UserError(
            "A BVH file has no object that could travel.", "Let the hips or the root bone travel.", "setting"
        )


def put_on(job: Job, motion: Motion, rig: OpenRig) -> tuple[bpy.types.Scene, Applied]:
    """Put a motion onto an open rig as a job wants it; gives the scene and what was applied."""
    import bpy

    from .armature.apply import apply_take, mapping_of
    from .armature.rest import read_rest
    from .controls.limb import Controls
    from .retarget import Options
    from .rigs import load_mapping

    scene = bpy.context.scene
    assert scene is not None
    if job.fps is not None:
        scene.render.fps = max(1, round(job.fps))
        scene.render.fps_base = scene.render.fps / job.fps
    if job.mapping:
        mapping = load_mapping(Path(job.mapping), read_rest(rig.armature))
    else:
        mapping = mapping_of(rig.armature, rig.humanoid)
    applied = apply_take(
        scene,
        rig.armature,
        motion,
        name=Path(job.clip).stem,
        start_frame=job.start_frame,
        mapping=mapping,
        options=Options(contact=job.contact),
        controls=Controls(job.controls),
        settings=job.settings,
    )
    return scene, applied


def account(job: Job, scene: bpy.types.Scene, applied: Applied) -> Done:
    """What was made of a job, in plain values."""
    return Done(
        out=job.out,
        take=applied.action.name,
        family=applied.mapping.family,
        bones=len(applied.take.bones),
        frames=len(applied.take.location),
        fps=scene.render.fps / scene.render.fps_base,
        notes=applied.notes + ((str(contact),) if (contact := applied.take.contact) is not None else ()),
    )


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do a job that came as plain values."""
    try:
        return asdict(perform(Job(**request)))
    except ImportError as error:
        if error.name != "bpy":
            raise
        raise no_blender() from error


def no_blender() -> UserError:
    """What to say where Blender's module is missing."""
    return UserError(
        "Retargeting needs Blender as a Python module, which is not installed here.",
        "Install it: pip install 'videomdm[blender]'.",
        "no-blender",
    )


if __name__ == "__main__":
    one_shot.main(answer)
