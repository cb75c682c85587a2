# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs with the names and the hierarchies that public files of their kinds have, and their true mappings.

Each is a tree of bones, written by indentation: ``NAME = slot`` for a bone of the body, ``@`` for the side.
Bones of the body stand where those of the tests' body do; helpers beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.blender_addon.support.rigs import A_POSE, body
from tests.blender_addon.support.variants import Case, Row, rest_of

from videomdm_blender.retarget.slots import SIDE_SLOTS, SIDES

HELPER = 0.02  # how far helpers lie beside their parents


@dataclass(frozen=True)
class Kind:
    """A kind of rig: what stands for "@" on the left and on the right, and its tree."""

    sides: tuple[str, str]
    tree: str


KINDS = {
    "Character Creator": Kind(
        ("L", "R"),
        """
RL_BoneRoot
    CC_Base_Hip = hips
        CC_Base_Pelvis
            CC_Base_@_Thigh = thigh
                CC_Base_@_ThighTwist01
                    CC_Base_@_ThighTwist02
                CC_Base_@_Calf = shin
                    CC_Base_@_CalfTwist01
                    CC_Base_@_Foot = foot
                        CC_Base_@_ToeBaseShareBone
                        CC_Base_@_ToeBase = toe
                            CC_Base_@_BigToe1
                    CC_Base_@_KneeShareBone
        CC_Base_Waist = spine
            CC_Base_Spine01 = spine
                CC_Base_Spine02 = spine
                    CC_Base_@_Breast
                    CC_Base_NeckTwist01 = neck
                        CC_Base_NeckTwist02 = neck
                            CC_Base_Head = head
                                CC_Base_FacialBone
                                    CC_Base_JawRoot
                                    CC_Base_@_Eye
                    CC_Base_@_Clavicle = collar
                        CC_Base_@_Upperarm = upper_arm
                            CC_Base_@_UpperarmTwist01
                                CC_Base_@_UpperarmTwist02
                            CC_Base_@_Forearm = forearm
                                CC_Base_@_ForearmTwist01
                                CC_Base_@_Hand = hand
                                    CC_Base_@_Thumb1
                                        CC_Base_@_Thumb2
                                    CC_Base_@_Index1
                                        CC_Base_@_Index2
                                CC_Base_@_ElbowShareBone
""",
    ),
    "Genesis 9": Kind(
        ("l", "r"),
        """
hip = hips
    pelvis
        @_thigh = thigh
            @_thightwist1
            @_thightwist2
            @_shin = shin
                @_foot = foot
                    @_metatarsal
                    @_toes = toe
                        @_bigtoe1
                            @_bigtoe2
                        @_pinkytoe1
    spine1 = spine
        spine2 = spine
            spine3 = spine
                spine4 = spine
                    @_pectoral
                    neck1 = neck
                        neck2 = neck
                            head = head
                                lowerjaw
                                @_eye
                                @_ear
                    @_shoulder = collar
                        @_upperarm = upper_arm
                            @_upperarmtwist1
                            @_upperarmtwist2
                            @_forearm = forearm
                                @_forearmtwist1
                                @_forearmtwist2
                                @_hand = hand
                                    @_thumb1
                                        @_thumb2
                                    @_indexmetacarpal
                                        @_index1
                                            @_index2
""",
    ),
    "Genesis 8": Kind(
        ("l", "r"),
        """
hip = hips
    pelvis
        @ThighBend = thigh
            @ThighTwist = thigh
                @Shin = shin
                    @Foot = foot
                        @Metatarsals
                        @Toe = toe
                            @BigToe
    abdomenLower = spine
        abdomenUpper = spine
            chestLower = spine
                @Pectoral
                chestUpper = spine
                    neckLower = neck
                        neckUpper = neck
                            head = head
                                @Eye
                                @Ear
                    @Collar = collar
                        @ShldrBend = upper_arm
                            @ShldrTwist = upper_arm
                                @ForearmBend = forearm
                                    @ForearmTwist = forearm
                                        @Hand = hand
                                            @Thumb1
                                                @Thumb2
                                            @Carpal1
                                                @Index1
""",
    ),
    "SMPL": Kind(
        ("L", "R"),
        """
m_avg_root
    m_avg_Pelvis = hips
        m_avg_@_Hip = thigh
            m_avg_@_Knee = shin
                m_avg_@_Ankle = foot
                    m_avg_@_Foot = toe
        m_avg_Spine1 = spine
            m_avg_Spine2 = spine
                m_avg_Spine3 = spine
                    m_avg_Neck = neck
                        m_avg_Head = head
                    m_avg_@_Collar = collar
                        m_avg_@_Shoulder = upper_arm
                            m_avg_@_Elbow = forearm
                                m_avg_@_Wrist = hand
                                    m_avg_@_Hand
""",
    ),
    "SMPL-X": Kind(
        SIDES,
        """
root
    pelvis = hips
        @_hip = thigh
            @_knee = shin
                @_ankle = foot
                    @_foot = toe
        spine1 = spine
            spine2 = spine
                spine3 = spine
                    neck = neck
                        head = head
                            jaw
                            @_eye_smplhf
                    @_collar = collar
                        @_shoulder = upper_arm
                            @_elbow = forearm
                                @_wrist = hand
                                    @_thumb1
                                        @_thumb2
                                    @_index1
                                        @_index2
""",
    ),
    "Acclaim": Kind(
        ("l", "r"),
        """
root = hips
    @hipjoint
        @femur = thigh
            @tibia = shin
                @foot = foot
                    @toes = toe
    lowerback = spine
        upperback = spine
            thorax = spine
                lowerneck = neck
                    upperneck = neck
                        head = head
                @clavicle = collar
                    @humerus = upper_arm
                        @radius = forearm
                            @wrist = hand
                                @hand
                                    @fingers
                                @thumb
""",
    ),
    "Unity": Kind(
        ("Left", "Right"),
        """
Hips = hips
    @UpperLeg = thigh
        @LowerLeg = shin
            @Foot = foot
                @Toes = toe
    Spine = spine
        Chest = spine
            UpperChest = spine
                Neck = neck
                    Head = head
                        Jaw
                        @Eye
                @Shoulder = collar
                    @UpperArm = upper_arm
                        @LowerArm = forearm
                            @Hand = hand
                                @ThumbProximal
                                    @ThumbIntermediate
                                @IndexProximal
                                    @IndexIntermediate
""",
    ),
    "Ready Player Me": Kind(
        ("Left", "Right"),
        """
Hips = hips
    @UpLeg = thigh
        @Leg = shin
            @Foot = foot
                @ToeBase = toe
                    @Toe_End
    Spine = spine
        Spine1 = spine
            Spine2 = spine
                Neck = neck
                    Head = head
                        HeadTop_End
                        @Eye
                @Shoulder = collar
                    @Arm = upper_arm
                        @ForeArm = forearm
                            @Hand = hand
                                @HandThumb1
                                    @HandThumb2
                                @HandIndex1
                                    @HandIndex2
""",
    ),
    "Auto-Rig Pro": Kind(
        ("l", "r"),
        """
root.x = hips
    thigh_stretch.@ = thigh
        thigh_twist.@
        leg_stretch.@ = shin
            leg_twist.@
            foot.@ = foot
                toes_01.@ = toe
    spine_01.x = spine
        spine_02.x = spine
            spine_03.x = spine
                neck.x = neck
                    head.x = head
                shoulder.@ = collar
                    arm_stretch.@ = upper_arm
                        arm_twist.@
                        forearm_stretch.@ = forearm
                            forearm_twist.@
                            hand.@ = hand
                                thumb1.@
                                    c_thumb2.@
                                index1.@
                                    c_index2.@
""",
    ),
    "Auto-Rig Pro, universal": Kind(
        ("l", "r"),
        """
root.x = hips
    thigh_twist.@ = thigh
        thigh_stretch.@ = thigh
            leg_stretch.@ = shin
                leg_twist.@ = shin
                    foot.@ = foot
                        toes_01.@ = toe
    spine_01.x = spine
        spine_02.x = spine
            spine_03.x = spine
                neck.x = neck
                    head.x = head
                shoulder.@ = collar
                    c_arm_twist_offset.@ = upper_arm
                        arm_stretch.@ = upper_arm
                            forearm_stretch.@ = forearm
                                forearm_twist.@ = forearm
                                    hand.@ = hand
                                        thumb1.@
                                            c_thumb2.@
                                        index1.@
                                            c_index2.@
""",
    ),
    "3ds Max Biped": Kind(
        ("L", "R"),
        """
Bip001
    Bip001 Pelvis = hips
        Bip001 Spine = spine
            Bip001 @ Thigh = thigh
                Bip001 @ Calf = shin
                    Bip001 @ Foot = foot
                        Bip001 @ Toe0 = toe
            Bip001 Spine1 = spine
                Bip001 Spine2 = spine
                    Bip001 Neck = neck
                        Bip001 Head = head
                        Bip001 @ Clavicle = collar
                            Bip001 @ UpperArm = upper_arm
                                Bip001 @ Forearm = forearm
                                    Bip001 @ Hand = hand
                                        Bip001 @ Finger0
                                            Bip001 @ Finger01
                                        Bip001 @ Finger1
                                            Bip001 @ Finger11
""",
    ),
    "Source engine": Kind(
        ("L", "R"),
        """
ValveBiped.Bip01_Pelvis = hips
    ValveBiped.Bip01_@_Thigh = thigh
        ValveBiped.Bip01_@_Calf = shin
            ValveBiped.Bip01_@_Foot = foot
                ValveBiped.Bip01_@_Toe0 = toe
    ValveBiped.Bip01_Spine = spine
        ValveBiped.Bip01_Spine1 = spine
            ValveBiped.Bip01_Spine2 = spine
                ValveBiped.Bip01_Spine4 = spine
                    ValveBiped.Bip01_Neck1 = neck
                        ValveBiped.Bip01_Head1 = head
                    ValveBiped.Bip01_@_Clavicle = collar
                        ValveBiped.Bip01_@_UpperArm = upper_arm
                            ValveBiped.Bip01_@_Forearm = forearm
                                ValveBiped.Bip01_@_Hand = hand
                                    ValveBiped.Bip01_@_Finger0
                                        ValveBiped.Bip01_@_Finger01
                                    ValveBiped.Bip01_@_Finger1
                                        ValveBiped.Bip01_@_Finger11
""",
    ),
}


