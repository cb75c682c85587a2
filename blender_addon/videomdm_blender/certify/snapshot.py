# SPDX-License-Identifier: GPL-3.0-or-later
"""Single frames of a take, frozen for the picture: the skin as Blender bends it, the rig's joints, the motion's."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from videomdm.motion import Motion
from videomdm.motion.skeleton import PARENTS

from ..retarget.frames import rotate
from ..retarget.reference import joint
from ..retarget.rig import Array
from ..retarget.slots import SIDES
from .marks import stands, ticks
from .measures import Body
from .played import Watched

# Between which joints of a rig a stick is drawn, where it has both.
STICKS = (
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in SIDES
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"))
    ),
    ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("neck", "head"),
)  # fmt: skip


@dataclass(frozen=True)
class Snapshot:
    """One frame, in the motion's axes (metres, Y up), its place on the floor taken away.

    label:  what is written beside it.
    source: (N, 2, 3) sticks of the motion's skeleton.
    rig:    (M, 2, 3) sticks of the rig's.
    ticks:  (K, 2, 3) on each limb of the rig one that points where at rest its front is.
    stands: (L, 2, 3) a cross on the floor where a standing joint of the rig stands.
    slides: (L, 2, 3) the same of joints that slide, and the way that they take while they stand.
    skin:   meshes with the 4 x 4 matrices that put them there.
    """

    label: str
    source: Array
    rig: Array
    ticks: Array
    stands: Array
    slides: Array
    skin: tuple[tuple[bpy.types.Mesh, Array], ...]


def snapshots(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    watched: Watched,
    motion: Motion,
    body: Body,
    start_frame: int,
    count: int,
    name: str,
) -> list[Snapshot]:
    """``count`` frames evenly out of a take that is on the rig."""
    chosen = np.unique(np.linspace(0, len(motion) - 1, count + 2).round().astype(int)[1:-1])
    before = scene.frame_current
    found = []
    for t in map(int, chosen):
        scene.frame_set(start_frame + t)
        found.append(_snapshot(scene, armature, watched, motion, body, t, f"{name} {t / motion.fps:.1f} s"))
    scene.frame_set(before)
    return found


def _snapshot(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    watched: Watched,
    motion: Motion,
    body: Body,
    t: int,
    label: str,
) -> Snapshot:
    places = motion.positions[t].astype(float)
    own = {name: track[t] for name, track in body.joints.items()}
    ours, theirs = (
        (points["left_hip"] + points["right_hip"]) / 2
        for points in (own, {name: places[joint(name)] for name in ("left_hip", "right_hip")})
    )
    shift_rig = np.array([-ours[0], -body.floor, -ours[2]])
    shift_source = np.array([-theirs[0], 0.0, -theirs[2]])
    still, sliding = stands(body, np.asarray(motion.contacts, bool), t)
    return Snapshot(
        label=label,
        source=np.array([(places[parent], places[j]) for j, parent in enumerate(PARENTS) if parent >= 0])
        + shift_source,
        rig=np.array([(own[a], own[b]) for a, b in STICKS if a in own and b in own]) + shift_rig,
        ticks=ticks(body, t) + shift_rig,
        stands=still + shift_rig,
        slides=sliding + shift_rig,
        skin=tuple(_skin(scene, armature, watched, shift_rig)),
    )


def _skin(
    scene: bpy.types.Scene, armature: bpy.types.Object, watched: Watched, shift: Array
) -> list[tuple[bpy.types.Mesh, Array]]:
    depsgraph = scene.view_layers[0].depsgraph
    assert depsgraph is not None
    turn = np.eye(4)
    turn[:3, :3] = rotate(watched.stance.axes, np.eye(3)).T / watched.scale
    turn[:3, 3] = shift
    into_motion = turn @ np.linalg.inv(np.array(armature.evaluated_get(depsgraph).matrix_world, float))
    found = []
    for thing in scene.objects:
        deformed = any(
            isinstance(m, bpy.types.ArmatureModifier) and m.object == armature for m in thing.modifiers
        )
        if thing.type == "MESH" and deformed and not thing.hide_render:
            evaluated = thing.evaluated_get(depsgraph)
            mesh = bpy.data.meshes.new_from_object(evaluated, depsgraph=depsgraph)
            if normals := mesh.attributes.get(
                "custom_normal"
            ):  # some files' are wrong and would look like holes
                mesh.attributes.remove(normals)
            found.append((mesh, into_motion @ np.array(evaluated.matrix_world, float)))
    return found
