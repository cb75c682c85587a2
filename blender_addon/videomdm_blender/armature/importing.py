# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the files that rigs come in."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from videomdm.errors import UserError
from videomdm.motion.bvh import read_bvh

from ..clips import unit_of
from ..mapping.property_group import attach
from .apply import mapping_of

GLTF_MAGIC, JSON_CHUNK = b"glTF", b"JSON"


@dataclass(frozen=True)
class OpenRig:
    """A rig whose file is open.

    humanoid: the table of humanoid bones that the file declares (VRM), else None.
    """

    armature: bpy.types.Object
    humanoid: dict[str, str] | None = None


def open_rig(path: Path, name: str = "") -> OpenRig:
    """Open a rig's file in place of whatever is open, and find its armature object.

    name: of the armature object; without one the armature that can be mapped is taken.

    UserError where the file cannot be read or holds no armature.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} is no kind of rig file.", f"Use one of {', '.join(READERS)}.", "bad-rig")
    if not path.is_file():
        raise UserError(f"The rig {path} does not exist.", "Check the path.", "no-file")
    try:
        humanoid = reader(path)
    except (RuntimeError, OSError, ValueError, KeyError) as error:  # what Blender's importers raise
        last = str(error).strip().splitlines()[-1:] or ["unknown reason"]
        raise UserError(
            f"Blender cannot read the rig {path} ({last[0]}).",
            "Open it in Blender to see what is wrong.",
            "bad-rig",
        ) from error
    return OpenRig(find_armature(path.name, name), humanoid)


def find_armature(file: str, name: str = "") -> bpy.types.Object:
    """The armature object called ``name`` in the scene, or the one that can be mapped."""
    scene = bpy.context.scene
    assert scene is not None
    armatures = [thing for thing in scene.objects if thing.type == "ARMATURE"]
    if not armatures:
        raise UserError(f"{file} holds no armature.", "Use a file with a rigged character.", "no-armature")
    if name:
        called = next((armature for armature in armatures if armature.name == name), None)
        if called is None:
            names = ", ".join(armature.name for armature in armatures)
            raise UserError(f"{file} has no armature called {name!r}.", f"It has {names}.", "no-armature")
        return called
    if len(armatures) == 1:
        return armatures[0]
    sizes: dict[str, int] = {}
    for armature in armatures:
        try:
            mapping = mapping_of(armature)
        except UserError:
            continue
        # Of a Rigify meta-rig and its generated rig the one with controls.
        sizes[armature.name] = len(mapping.bones) + 1000 * len(mapping.switches)
    if not sizes:
        raise UserError(f"No armature in {file} is a humanoid.", "Use a humanoid rig.", "no-humanoid")
    return scene.objects[max(sizes, key=lambda key: sizes[key])]


def _blend(path: Path) -> None:
    attach()  # what library overrides say of a property is lost where Blender does not know it yet
    bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)


def _fbx(path: Path) -> None:
    _empty()
    bpy.ops.import_scene.fbx(filepath=str(path))


def _bvh(path: Path) -> None:
    _empty()
    bpy.ops.import_anim.bvh(
        filepath=str(path), rotate_mode="NATIVE", update_scene_fps=True, global_scale=unit_of(read_bvh(path))
    )


def _gltf(path: Path) -> dict[str, str] | None:
    _empty()
    bpy.ops.import_scene.gltf(filepath=str(path), disable_bone_shape=True)
    return declared_in_gltf(path) or None


def _vrm(path: Path) -> dict[str, str] | None:
    """A VRM avatar is a GLB file with a table of its humanoid bones; Blender knows it by the suffix only."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{path.stem}.glb"
        shutil.copyfile(path, copy)
        return _gltf(copy)


def _usd(path: Path) -> None:
    _empty()
    bpy.ops.wm.usd_import(filepath=str(path), import_textures_mode="IMPORT_PACK", set_frame_range=True)


def _empty() -> None:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


READERS: dict[str, Callable[[Path], dict[str, str] | None]] = {
    ".blend": _blend,
    ".fbx": _fbx,
    ".glb": _gltf,
    ".gltf": _gltf,
    ".vrm": _vrm,
    ".bvh": _bvh,
    ".usd": _usd,
    ".usda": _usd,
    ".usdc": _usd,
    ".usdz": _usd,
}


def declared_in_gltf(path: Path) -> dict[str, str]:
    """The table of humanoid bones of a VRM file, 0.x or 1.0: humanoid bone -> node name; empty without one.

    The formats: https://github.com/vrm-c/vrm-specification
    """
    content = _json_of(path)
    nodes = content.get("nodes", [])
    extensions = content.get("extensions", {})
    old = extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", [])
    new = extensions.get("VRMC_vrm", {}).get("humanoid", {}).get("humanBones", {})
    bones = {entry.get("bone"): entry.get("node") for entry in old}
    bones |= {bone: entry.get("node") for bone, entry in new.items()}
    return {
        str(bone): str(nodes[node]["name"])
        for bone, node in bones.items()
        if isinstance(node, int) and 0 <= node < len(nodes) and "name" in nodes[node]
    }


def _json_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    if data[:4] != GLTF_MAGIC:
        content = json.loads(data)
    elif len(data) < 20 or data[16:20] != JSON_CHUNK:
        raise ValueError("not a complete GLB file")
    else:
        (length,) = struct.unpack_from("<I", data, 12)
        content = json.loads(data[20 : 20 + length])
    if not isinstance(content, dict):
        raise ValueError("not a glTF file")
    return content
