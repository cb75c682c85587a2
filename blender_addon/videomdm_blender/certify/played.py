# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a take and notes where Blender shows the rig's joints, in the axes and the size of the motion."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from videomdm.motion import rotations
from videomdm.motion.skeleton import JOINT_NAMES

from ..retarget.frames import Y, compose, inverse, rotate
from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.root import leg_length
from ..retarget.slots import SIDES, SLOTS
from ..retarget.stance import Stance
from .measures import JOINT_OF, Body

SAME_PLACE = 1e-3  # of the rig's leg: a bone that begins this near to a control stands for it
SAME_WAY = np.cos(np.radians(5.0))
SOLE_LIFT = 0.02  # metres of the lowest joint over the floor, where a rig's rest pose does not show it


@dataclass(frozen=True)
class Watched:
    """What to look at on a rig.

    joints: slot -> the bone whose head is the slot's joint: of a control rig the bone that deforms there.
    turned: slot -> the last mapped bone of the slot, which has all of its turn.
    tips:   slot -> the bone whose tail ends the limb, where no bone follows.
    floor, sole: heights of the floor, and of the soles at rest, along the motion's Y, metres of the motion.
    scale:  armature units per metre of the motion's body.
    """

    stance: Stance
    joints: dict[str, str]
    turned: dict[str, str]
    tips: dict[str, str]
    floor: float
    sole: float
    scale: float

    @property
    def bones(self) -> list[str]:
        """All bones that are looked at."""
        return list(dict.fromkeys([*self.joints.values(), *self.turned.values(), *self.tips.values()]))


def watch(armature: bpy.types.Object, rest: RigRest, mapping: Mapping, positions: Array) -> Watched:
    """Choose what to look at; ``positions`` (T, 22, 3) tell how large the motion's body is."""
    stance = Stance(rest, mapping)
    deforming = _deforming(armature)
    joints = {slot: _shown(stance, mapping.first(slot), deforming) for slot in SLOTS if mapping.chain(slot)}
    turned = {slot: mapping.chain(slot)[-1] for slot in joints}
    tips = {
        slot: _shown(stance, mapping.chain(slot)[-1], deforming)
        for side in SIDES
        for slot, following in ((f"{side}_forearm", f"{side}_hand"), (f"{side}_foot", f"{side}_toe"))
        if following not in joints
    }
    scale = stance.leg_length / leg_length(positions)
    ground = np.array(armature.matrix_world.inverted_safe().translation, float)
    floor, sole = _floor(stance, float(rotate(stance.axes, ground)[1]), scale)
    return Watched(stance, joints, turned, tips, floor / scale, sole / scale, scale)


def play(
    scene: bpy.types.Scene, armature: bpy.types.Object, watched: Watched, frames: range, fps: float
) -> Body:
    """Play ``frames`` and read the evaluated pose of each: constraints, drivers and all."""
    names = watched.bones
    matrices = np.empty((len(frames), len(names), 4, 4))
    heads, tails = np.empty((2, len(frames), len(names), 3))
    before = scene.frame_current
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        pose = _evaluated(scene, armature)
        for b, name in enumerate(names):
            bone = pose.bones[name]
            matrices[t, b] = np.array(bone.matrix, float)
            heads[t, b], tails[t, b] = np.array(bone.head, float), np.array(bone.tail, float)
    scene.frame_set(before)
    return _body(watched, names, matrices, heads, tails, fps)


def _evaluated(scene: bpy.types.Scene, armature: bpy.types.Object) -> bpy.types.Pose:
    depsgraph = scene.view_layers[0].depsgraph
    assert depsgraph is not None
    pose = armature.evaluated_get(depsgraph).pose
    assert pose is not None
    return pose