@dataclass(frozen=True)
class _Line:
    name: str
    parent: str
    slot: str


def known_rig(name: str) -> Case:
    """A rig of a kind, in A-pose, with its true mapping."""
    lines = _lines(KINDS[name])
    truth: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if line.slot:
            truth[line.slot] = (*truth.get(line.slot, ()), line.name)
    rest, slots = body(A_POSE)
    starts = {slot: rest.head(slots.first(slot)) for slot in slots.slots}
    forward, up = rest.front, rest.up
    places: dict[str, np.ndarray] = {}
    for line in lines:
        if line.slot:
            chain = truth[line.slot]
            places[line.name] = _along(starts, line.slot, chain.index(line.name) / len(chain))
        elif line.parent in places:
            places[line.name] = places[line.parent] + _beside(line, lines, starts, forward, up)
        else:
            places[line.name] = starts["hips"] * (1.0 - up)  # on the floor
    tails = {line.parent: places[line.name] for line in reversed(lines) if line.parent}
    still = np.array([1.0, 0.0, 0.0, 0.0])
    rows = []
    for line in lines:
        tail = tails.get(line.name, places[line.name])
        if line.slot == "head":
            tail = places[line.name] + 0.2 * up
        elif float(np.linalg.norm(tail - places[line.name])) < 1e-6:
            tail = places[line.name] + HELPER * up
        rows.append(Row(line.name, line.parent, places[line.name], tail, still))
    return Case(rest_of(rows, up, forward), truth)


