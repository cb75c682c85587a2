# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong mappings are refused, with sentences that say what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.blender_addon.support.rigs import A_POSE, body

from videomdm.errors import UserError
from videomdm_blender.retarget.slots import REQUIRED, mirrored
from videomdm_blender.rigs import check
from videomdm_blender.rigs.check import problems
from videomdm_blender.rigs.names import side_of


def test_the_true_mapping_passes() -> None:
    rest, mapping = body(A_POSE)
    assert problems(rest, mapping) == []


def test_a_mirrored_mapping_is_refused_whatever_the_bones_are_called() -> None:
    for name in (str, lambda slot: f"b{abs(hash(slot))}"):
        rest, mapping = body(A_POSE, name=name)
        swapped = {mirrored(slot): chain for slot, chain in mapping.slots.items()}
        with pytest.raises(UserError, match="Left and right are swapped"):
            check(rest, replace(mapping, slots=swapped))


def test_a_mirrored_mapping_without_toes_is_refused_by_the_names() -> None:
    rest, mapping = body(A_POSE)
    slots = {mirrored(slot): chain for slot, chain in mapping.slots.items() if not slot.endswith("toe")}
    with pytest.raises(UserError, match="Left and right are swapped"):
        check(rest, replace(mapping, slots=slots))


@pytest.mark.parametrize("part", ["upper_arm", "hand", "foot"])
def test_one_part_on_the_wrong_side_is_refused(part: str) -> None:
    rest, mapping = body(A_POSE)
    slots = dict(mapping.slots)
    slots[f"left_{part}"], slots[f"right_{part}"] = slots[f"right_{part}"], slots[f"left_{part}"]
    with pytest.raises(UserError):
        check(rest, replace(mapping, slots=slots))


@pytest.mark.parametrize("slot", REQUIRED)
def test_missing_parts_are_named(slot: str) -> None:
    rest, mapping = body()
    slots = {key: chain for key, chain in mapping.slots.items() if key != slot}
    with pytest.raises(UserError, match=slot.replace("_", " ")):
        check(rest, replace(mapping, slots=slots))


def test_bones_that_do_not_exist_or_come_twice_are_named() -> None:
    rest, mapping = body()
    with pytest.raises(UserError, match="no bone called 'Bone'"):
        check(rest, replace(mapping, slots=dict(mapping.slots) | {"head": ("Bone",)}))
    with pytest.raises(UserError, match="more than one part"):
        check(rest, replace(mapping, slots=dict(mapping.slots) | {"head": mapping.chain("neck")}))
    with pytest.raises(UserError, match="no part of the body called 'tail'"):
        check(rest, replace(mapping, slots=dict(mapping.slots) | {"tail": mapping.chain("neck")}))


def test_broken_chains_are_named() -> None:
    rest, mapping = body()
    slots = dict(mapping.slots)
    slots["left_upper_arm"], slots["left_forearm"] = slots["left_forearm"], slots["left_upper_arm"]
    with pytest.raises(UserError, match="does not hang on"):
        check(rest, replace(mapping, slots=slots))


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("LeftArm", "left"), ("Bip01 R Hand", "right"), ("hand_l", "left"), ("thigh.R", "right"),
        ("lShldrBend", "left"), ("J_Bip_R_Foot", "right"), ("spine", None), ("lowerback", None), ("Bone.001", None),
        ("pelvis", None), ("leg_joint_L_1", "left"),
    ],
)  # fmt: skip
def test_sides_in_names(name: str, side: str | None) -> None:
    assert side_of(name) == side
