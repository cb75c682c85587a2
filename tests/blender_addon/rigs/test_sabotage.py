# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings that were spoilt on purpose are refused on every rig, with one sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.blender_addon.rigs.conftest import HIERARCHIES, RIGIFY_RIGS
from tests.blender_addon.support.variants import (
    RELAXED,
    Case,
    Table,
    aimed,
    both,
    laid_down,
    nonsense,
    spine_of,
    without,
)

from videomdm.errors import UserError
from videomdm_blender.retarget import Mapping
from videomdm_blender.retarget.slots import SIDES, mirrored
from videomdm_blender.rigs import check
from videomdm_blender.rigs.check import problems

ARM = ("collar", "upper_arm", "forearm", "hand")
LEG = ("thigh", "shin", "foot", "toe")
RIGS = (*HIERARCHIES, RIGIFY_RIGS[2])
CHANGES = {
    "as it is": both(),
    "nonsense": nonsense,
    "lying, relaxed, nonsense": both(nonsense, aimed(**RELAXED), laid_down),
}


def mapping_of(case: Case, slots: Table) -> Mapping:
    return Mapping(slots, "rigify" if "torso" in slots["hips"] else "")


def swapped(slots: Table, parts: tuple[str, ...]) -> Table:
    """Left and right of some parts exchanged."""
    return {mirrored(s) if s.split("_", 1)[-1] in parts else s: chain for s, chain in slots.items()}


def refusal(case: Case, slots: Table) -> str:
    with pytest.raises(UserError) as caught:
        check(case.rest, mapping_of(case, slots))
    assert caught.value.advice and caught.value.code == "bad-mapping"
    found = problems(case.rest, mapping_of(case, slots))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", HIERARCHIES)
def test_a_mirrored_mapping_is_refused(case_of: Callable[[str], Case], name: str, change: str) -> None:
    case = CHANGES[change](case_of(name))
    assert refusal(case, swapped(case.truth, ARM + LEG)) == "Left and right are swapped."


@pytest.mark.parametrize("name", RIGS)
def test_a_mirrored_mapping_is_refused_without_toes(case_of: Callable[[str], Case], name: str) -> None:
    case = case_of(name)
    slots = {slot: chain for slot, chain in case.truth.items() if not slot.endswith("toe")}
    assert refusal(case, swapped(slots, ARM + LEG)) == "Left and right are swapped."


@pytest.mark.parametrize("name", ["mannequin", "human-male.glb", "rigify basic", "Example.vrm"])
def test_a_mirrored_mapping_is_refused_without_toes_or_names(
    case_of: Callable[[str], Case], name: str
) -> None:
    case = both(without("toe"), nonsense)(case_of(name))
    assert refusal(case, swapped(case.truth, ARM + LEG)) == "Left and right are swapped."


@pytest.mark.parametrize("name", RIGS)
def test_swapped_arms_or_legs_are_named(case_of: Callable[[str], Case], name: str) -> None:
    case = case_of(name)
    assert refusal(case, swapped(case.truth, ARM)) == "The left and the right arm have changed places."
    assert refusal(case, swapped(case.truth, LEG)) == "The left and the right leg have changed places."


@pytest.mark.parametrize("part", ["upper_arm", "hand", "shin", "foot"])
@pytest.mark.parametrize("name", HIERARCHIES)
def test_one_swapped_part_is_named(case_of: Callable[[str], Case], name: str, part: str) -> None:
    case = case_of(name)
    words = part.replace("_", " ")
    assert (
        refusal(case, swapped(case.truth, (part,))) == f"The left and the right {words} have changed places."
    )


@pytest.mark.parametrize("spine", [1, 3])
@pytest.mark.parametrize("name", HIERARCHIES)
def test_arms_for_legs_are_refused(case_of: Callable[[str], Case], name: str, spine: int) -> None:
    case = spine_of(spine)(case_of(name))
    slots = dict(case.truth)
    for side in SIDES:
        for arm, leg in (("upper_arm", "thigh"), ("forearm", "shin"), ("hand", "foot")):
            one, other = f"{side}_{arm}", f"{side}_{leg}"
            slots[one], slots[other] = slots[other], slots[one]
        slots.pop(f"{side}_toe", None)
        slots.pop(f"{side}_collar", None)
    assert refusal(case, slots) == "Arms and legs have changed places."


@pytest.mark.parametrize("name", HIERARCHIES)
def test_broken_chains_are_refused(case_of: Callable[[str], Case], name: str) -> None:
    case = case_of(name)
    slots = dict(case.truth)
    slots["left_shin"], slots["left_foot"] = slots["left_foot"], slots["left_shin"]
    assert "does not hang on" in refusal(case, slots)
    slots = dict(case.truth)
    slots["spine"], slots["hips"] = slots["hips"], slots["spine"]
    assert "does not hang on" in refusal(case, slots)
    slots = dict(case.truth) | {"left_hand": case.truth["right_toe"]}
    slots.pop("right_toe")
    assert "(left hand) does not hang on" in refusal(case, slots)


def test_a_limb_without_length_is_refused(case_of: Callable[[str], Case]) -> None:
    case = case_of("mannequin")
    heads = case.rest.heads.copy()
    heads[case.rest.index("LeftForeArm")] = case.rest.head("LeftArm")
    flat = replace(case, rest=replace(case.rest, heads=heads))
    assert (
        refusal(flat, flat.truth)
        == "At rest 'LeftArm' (left upper arm) and 'LeftForeArm' begin at the same place."
    )