def _lines(kind: Kind) -> list[_Line]:
    """The tree's bones, parents first, those of the sides once for each side."""
    found: list[_Line] = []
    above: list[str] = []
    for text in kind.tree.strip("\n").splitlines():
        depth = (len(text) - len(text.lstrip())) // 4
        name, _, slot = text.strip().partition(" = ")
        del above[depth:]
        parent = above[-1] if above else ""
        above.append(name)
        if "@" not in name:
            found.append(_Line(name, parent, slot))
            continue
        for side, letters in zip(SIDES, kind.sides, strict=True):
            sided = f"{side}_{slot}" if slot in SIDE_SLOTS else slot
            found.append(_Line(name.replace("@", letters), parent.replace("@", letters), sided))
    return found


def _along(starts: dict[str, np.ndarray], slot: str, share: float) -> np.ndarray:
    """Where a bone of a slot begins, as a share of the way to the next slot."""
    if slot == "spine":
        return np.asarray(starts["hips"] + (0.25 + 0.6 * share) * (starts["neck"] - starts["hips"]))
    order = ("neck", "head") if slot in ("neck", "head") else SIDE_SLOTS
    side, part = slot.split("_", 1) if slot not in ("neck", "head", "hips") else ("", slot)
    last = part in ("hips", "head", "hand", "toe")
    if last or not share:
        return starts[slot]
    after = order[order.index(part) + 1]
    return np.asarray(starts[slot] + share * (starts[f"{side}_{after}" if side else after] - starts[slot]))


