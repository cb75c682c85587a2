# SPDX-License-Identifier: GPL-3.0-or-later
"""Control rigs made bone by bone: FK and IK chains side by side, deforming bones that copy from both.

``ARP`` has the names, the constraints and the switch of Auto-Rig Pro's arms and legs (deforming bones copy the
rotation of FK and IK bones, driven by ``ik_fk_switch``; IK controls hang on ``c_traj`` by Child Of constraints).
``STUDIO`` is a rig of nobody's: Mixamo bones that copy from controls, with a switch that counts the other way and
FK arms that hang on the shoulders by a constraint of their parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any

Point = tuple[float, float, float]
MIDDLE: dict[str, tuple[Point, Point, str]] = {
    "hips": ((0, 0, 0.95), (0, 0, 1.05), ""),
    "spine1": ((0, 0, 1.05), (0, -0.01, 1.22), "hips"),
    "spine2": ((0, -0.01, 1.22), (0, 0.01, 1.44), "spine1"),
    "neck": ((0, 0.01, 1.46), (0, -0.01, 1.55), "spine2"),
    "head": ((0, -0.01, 1.55), (0, -0.01, 1.74), "neck"),
}
LEFT: dict[str, tuple[Point, Point, str]] = {
    "collar": ((0.03, 0, 1.41), (0.16, 0.01, 1.42), "spine2"),
    "upper_arm": ((0.16, 0.01, 1.42), (0.36, 0.04, 1.24), "collar"),
    "forearm": ((0.36, 0.04, 1.24), (0.55, -0.01, 1.08), "upper_arm"),
    "hand": ((0.55, -0.01, 1.08), (0.62, -0.03, 1.01), "forearm"),
    "thigh": ((0.09, 0, 0.92), (0.1, -0.03, 0.5), "hips"),
    "shin": ((0.1, -0.03, 0.5), (0.11, 0.02, 0.09), "thigh"),
    "foot": ((0.11, 0.02, 0.09), (0.12, -0.11, 0.02), "shin"),
    "toe": ((0.12, -0.11, 0.02), (0.12, -0.19, 0.02), "foot"),
}
LIMBS = (("upper_arm", "forearm", "hand", 0.5), ("thigh", "shin", "foot", -0.5))
TRUNK = ("hips", "spine1", "spine2", "neck", "head", "collar")
MECHANISM = 0.4  # of a control's length: mechanism bones are shorter


@dataclass(frozen=True)
class Style:
    """How a rig's bones are called; "@" is the side.

    deform, control, chain: slot -> deforming bone, FK control, mechanism bone that the IK bends.
    target, pole:           of the hand and the foot.
    reverse:                between the foot's target and the foot: the heel's control and what it carries.
    fk:                     value of ``ik_fk_switch`` with which FK rules; the other one is 1 - fk.
    child_of:               IK controls hang by Child Of constraints, not by their parents.
    loose:                  FK arms have the master as parent of their parent, and a constraint that holds them.
    """

    sides: tuple[str, str]
    master: str
    deform: Mapping[str, str]
    control: Mapping[str, str]
    chain: Mapping[str, str]
    target: Mapping[str, str]
    pole: Mapping[str, str]
    reverse: tuple[str, str]
    toe: str
    fk: float
    child_of: bool = False
    loose: bool = False


ARP = Style(
    sides=("l", "r"),
    master="c_traj",
    deform={
        "hips": "root.x", "spine1": "spine_01.x", "spine2": "spine_02.x", "neck": "neck.x", "head": "head.x",
        "collar": "shoulder.@", "upper_arm": "arm.@", "forearm": "forearm.@", "hand": "hand.@",
        "thigh": "thigh.@", "shin": "leg.@", "foot": "foot.@", "toe": "toes_01.@",
    },
    control={
        "hips": "c_root_master.x", "spine1": "c_spine_01.x", "spine2": "c_spine_02.x", "neck": "c_neck.x",
        "head": "c_head.x", "collar": "c_shoulder.@", "upper_arm": "c_arm_fk.@", "forearm": "c_forearm_fk.@",
        "hand": "c_hand_fk.@", "thigh": "c_thigh_fk.@", "shin": "c_leg_fk.@", "foot": "c_foot_fk.@",
        "toe": "c_toes_fk.@",
    },
    chain={"upper_arm": "arm_ik.@", "forearm": "forearm_ik.@", "thigh": "thigh_ik.@", "shin": "leg_ik.@"},
    target={"hand": "c_hand_ik.@", "foot": "c_foot_ik.@"},
    pole={"hand": "c_arms_pole.@", "foot": "c_leg_pole.@"},
    reverse=("c_foot_01.@", "foot_ik_target.@"),
    toe="c_toes_ik.@",
    fk=1.0,
    child_of=True,
)  # fmt: skip
STUDIO = Style(
    sides=("Left", "Right"),
    master="Ctrl_Master",
    deform={
        "hips": "mixamorig:Hips", "spine1": "mixamorig:Spine", "spine2": "mixamorig:Spine1",
        "neck": "mixamorig:Neck", "head": "mixamorig:Head", "collar": "mixamorig:@Shoulder",
        "upper_arm": "mixamorig:@Arm", "forearm": "mixamorig:@ForeArm", "hand": "mixamorig:@Hand",
        "thigh": "mixamorig:@UpLeg", "shin": "mixamorig:@Leg", "foot": "mixamorig:@Foot",
        "toe": "mixamorig:@ToeBase",
    },
    control={
        "hips": "Body", "spine1": "Belly", "spine2": "Ribs", "neck": "Throat", "head": "Skull",
        "collar": "Clav @", "upper_arm": "Bicep FK @", "forearm": "Ulna FK @", "hand": "Palm FK @",
        "thigh": "Ham FK @", "shin": "Calf FK @", "foot": "Paw FK @", "toe": "Ball FK @",
    },
    chain={"upper_arm": "m1 @", "forearm": "m2 @", "thigh": "m3 @", "shin": "m4 @"},
    target={"hand": "Palm IK @", "foot": "Paw IK @"},
    pole={"hand": "Elbow @", "foot": "Knee @"},
    reverse=("Heel @", "m5 @"),
    toe="Ball IK @",
    fk=0.0,
    loose=True,
)  # fmt: skip


def build(scene: Any, style: Style) -> Any:
    """Put such a rig into the scene; returns the armature object."""
    import bpy

    data = bpy.data.armatures.new("rig")
    rig = bpy.data.objects.new("rig", data)
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    _bones(data, style)
    bpy.ops.object.mode_set(mode="OBJECT")
    shape = bpy.data.objects.new("shape", None)
    names = [name for table in (style.control, style.target, style.pole) for name in table.values()]
    for name in (*names, style.master, style.reverse[0]):
        for side in style.sides:
            rig.pose.bones[name.replace("@", side)].custom_shape = shape
    for side in style.sides:
        for upper, lower, end, _ in LIMBS:
            _limb(rig, style, side, upper, lower, end)
    for slot in TRUNK:
        for side in style.sides:
            bone = rig.pose.bones[style.deform[slot].replace("@", side)]
            if not bone.constraints:
                _copy(rig, bone, "COPY_TRANSFORMS", style.control[slot].replace("@", side))
    bpy.context.view_layer.update()
    return rig


def _bones(data: Any, style: Style) -> None:
    """Deforming bones and FK controls in hierarchies of their own, the IK chains beside them."""

    def add(name: str, head: Point, tail: Point, parent: str = "", share: float = 1.0) -> None:
        bone = data.edit_bones.new(name)
        bone.head = head
        bone.tail = [h + share * (t - h) for h, t in zip(head, tail, strict=True)]
        bone.align_roll((0.0, 1.0, 0.0))
        if parent:
            bone.parent = data.edit_bones[parent]

    add(style.master, (0, 0, 0), (0, 0.3, 0))
    for table, root in ((style.deform, ""), (style.control, style.master)):
        for slot, (head, tail, parent) in MIDDLE.items():
            add(table[slot], head, tail, table[parent] if parent else root)
        for side, sign in zip(style.sides, (1, -1), strict=True):
            for slot, (head, tail, parent) in LEFT.items():
                above = table[parent].replace("@", side)
                if table is style.control and slot == "upper_arm":
                    above = _arm_holder(add, style, side, sign, above)
                add(table[slot].replace("@", side), _side(head, sign), _side(tail, sign), above)
    for side, sign in zip(style.sides, (1, -1), strict=True):
        for upper, lower, end, away in LIMBS:
            first, last = style.chain[upper].replace("@", side), style.chain[lower].replace("@", side)
            carrier = style.control[LEFT[upper][2] if upper == "upper_arm" else "hips"].replace("@", side)
            add(first, _side(LEFT[upper][0], sign), _side(LEFT[upper][1], sign), carrier)
            add(last, _side(LEFT[lower][0], sign), _side(LEFT[lower][1], sign), first)
            target, pole = style.target[end].replace("@", side), style.pole[end].replace("@", side)
            hung = "" if style.child_of else style.master
            add(target, _side(LEFT[end][0], sign), _side(LEFT[end][1], sign), hung)
            x, y, z = _side(LEFT[lower][0], sign)
            add(pole, (x, y + away, z), (x, y + away, z + 0.1), hung)
        heel, ankle = (name.replace("@", side) for name in style.reverse)
        head, tail = (_side(point, sign) for point in LEFT["foot"][:2])
        add(heel, (head[0], 0.08, 0.0), (head[0], 0.0, 0.0), style.target["foot"].replace("@", side))
        add(ankle, head, tail, heel, MECHANISM)
        add(style.toe.replace("@", side), *(_side(point, sign) for point in LEFT["toe"][:2]), ankle)


def _arm_holder(add: Any, style: Style, side: str, sign: int, collar: str) -> str:
    """What the FK arm hangs on."""
    if not style.loose:
        return style.control["spine2"]
    add(f"hold {side}", _side(LEFT["upper_arm"][0], sign), (0, 0, 2.0), style.master)
    return f"hold {side}"


def _limb(rig: Any, style: Style, side: str, upper: str, lower: str, end: str) -> None:
    bones, arm = rig.pose.bones, end == "hand"

    def called(name: str) -> str:
        return name.replace("@", side)

    target, pole = called(style.target[end]), called(style.pole[end])
    bones[target]["ik_fk_switch"] = 1.0 - style.fk
    shows_end = target if arm else called(style.reverse[1])
    ik = bones[called(style.chain[lower])].constraints.new("IK")
    ik.target = ik.pole_target = rig
    ik.subtarget, ik.pole_subtarget, ik.chain_count = shows_end, pole, 2
    ik.pole_angle = _pole_angle(rig, called(style.chain[upper]), called(style.chain[lower]), pole)
    if style.child_of:
        for bone, holder in ((target, style.master), (pole, style.control["hips"])):
            _child_of(rig, bones[bone], holder)
    shoulder = called(style.control["collar"])
    if arm and style.loose:
        _child_of(rig, bones[f"hold {side}"], shoulder)
    elif arm:
        location = bones[called(style.control[upper])].constraints.new("COPY_LOCATION")
        location.target, location.subtarget, location.head_tail = rig, shoulder, 1.0
    sources = [(upper, style.chain[upper]), (lower, style.chain[lower]), (end, shows_end)]
    for slot, source in [*sources, *([] if arm else [("toe", style.toe)])]:
        bone = bones[called(style.deform[slot])]
        for ruler, rules in ((called(style.control[slot]), style.fk), (called(source), 1.0 - style.fk)):
            copy = _copy(rig, bone, "COPY_ROTATION", ruler)
            driver = copy.driver_add("influence").driver
            variable = driver.variables.new()
            variable.name = "switch"
            variable.targets[0].id = rig
            variable.targets[0].data_path = f'pose.bones["{target}"]["ik_fk_switch"]'
            driver.expression = "switch" if rules else "1 - switch"


def _child_of(rig: Any, bone: Any, holder: str) -> None:
    constraint = bone.constraints.new("CHILD_OF")
    constraint.target, constraint.subtarget = rig, holder
    constraint.inverse_matrix = rig.data.bones[holder].matrix_local.inverted()


def _copy(rig: Any, bone: Any, kind: str, source: str) -> Any:
    constraint = bone.constraints.new(kind)
    constraint.target, constraint.subtarget = rig, source
    return constraint


def _pole_angle(rig: Any, upper: str, lower: str, pole: str) -> float:
    """The angle with which the limb at rest points at its pole."""
    first, last = rig.data.bones[upper], rig.data.bones[lower]
    along = first.tail_local - first.head_local
    normal = (last.tail_local - first.head_local).cross(rig.data.bones[pole].head_local - first.head_local)
    side, x = normal.cross(along), first.matrix_local.to_3x3().col[0]
    angle = x.angle(side)
    return -angle if x.cross(side).angle(along) < pi / 2 else angle


def _side(point: Point, sign: int) -> Point:
    return (sign * point[0], point[1], point[2])