def _body(
    watched: Watched, names: list[str], matrices: Array, heads: Array, tails: Array, fps: float
) -> Body:
    axes, scale = watched.stance.axes, watched.scale
    rest = watched.stance.rest
    at = {name: index for index, name in enumerate(names)}
    stretch = np.linalg.norm(matrices[..., :3, :3], axis=-2)  # (T, B, 3) the bones' scale along their axes
    world = rotations.from_matrix(matrices[..., :3, :3] / stretch[..., None, :])
    heads, tails = rotate(axes, heads) / scale, rotate(axes, tails) / scale
    rest_heads, rest_tails = (rotate(axes, ends) / scale for ends in (rest.heads, rest.tails))
    joints: dict[str, Array] = {}
    resting: dict[str, Array] = {}
    for slot, bone in watched.joints.items():
        if slot in JOINT_OF:
            joints[JOINT_OF[slot]] = heads[:, at[bone]]
            resting[JOINT_OF[slot]] = rest_heads[rest.index(bone)]
    for slot, bone in watched.tips.items():
        joint = {"forearm": "wrist", "foot": "foot"}[slot.split("_", 1)[1]]
        name = f"{slot.split('_', 1)[0]}_{joint}"
        joints[name] = tails[:, at[bone]]
        resting[name] = rest_tails[rest.index(bone)]
    turns = {}
    for slot, bone in watched.turned.items():
        resting_turn = rest.rotations[rest.index(bone)]
        turns[slot] = rotations.continuous(
            compose(axes, world[:, at[bone]], inverse(resting_turn), inverse(axes))
        )
    return Body(
        joints=joints,
        resting=resting,
        turns=turns,
        stretch=np.abs(stretch - 1.0).max(axis=(1, 2)),
        floor=watched.floor,
        sole=watched.sole,
        fps=fps,
        tips=_tips(watched.stance, scale, joints, turns),
    )


def _tips(
    stance: Stance, scale: float, joints: dict[str, Array], turns: dict[str, Array]
) -> dict[str, Array]:
    """The tips of toes, as ``Body`` has them."""
    tips = {}
    for side, forward, (ahead, below) in zip(
        SIDES, stance.feet_forward, stance.toe_tips / scale, strict=True
    ):
        if ahead > 0.0:
            tip = rotate(turns[f"{side}_toe"], ahead * forward - below * Y)
            tips[f"{side}_foot"] = joints[f"{side}_foot"] + tip + below * Y
    return tips


def _deforming(armature: bpy.types.Object) -> npt.NDArray[np.str_]:
    """Names of the bones that move the skin; all bones where none does."""
    data = armature.data
    assert isinstance(data, bpy.types.Armature)
    names = [bone.name for bone in data.bones if bone.use_deform]
    return np.array(names or [bone.name for bone in data.bones])


def _shown(stance: Stance, name: str, deforming: npt.NDArray[np.str_]) -> str:
    """The deforming bone that lies where bone ``name`` does at rest, or the bone itself."""
    if name in deforming:
        return name
    rest = stance.rest
    rows = [rest.index(str(other)) for other in deforming]
    index = rest.index(name)
    distance = np.linalg.norm(rest.heads[rows] - rest.heads[index], axis=-1)
    along = rest.tails - rest.heads
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-12)
    fits = (distance < SAME_PLACE * stance.leg_length) & (along[rows] @ along[index] > SAME_WAY)
    return str(deforming[int(np.argmax(fits))]) if fits.any() else name


def _floor(stance: Stance, ground: float, scale: float) -> tuple[float, float]:
    """Heights of the floor during a take, and of the soles at rest, in the rig's unit along the motion's Y."""
    lowest = min(
        float(stance.place(slot)[1])
        for side in SIDES
        for slot in (f"{side}_foot", f"{side}_toe")
        if stance.mapping.chain(slot)
    )
    stands = -0.03 * stance.leg_length <= lowest - ground <= 0.15 * stance.leg_length
    if stance.floor is not None:
        return stance.floor, lowest - SOLE_LIFT * scale
    sole = ground if stands else lowest - SOLE_LIFT * scale
    return sole, sole


assert set(JOINT_OF.values()) <= set(JOINT_NAMES)