def _beside(
    line: _Line, lines: list[_Line], starts: dict[str, np.ndarray], forward: np.ndarray, up: np.ndarray
) -> np.ndarray:
    """(3,) from its parent to a helper."""
    parent = next(other for other in lines if other.name == line.parent)
    children = [other for other in lines if other.parent == line.name]
    siblings = [other.name for other in lines if other.parent == line.parent and not other.slot]
    if any(child.slot for child in children):  # half a pelvis, a hip joint
        return -0.01 * up
    side = next((side for side in SIDES if parent.slot.startswith(f"{side}_")), "")
    part = parent.slot.removeprefix(f"{side}_")
    after = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}.get(part)
    number = siblings.index(line.name)
    if after is not None:  # twist and share bones lie on the limb
        return np.asarray(
            (0.5, 0.75, 1.0)[min(number, 2)] * (starts[f"{side}_{after}"] - starts[parent.slot])
        )
    if part == "hand" or (not parent.slot and not siblings[1:]):  # fingers go on outwards
        out = _outwards(line, lines, starts)
        return np.asarray(1.5 * HELPER * out + 0.5 * HELPER * number * forward)
    sideways = starts["left_thigh"] - starts["right_thigh"]
    sideways = sideways / np.linalg.norm(sideways)
    sign = {0: 0.0, 1: 1.0}.get(number, -1.0) if not side else (1.0 if side == "left" else -1.0)
    return np.asarray(HELPER * (forward + 0.5 * sign * sideways))


def _outwards(line: _Line, lines: list[_Line], starts: dict[str, np.ndarray]) -> np.ndarray:
    """(3,) from the elbow to the wrist of the side on which a helper hangs; zero where it hangs on none."""
    by_name = {other.name: other for other in lines}
    at = line
    while at.parent:
        at = by_name[at.parent]
        if at.slot.endswith("_hand"):
            way = starts[at.slot] - starts[at.slot.replace("hand", "forearm")]
            return np.asarray(way / np.linalg.norm(way))
    return np.array([0.0, 0.0, 0.2])
