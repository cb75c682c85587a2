# SPDX-License-Identifier: GPL-3.0-or-later
"""Real rigs in a real Blender: opening them, playing them, seeing what was changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.blender_addon.support.rigs import angles_between
from tests.blender_addon.support.true_mappings import RIGIFY, RIGIFY_META, SHARED, Table

from videomdm.motion import Motion
from videomdm.motion.resample import resample
from videomdm.motion.skeleton import JOINT_NAMES

RIGIFY_FILES = {
    f"rigify {kind} {what}": (kind, what, RIGIFY_META if what == "meta" else RIGIFY)
    for kind in ("basic_human", "human")
    for what in ("meta", "generated")
}
ALL_RIGS = [*SHARED, *RIGIFY_FILES]
LIMBS = {
    "upper_arm": ("shoulder", "elbow", "forearm"),
    "forearm": ("elbow", "wrist", "hand"),
    "thigh": ("hip", "knee", "shin"),
    "shin": ("knee", "ankle", "foot"),
}


@dataclass(frozen=True)
class OpenedRig:
    """An armature in an open file, its true mapping, and the table that its file declares."""

    armature: Any
    truth: Table
    humanoid: dict[str, str] | None = None


def make_rigify(kind: str, path: Path) -> Path:
    """Save a file with one of Rigify's meta-rigs ("metarig") and the rig generated from it ("rig")."""
    import addon_utils
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
    bpy.ops.pose.rigify_generate()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)
    addon_utils.disable("rigify", default_set=True)
    return path


def open_shared(folder: Path, name: str) -> OpenedRig:
    """Open a rig of the shared data."""
    from videomdm_blender.armature.importing import open_rig

    rig = open_rig(folder / name)
    return OpenedRig(rig.armature, SHARED[name], rig.humanoid)


def open_rigify(path: Path, name: str) -> OpenedRig:
    """Open a rig of a file that :func:`make_rigify` made."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(path))
    _, what, truth = RIGIFY_FILES[name]
    return OpenedRig(bpy.data.objects["metarig" if what == "meta" else "rig"], truth)


def deforming(control: str) -> str:
    """The bone that shows what one of Rigify's FK controls does."""
    return f"ORG-{control.replace('_fk.', '.')}" if "_fk." in control else control


def playback(armature: Any, frames: range, bones: list[str]) -> dict[str, np.ndarray]:
    """World places (T, 2, 3) of head and tail of bones, as Blender evaluates them with constraints and drivers."""
    import bpy

    scene = bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get()
    before = scene.frame_current
    places = np.empty((len(frames), len(bones), 2, 3))
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        evaluated = armature.evaluated_get(depsgraph)
        world = np.array(evaluated.matrix_world)
        for b, name in enumerate(bones):
            bone = evaluated.pose.bones[name]
            for end, point in enumerate((bone.head, bone.tail)):
                places[t, b, end] = (world @ [*point, 1.0])[:3]
    scene.frame_set(before)
    return {bone: places[:, b] for b, bone in enumerate(bones)}


def limb_errors(armature: Any, truth: Table, motion: Motion, frames: range, fps: float) -> np.ndarray:
    """(8, T) degrees between the limbs of a rig that faces -Y and those of the motion."""
    positions = resample(motion, fps).positions.astype(float)[:, :, [0, 2, 1]] * (1.0, -1.0, 1.0)
    names = {slot: deforming(chain[0]) for slot, chain in truth.items()}
    places = playback(armature, frames, list(dict.fromkeys(names.values())))
    errors = []
    for side in ("left", "right"):
        for part, (start, end, following) in LIMBS.items():
            bone = places[names[f"{side}_{part}"]]
            after = names.get(f"{side}_{following}")
            tip = places[after][:, 0] if after else bone[:, 1]
            wanted = [positions[:, JOINT_NAMES.index(f"{side}_{joint}")] for joint in (end, start)]
            errors.append(angles_between(tip - bone[:, 0], wanted[0] - wanted[1]))
    return np.array(errors)


def curves(action: Any) -> dict[tuple[str, int], bytes]:
    """All keys of an Action, byte for byte."""
    found = {}
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                for fcurve in bag.fcurves:
                    values = np.empty(2 * len(fcurve.keyframe_points), np.float32)
                    fcurve.keyframe_points.foreach_get("co", values)
                    found[fcurve.data_path, fcurve.array_index] = values.tobytes()
    return found


def keyed_bones(action: Any) -> set[str]:
    """The bones that an Action keys."""
    return {path.split('"')[1] for path, _ in curves(action)}


def settings() -> dict[str, Any]:
    """What of the scene a take must leave alone."""
    import bpy

    scene = bpy.context.scene
    return {
        "fps": (scene.render.fps, scene.render.fps_base),
        "range": (scene.frame_start, scene.frame_end, scene.frame_current),
        "modes": {(o.name, b.name): b.rotation_mode for o in scene.objects if o.pose for b in o.pose.bones},
        "constraints": {
            (o.name, b.name): [(c.type, c.mute, c.influence) for c in b.constraints]
            for o in scene.objects
            if o.pose
            for b in o.pose.bones
            if not b.name.startswith(("ORG-", "MCH-", "DEF-"))  # their influence is driven by the FK switch
        },
        "places": {o.name: [tuple(row) for row in o.matrix_basis] for o in scene.objects},
    }
