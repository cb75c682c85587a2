# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin in Blender: an armature and one skinned mesh, made by code from nothing."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .body import figure
from .bones import BONES
from .shapes import BODY, JOINT, Part

SUBDIVISIONS = 1
COLOURS = {
    BODY: ("Mannequin body", (0.8, 0.3, 0.09, 1.0), 0.45),
    JOINT: ("Mannequin joints", (0.045, 0.05, 0.065, 1.0), 0.35),
}


def build_mannequin(scene: bpy.types.Scene, name: str = "Mannequin") -> bpy.types.Object:
    """Add a rigged humanoid to ``scene``; returns its armature object.

    It stands at the origin in a T-pose, 1.75 m tall, facing -Y; the mesh is a child of the armature.
    """
    armature = _armature(scene, name)
    mesh = _mesh(scene, f"{name} mesh", figure())
    mesh.parent = armature
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = armature
    scene.view_layers[0].update()
    return armature


def _armature(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    data = bpy.data.armatures.new(name)
    data.display_type = "STICK"
    armature = bpy.data.objects.new(name, data)
    scene.collection.objects.link(armature)
    view_layer = scene.view_layers[0]
    view_layer.update()
    previous = view_layer.objects.active
    view_layer.objects.active = armature
    # Edit bones exist in edit mode only.
    with bpy.context.temp_override(
        scene=scene,
        view_layer=view_layer,
        object=armature,
        active_object=armature,
        selected_objects=[armature],
    ):
        bpy.ops.object.mode_set(mode="EDIT")
        for spec in BONES:
            bone = data.edit_bones.new(spec.name)
            bone.head, bone.tail = Vector(spec.head), Vector(spec.tail)
            bone.align_roll(Vector(spec.z_axis))
            if spec.parent:
                bone.parent = data.edit_bones[spec.parent]
                bone.use_connect = (bone.head - bone.parent.tail).length < 1e-6
        bpy.ops.object.mode_set(mode="OBJECT")
    if previous is not None:
        view_layer.objects.active = previous
    assert armature.pose is not None
    for pose_bone in armature.pose.bones:
        pose_bone.rotation_mode = "QUATERNION"
    return armature


def _mesh(scene: bpy.types.Scene, name: str, parts: list[Part]) -> bpy.types.Object:
    vertices = np.concatenate([part.vertices for part in parts])
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])
    faces = [
        tuple(int(start) + i for i in face)
        for start, part in zip(starts, parts, strict=False)
        for face in part.faces
    ]
    cage = bpy.data.meshes.new(name)
    cage.from_pydata(vertices.tolist(), [], faces)
    for slot in (BODY, JOINT):
        cage.materials.append(_material(*COLOURS[slot]))
    cage.polygons.foreach_set("material_index", [slot for part in parts for slot in part.material])
    mesh = bpy.data.objects.new(name, cage)
    scene.collection.objects.link(mesh)
    for spec in BONES:
        mesh.vertex_groups.new(name=spec.name)
    for start, part in zip(starts, parts, strict=False):
        for bone, weights in part.weights.items():
            group = mesh.vertex_groups[bone]
            for weight in np.unique(weights[weights > 0]):
                group.add((start + np.flatnonzero(weights == weight)).tolist(), float(weight), "REPLACE")
    _subdivide(scene, mesh)
    return mesh


def _subdivide(scene: bpy.types.Scene, mesh: bpy.types.Object) -> None:
    """Replace the cage by its subdivided surface, weights and all; so every exporter sees the same mesh."""
    modifier = mesh.modifiers.new("Subdivision", "SUBSURF")
    assert isinstance(modifier, bpy.types.SubsurfModifier)
    modifier.levels = SUBDIVISIONS
    view_layer = scene.view_layers[0]
    view_layer.update()
    cage = mesh.data
    assert isinstance(cage, bpy.types.Mesh)
    assert view_layer.depsgraph is not None
    smooth = bpy.data.meshes.new_from_object(mesh.evaluated_get(view_layer.depsgraph))
    mesh.modifiers.remove(modifier)
    name = cage.name
    mesh.data = smooth
    bpy.data.meshes.remove(cage)
    smooth.name = name
    smooth.shade_smooth()


def _material(name: str, colour: tuple[float, float, float, float], roughness: float) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    # What Workbench shows; the shader below is for every other renderer.
    material.diffuse_color = colour  # type: ignore[assignment]  # Blender takes tuples
    material.roughness = roughness
    if bpy.app.version < (5, 0):
        material.use_nodes = True  # always so from 5.0 on
    assert material.node_tree is not None
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    inputs: Any = shader.inputs  # sockets of many types, which their names tell apart
    inputs["Base Color"].default_value = colour
    inputs["Roughness"].default_value = roughness
    return material
