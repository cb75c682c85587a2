# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's examination inside a worker: every motion is put on it, played and measured; then the round trips."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from videomdm.errors import UserError
from videomdm.motion import Motion
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.resample import resample
from videomdm.motion.skeleton import JOINT_NAMES

from ..armature.apply import Applied, apply_take, mapping_of
from ..armature.importing import open_rig
from ..armature.rest import read_rest
from ..clips import read_clip
from ..controls.controlled import onto_controls
from ..retarget.rig import Mapping, RigRest
from ..retarget.root import leg_length
from ..retarget.solve import Options
from ..rigs import load_mapping
from .battery import BATTERY, GRIPS
from .grips import targets
from .held import Hold
from .measures import Body, measure
from .picture import overlay
from .played import play, watch
from .round_trip import FPS as FILE_FPS
from .round_trip import round_trip
from .snapshot import Snapshot, snapshots
from .untouched import changes, state, strangers

SHOTS = 5  # pictures of each motion
TRAVELLER = "jump"  # the motion that is exported: it turns all limbs, and the body leaves the floor
START = 1
LEG = float(sum(BONE_LENGTHS[JOINT_NAMES.index(name)] for name in ("left_knee", "left_ankle")))  # metres


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Examine a rig.

    request: ``rig``, ``armature``, ``mapping`` (paths and names, empty where not given), ``battery`` (names),
             ``clips`` (paths), ``fps``, ``contact`` (as ``retarget.Options`` has it), ``formats`` (suffixes
             for round trips), ``picture`` (path or empty).

    UserError where the rig cannot be opened or mapped; a format that loses something is told, not raised.
    """
    started = time.monotonic()
    motions = {name: BATTERY[name]() for name in request["battery"]}
    motions |= {Path(clip).stem: read_clip(Path(clip)) for clip in request["clips"]}
    armature, rest, mapping = _open(request, request["fps"])
    rows: list[list[Snapshot]] = []
    results = {
        name: _examine(request, armature, rest, mapping, name, motion, rows)
        for name, motion in motions.items()
    }
    if rows:
        overlay(rows, Path(request["picture"]))
    return {
        "family": mapping.family,
        "armature": armature.name,
        "bones": len(mapping.bones),
        "clips": results,
        "round_trip": {suffix: _round_trip(request, suffix) for suffix in request["formats"]},
        "seconds": round(time.monotonic() - started, 2),
    }


def _open(request: dict[str, Any], fps: float) -> tuple[bpy.types.Object, RigRest, Mapping]:
    rig = open_rig(Path(request["rig"]), request["armature"])
    scene = bpy.context.scene
    assert scene is not None
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
    rest = read_rest(rig.armature)
    if request["mapping"]:
        return rig.armature, rest, load_mapping(Path(request["mapping"]), rest)
    return rig.armature, rest, mapping_of(rig.armature, rig.humanoid)


def _examine(
    request: dict[str, Any],
    armature: bpy.types.Object,
    rest: RigRest,
    mapping: Mapping,
    name: str,
    motion: Motion,
    rows: list[list[Snapshot]],
) -> dict[str, Any]:
    """Put one motion on the rig and measure it; adds a row to the picture, where one is wanted."""
    scene = bpy.context.scene
    assert scene is not None
    fps, options = request["fps"], Options(contact=request["contact"])
    wanted = _at_size(resample(motion, fps))
    watched = watch(armature, rest, mapping, wanted.positions.astype(float))

    def put_on(options: Options) -> tuple[Applied, float, Body]:
        started = time.monotonic()
        applied = apply_take(
            scene, armature, motion, name=name, start_frame=START, mapping=mapping, options=options
        )
        seconds = time.monotonic() - started
        return applied, seconds, play(scene, armature, watched, range(START, applied.end_frame + 1), fps)

    before = state(scene)
    applied, seconds, body = put_on(options)
    holds: tuple[Hold, ...] = ()
    if name in GRIPS and name in request["battery"]:
        _take_off(armature, applied)
        hands, holds = targets(GRIPS[name], watched, body)
        applied, seconds, body = put_on(replace(options, hands=hands))
    controls = onto_controls(armature, rest, mapping).mapping
    changed = changes(before, state(scene, but=applied.action))
    changed += strangers(applied.action, {*controls.bones, *(bone for bone, _ in controls.switches)})
    if request["picture"]:
        rows.append(snapshots(scene, armature, watched, wanted, body, START, SHOTS, name))
    measures = measure(wanted, body, holds)
    _take_off(armature, applied)
    planted = applied.take.contact
    return {
        "frames": len(wanted),
        "seconds": round(seconds, 3),
        "measures": {key: float(np.round(value, 6)) for key, value in measures.items()},
        "changed": changed,
        "notes": [*applied.notes, *([str(planted)] if planted is not None else [])],
    }


def _at_size(motion: Motion) -> Motion:
    """The motion of a body that is 1.7 m tall, as that of the battery is."""
    positions = motion.positions.astype(float)
    return replace(motion, positions=positions * (LEG / leg_length(positions)), features=None)


def _take_off(armature: bpy.types.Object, applied: Applied) -> None:
    data = armature.animation_data
    assert data is not None
    data.action = None
    bpy.data.actions.remove(applied.action)


def _round_trip(request: dict[str, Any], suffix: str) -> dict[str, Any]:
    armature, rest, mapping = _open(request, FILE_FPS)
    scene = bpy.context.scene
    assert scene is not None
    motion = BATTERY[TRAVELLER]()
    options = Options(contact=request["contact"])
    applied = apply_take(
        scene, armature, motion, name="take", start_frame=START, mapping=mapping, options=options
    )
    watched = watch(armature, rest, mapping, motion.positions.astype(float))
    data = armature.data
    assert isinstance(data, bpy.types.Armature)
    deforming = [bone.name for bone in data.bones if bone.use_deform]
    bones = list(dict.fromkeys([*watched.bones, *deforming]))
    metre = watched.scale * armature.matrix_world.median_scale
    try:
        return asdict(round_trip(f".{suffix}", armature, applied, bones, metre))
    except UserError as error:
        return {"error": error.message}
