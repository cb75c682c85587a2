# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a rig with its take to the files that other programs read.  A file appears when it is complete."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from videomdm.errors import UserError

from .apply import Applied
from .gimbal import sharpen
from .keys import curves_of

CENTIMETRES = 100.0  # what BVH files usually count in
VRM_ADVICE = "Write .glb for the take, and load it beside the avatar; or keep working in a .blend."


def require_writable(path: Path) -> None:
    """UserError where a rig cannot be written under this name; nothing is touched."""
    suffix = path.suffix.lower()
    if suffix == ".vrm":
        raise UserError(
            "A take cannot be written as .vrm: the avatar's VRM data would be lost.", VRM_ADVICE, "vrm"
        )
    if suffix not in WRITERS:
        raise UserError(
            f"{path} is no kind of file that a rig can be written to.", f"Use one of {', '.join(WRITERS)}."
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(
            f"The folder {path.parent} cannot be written to.", "Choose one that exists and is writable."
        )


def export_rig(path: Path, scene: bpy.types.Scene, armature: bpy.types.Object, applied: Applied) -> Path:
    """Write the rig, its meshes and its take.  Changes the selection and, but for .blend, the frame range."""
    require_writable(path)
    view_layer = scene.view_layers[0]
    for thing in view_layer.objects:
        thing.select_set(_belongs(thing, armature))
    view_layer.objects.active = armature
    if path.suffix.lower() != ".blend":
        scene.frame_start, scene.frame_end = applied.start_frame, applied.end_frame
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / path.name
        try:
            WRITERS[path.suffix.lower()](temporary, armature, applied)
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1:] or ["unknown reason"]
            raise UserError(f"Blender could not write {path} ({last[0]}).", "Try another format.") from error
        os.replace(temporary, path)
    return path


def _belongs(thing: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Whether an object is the armature or a mesh that it deforms or carries."""
    if thing == armature:
        return True
    carried = thing.parent
    while carried is not None and carried != armature:
        carried = carried.parent
    deformed = any(
        isinstance(m, bpy.types.ArmatureModifier) and m.object == armature for m in thing.modifiers
    )
    return thing.type == "MESH" and (carried == armature or deformed)


def _blend(path: Path, armature: bpy.types.Object, applied: Applied) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, check_existing=False, compress=True)


def _fbx(path: Path, armature: bpy.types.Object, applied: Applied) -> None:
    with _at_rest(armature, applied):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            check_existing=False,
            use_selection=True,
            add_leaf_bones=False,
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
            path_mode="COPY",
            embed_textures=True,
        )
    scene = bpy.context.scene
    assert scene is not None
    sharpen(path, scene, armature, range(applied.start_frame, applied.end_frame + 1))


@contextmanager
def _at_rest(armature: bpy.types.Object, applied: Applied) -> Iterator[None]:
    """Show the rest pose on the frame before the take.

    FBX takes the pose of the current frame for the rest pose of bones that no mesh hangs on.
    """
    scene, data, action = bpy.context.scene, armature.animation_data, applied.action
    assert scene is not None and data is not None
    name, shown, frame = action.name, (data.action, data.action_slot), scene.frame_current
    resting = action.copy()
    assert isinstance(resting, bpy.types.Action)
    try:
        before = applied.start_frame - 1
        for fcurve in curves_of(resting):
            point = fcurve.keyframe_points.insert(before, _rest_value(fcurve), options={"FAST"})
            assert point is not None
            point.interpolation = "CONSTANT"
            fcurve.update()
        action.name = f"{name} (kept)"
        resting.name = name
        data.action, data.action_slot = resting, resting.slots[0]
        scene.frame_set(before)
        yield
    finally:
        data.action, data.action_slot = shown
        bpy.data.actions.remove(resting)
        action.name = name
        scene.frame_set(frame)


def _rest_value(fcurve: bpy.types.FCurve) -> float:
    """The value at rest of a channel of a bone; settings of the rig and the armature object keep theirs."""
    if not fcurve.data_path.startswith("pose.bones"):
        return fcurve.keyframe_points[0].co[1]
    channel, index = fcurve.data_path.rpartition(".")[2], fcurve.array_index
    if channel in ("location", "rotation_euler"):
        return 0.0
    if channel in ("scale", "rotation_quaternion"):
        return 1.0 if channel == "scale" or index == 0 else 0.0
    if channel == "rotation_axis_angle" and index == 0:
        return 0.0
    return fcurve.keyframe_points[0].co[1]


def _glb(path: Path, armature: bpy.types.Object, applied: Applied) -> None:
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_selection=True,
        export_animation_mode="ACTIVE_ACTIONS",
        export_nla_strips_merged_animation_name=applied.action.name,
        export_anim_slide_to_zero=True,
        export_optimize_animation_size=False,
    )


def _bvh(path: Path, armature: bpy.types.Object, applied: Applied) -> None:
    """BVH has Y up and no object that could place the bones, so the bones are placed before."""
    world = armature.matrix_world
    scale = world.median_scale
    placed = (
        Matrix.Translation((np.array(world.translation, float) / scale).tolist())
        @ world.to_quaternion().to_matrix().to_4x4()
    )
    y_up = Matrix.Rotation(-math.pi / 2, 4, "X") @ placed
    _transform(armature, y_up)
    try:
        _write_bvh(path, armature, applied, scale * CENTIMETRES)
    finally:
        _transform(armature, y_up.inverted())


def _transform(armature: bpy.types.Object, matrix: Matrix) -> None:
    """Move the bones at rest, and with them the pose that Blender has evaluated already."""
    data, scene = armature.data, bpy.context.scene
    assert isinstance(data, bpy.types.Armature) and scene is not None
    data.transform(matrix)
    data.update_tag()
    armature.update_tag(refresh={"OBJECT", "DATA"})
    scene.view_layers[0].update()


def _write_bvh(path: Path, armature: bpy.types.Object, applied: Applied, scale: float) -> None:
    assert armature.pose is not None
    bpy.ops.export_anim.bvh(
        filepath=str(path),
        check_existing=False,
        global_scale=scale,
        frame_start=applied.start_frame,
        frame_end=applied.end_frame,
        rotate_mode="NATIVE",
        root_transform_only=armature.pose.bones[applied.take.root].parent is None,
    )


def _usd(path: Path, armature: bpy.types.Object, applied: Applied) -> None:
    """USD: the bones become a UsdSkel skeleton, the take its SkelAnimation.  Only .usdz carries textures."""
    packed = path.suffix.lower() == ".usdz"
    bpy.ops.wm.usd_export(
        filepath=str(path),
        check_existing=False,
        selected_objects_only=True,
        export_animation=True,
        export_armatures=True,
        only_deform_bones=False,
        export_materials=True,
        generate_preview_surface=True,
        export_textures_mode="NEW" if packed else "KEEP",
        convert_world_material=False,
        export_lights=False,
        export_cameras=False,
    )


WRITERS: dict[str, Callable[[Path, bpy.types.Object, Applied], None]] = {
    ".blend": _blend,
    ".fbx": _fbx,
    ".glb": _glb,
    ".bvh": _bvh,
    ".usd": _usd,
    ".usda": _usd,
    ".usdc": _usd,
    ".usdz": _usd,
}
