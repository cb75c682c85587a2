# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variant of every rig is mapped without help, and every bone of it right.

The variants are plain data; those that are made by Blender's own operators are in ``test_blender_variants``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.blender_addon.rigs.conftest import HIERARCHIES, KNOWN, OWN
from tests.blender_addon.support.variants import (
    VARIANTS,
    Case,
    both,
    laid_down,
    other_sides,
    renamed,
    scaled,
    turned,
    undeclared,
    with_controls,
    with_extras,
    without,
)

from videomdm_blender.retarget.slots import SLOTS
from videomdm_blender.rigs import recognise
from videomdm_blender.rigs.check import problems


def assert_right(case: Case) -> None:
    found = recognise(case.rest, case.humanoid)
    slots = {slot: found.chain(slot) for slot in SLOTS}
    assert slots == {slot: case.truth.get(slot, ()) for slot in SLOTS}
    assert problems(case.rest, found) == []


FAMILIES = {
    "Character Creator": "character-creator",
    "Genesis 9": "daz9",
    "Genesis 8": "daz",
    "SMPL": "smpl",
    "SMPL-X": "smplx",
    "Acclaim": "acclaim",
    "Unity": "unity",
    "Ready Player Me": "ready-player-me",
    "Auto-Rig Pro": "auto-rig-pro",
    "Auto-Rig Pro, universal": "auto-rig-pro",
    "3ds Max Biped": "biped",
    "Source engine": "biped",
}
# Without names, another bone on the foot is as good a toe as the one that was taken away.
MORE_ON_FEET = ("Character Creator", "Genesis 9", "Genesis 8")


def test_there_are_enough_variants_even_without_other_rigs() -> None:
    assert len(VARIANTS) * len(OWN) >= 40


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", HIERARCHIES)
def test_every_variant_is_mapped_right(case_of: Callable[[str], Case], name: str, variant: str) -> None:
    assert_right(VARIANTS[variant](case_of(name)))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", KNOWN)
def test_every_variant_of_a_known_kind_is_mapped_right(
    case_of: Callable[[str], Case], name: str, variant: str
) -> None:
    if name in MORE_ON_FEET and variant.startswith("no toes") and variant.endswith("nonsense"):
        case = VARIANTS[variant](case_of(name))
        found = recognise(case.rest)
        assert {s: found.chain(s) for s in SLOTS if "toe" not in s} == {
            s: case.truth.get(s, ()) for s in SLOTS if "toe" not in s
        }
    else:
        assert_right(VARIANTS[variant](case_of(name)))


@pytest.mark.parametrize(("name", "family"), FAMILIES.items(), ids=FAMILIES)
def test_known_kinds_are_called_by_their_names(
    case_of: Callable[[str], Case], name: str, family: str
) -> None:
    assert FAMILIES.keys() == set(KNOWN)
    assert recognise(case_of(name).rest).family == family
    bare = renamed(
        lambda bone: bone.removeprefix("CC_Base_").removeprefix("m_avg_").removeprefix("ValveBiped.")
    )
    assert_right(bare(case_of(name)))


@pytest.mark.parametrize(
    "change",
    [both(), scaled(100.0), turned((1.0, 0.0, 0.0), -90.0, back=True), laid_down, with_extras],
    ids=["as it is", "centimetres", "Y up", "lying", "extra bones"],
)
def test_variants_of_a_generated_rig(case_of: Callable[[str], Case], change: Callable[[Case], Case]) -> None:
    """Its bones keep their names: the drivers and constraints of its mechanism go by them."""
    case = change(case_of("rigify basic generated"))
    assert_right(case)
    assert recognise(case.rest).family == "rigify"


def test_an_avatar_whose_table_is_lost_is_mapped_by_its_bones(case_of: Callable[[str], Case]) -> None:
    assert_right(undeclared(case_of("Example.vrm")))


@pytest.mark.parametrize("name", ["mannequin", "human-male.glb", "Female_Adult_01.fbx"])
def test_wrong_sides_in_the_names_of_a_rig_with_controls(case_of: Callable[[str], Case], name: str) -> None:
    assert_right(both(with_controls, other_sides, renamed(lambda bone: f"x:{bone}"))(case_of(name)))


def test_sides_may_be_written_in_another_way(case_of: Callable[[str], Case]) -> None:
    """LeftArm as Arm.L, L_Arm and Arm_Left."""
    for pattern in ("{}.L", "L_{}", "{}_Left"):

        def name(bone: str, pattern: str = pattern) -> str:
            side = next((side for side in ("Left", "Right") if bone.startswith(side)), "")
            if not side:
                return bone
            form = pattern.replace("Left", side) if "Left" in pattern else pattern.replace("L", side[0])
            return form.format(bone.removeprefix(side))

        case = renamed(name)(without("toe")(case_of("mannequin")))
        assert_right(case)
        assert recognise(case.rest).family == "mixamo"
