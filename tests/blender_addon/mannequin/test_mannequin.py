# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure made by code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videomdm_blender.mannequin.body import figure
from videomdm_blender.mannequin.bones import BONES


def vertices(bpy: Any, armature: Any) -> np.ndarray:
    """(V, 3) the skin as it is posed now."""
    bpy.context.view_layer.update()
    skin = armature.children[0].evaluated_get(bpy.context.view_layer.depsgraph)
    points = np.empty((len(skin.data.vertices), 3), np.float32)
    skin.data.vertices.foreach_get("co", points.ravel())
    return points


def weights(armature: Any) -> np.ndarray:
    """(V, bones) of the skin."""
    skin = armature.children[0]
    table = np.zeros((len(skin.data.vertices), len(skin.vertex_groups)))
    for vertex in skin.data.vertices:
        for element in vertex.groups:
            table[vertex.index, element.group] = element.weight
    return table


def test_parts_are_closed_shells_that_follow_known_bones() -> None:
    names = {bone.name for bone in BONES}
    for part in figure():
        edges: dict[tuple[int, int], int] = {}
        for face in part.faces:
            for a, b in zip(face, face[1:] + face[:1], strict=True):
                assert (a, b) not in edges  # every edge is walked once in each direction
                edges[a, b] = 1
        assert all((b, a) in edges for a, b in edges)
        assert set(part.weights) <= names
        corners = [part.vertices[list(face)] for face in part.faces]
        volume = sum(
            float(np.dot(face[0], np.cross(face[i], face[i + 1])))
            for face in corners
            for i in range(1, len(face) - 1)
        )
        assert volume > 0  # faces look outwards


def test_bones(mannequin: Any) -> None:
    assert len(mannequin.data.bones) == len(BONES) == 26
    parents = {bone.name: bone.parent.name if bone.parent else "" for bone in mannequin.data.bones}
    assert parents == {bone.name: bone.parent for bone in BONES}
    for bone in mannequin.data.bones:
        if "Left" in bone.name:
            other = mannequin.data.bones[bone.name.replace("Left", "Right")]
            assert np.allclose(np.array(bone.head_local) * [-1, 1, 1], other.head_local, atol=1e-6)
            assert bone.head_local.x > 0


def test_it_stands_on_the_floor_and_is_as_tall_as_a_person(bpy: Any, mannequin: Any) -> None:
    points = vertices(bpy, mannequin)
    assert -0.005 < points[:, 2].min() < 0.01
    assert points[:, 2].max() == pytest.approx(1.75, abs=0.02)
    assert np.ptp(points[:, 0]) == pytest.approx(1.77, abs=0.05)
    assert points[:, 0].max() == pytest.approx(-points[:, 0].min(), abs=1e-4)
    toes = points[points[:, 2] < 0.05]
    assert toes[:, 1].min() < -0.18 and toes[:, 1].max() < 0.09  # it faces -Y


def test_weights_sum_to_one_everywhere(mannequin: Any) -> None:
    assert np.allclose(weights(mannequin).sum(1), 1.0, atol=1e-4)


def test_a_raised_arm_moves_the_arm_only(bpy: Any, mannequin: Any) -> None:
    before = vertices(bpy, mannequin)
    bone = mannequin.pose.bones["LeftArm"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0.0, 0.0, math.radians(60))
    moved = np.linalg.norm(vertices(bpy, mannequin) - before, axis=-1) > 1e-4
    groups = [group.name for group in mannequin.children[0].vertex_groups]
    arm = [
        index for index, name in enumerate(groups) if name.startswith(("LeftArm", "LeftForeArm", "LeftHand"))
    ]
    follows = weights(mannequin)[:, arm].sum(1) > 0
    assert moved[follows].mean() > 0.95 and not moved[~follows].any()


def test_every_bone_moves_something(mannequin: Any) -> None:
    assert (weights(mannequin).max(0) > 0.99).all()


def test_two_of_them_share_nothing(bpy: Any, scene: Any) -> None:
    from videomdm_blender.mannequin.build import build_mannequin

    first, second = build_mannequin(scene), build_mannequin(scene, "Second")
    assert first.data is not second.data and first.children[0].data is not second.children[0].data
    assert second.children[0].modifiers[0].object is second


@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_it_survives_a_file(bpy: Any, mannequin: Any, tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / f"mannequin.{kind}")
    names = {bone.name for bone in mannequin.data.bones}
    if kind == "glb":
        bpy.ops.export_scene.gltf(filepath=path)
    else:
        bpy.ops.export_scene.fbx(filepath=path, add_leaf_bones=False)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if kind == "glb":
        bpy.ops.import_scene.gltf(filepath=path)
    else:
        bpy.ops.import_scene.fbx(filepath=path)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    assert {bone.name for bone in armature.data.bones} == names
    assert armature.children[0].type == "MESH"
