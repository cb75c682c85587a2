# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of every family are known by their names, whatever stands before or behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.blender_addon.support.rigs import A_POSE, body
from tests.blender_addon.support.variants import Case, nonsense, with_leaves

from videomdm.errors import UserError
from videomdm_blender.retarget import Mapping, RigRest
from videomdm_blender.retarget.slots import SIDE_SLOTS, SIDES, SLOTS
from videomdm_blender.rigs import recognise
from videomdm_blender.rigs.families import FAMILIES, family_called
from videomdm_blender.rigs.family import Family
from videomdm_blender.rigs.vrm import from_humanoid

HIERARCHIES = [family for family in FAMILIES if not family.controls]


def rig_of(family: Family, rename: Callable[[str], str] = str) -> tuple[RigRest, Mapping]:
    """A body whose bones have the family's first names, as many spine and neck bones as those have."""
    spine = len(family.names["spine"].split())
    rest, mapping = body(A_POSE, spine=spine)
    names: dict[str, str] = {}
    for slot, chain in mapping.slots.items():
        side = next((side for side in SIDES if slot.startswith(f"{side}_")), "")
        bones = family.names[slot.removeprefix(f"{side}_") if side else slot].split()
        for bone, name in zip(chain, bones, strict=False):
            letter = family.sides[SIDES.index(side)] if side else ""
            names[bone] = rename(name.split("|")[0].replace("@", letter))
    slots = {slot: tuple(names[bone] for bone in chain) for slot, chain in mapping.slots.items()}
    return replace(rest, names=tuple(names[name] for name in rest.names)), replace(mapping, slots=slots)


@pytest.mark.parametrize("family", HIERARCHIES, ids=lambda family: family.key)
@pytest.mark.parametrize(
    "rename",
    [
        str,
        lambda name: f"hero:{name}",
        lambda name: f"Armature|{name}",
        str.upper,
        lambda name: f"Bob_{name}",
    ],
    ids=["plain", "namespace", "path", "capitals", "prefix"],
)
def test_every_family_is_recognised(family: Family, rename: Callable[[str], str]) -> None:
    rest, expected = rig_of(family, rename)
    found = recognise(rest)
    assert {slot: found.chain(slot) for slot in SLOTS} == {slot: expected.chain(slot) for slot in SLOTS}


@pytest.mark.parametrize("family", HIERARCHIES, ids=lambda family: family.key)
def test_families_keep_their_names_apart(family: Family) -> None:
    """Another family may know the same names, but must give the same bones."""
    rest, expected = rig_of(family)
    found = recognise(rest)
    assert found.family == family.key or found.slots == expected.slots


def test_rigs_with_the_same_names_are_told_apart_by_the_bones_beside_them() -> None:
    mixamo = family_called("mixamo")
    assert mixamo is not None
    rest, expected = rig_of(mixamo)
    assert recognise(rest).family == "mixamo"
    case = Case(rest, dict(expected.slots))
    marked = with_leaves(case, "Head", "LeftEye", "RightEye", "HeadTop_End")
    assert recognise(marked.rest).family == "ready-player-me"
    assert recognise(marked.rest).slots == recognise(rest).slots


@pytest.mark.parametrize("spine", range(1, 7))
def test_numbers_of_rigify_only_count(spine: int) -> None:
    """With more spine bones, neck and head have other numbers."""
    rest, mapping = body(A_POSE, spine=spine)
    names: dict[str, str] = {}
    middle = [bone for slot in ("spine", "neck", "head") for bone in mapping.chain(slot)]
    names |= {bone: f"spine.{number:03}" for number, bone in enumerate(middle, 1)} | {"hips.0": "spine"}
    for side in SIDES:
        for part, word in (("collar", "shoulder"), *((part, part) for part in SIDE_SLOTS[1:])):
            names[f"{side}_{part}.0"] = f"{word}.{side[0].upper()}"
    found = recognise(replace(rest, names=tuple(names[bone] for bone in rest.names)))
    assert found.family == "rigify-meta"
    assert {s: found.chain(s) for s in SLOTS} == {s: tuple(names[b] for b in mapping.chain(s)) for s in SLOTS}


def test_numbers_of_a_converter_do_no_harm() -> None:
    mixamo = family_called("mixamo")
    assert mixamo is not None
    numbers = iter(range(1000))
    rest, expected = rig_of(mixamo, lambda name: f"mixamorig:{name}_{next(numbers):02}")
    assert recognise(rest).slots == expected.slots


def test_side_bones_of_twist_and_helpers_are_left_alone() -> None:
    unreal = family_called("unreal")
    assert unreal is not None
    rest, expected = rig_of(unreal)
    helpers = ("upperarm_twist_01_l", "ik_foot_root", "ik_hand_gun", "thigh_twist_01_r")
    parents = tuple(rest.index(name) for name in ("upperarm_l", "pelvis", "hand_r", "thigh_r"))
    rest = replace(
        rest,
        names=rest.names + helpers,
        parents=rest.parents + parents,
        **{
            key: _with_copies(getattr(rest, key), parents)
            for key in ("heads", "tails", "rotations", "pose", "inherits", "local_location", "connected")
        },
    )
    assert recognise(rest).slots == expected.slots


def _with_copies(values: object, indices: tuple[int, ...]) -> object:
    import numpy as np

    array = np.asarray(values)
    return np.concatenate([array, array[list(indices)]])


def test_of_five_toes_the_big_one_is_the_toe() -> None:
    rest, mapping = body(A_POSE)
    case = Case(rest, dict(mapping.slots))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        toe = rest.index(mapping.first(f"{side}_toe"))
        foot = rest.names[rest.parents[toe]]
        for number in range(1, 5):
            aside = (sign * 0.015 * number, 0.004 * number, 0.0)
            case = with_leaves(case, foot, f"{side}_toe_{number}", place=rest.heads[toe] + aside)
    case = nonsense(case)
    found = recognise(case.rest)
    assert {s: found.chain(s) for s in SLOTS} == {s: case.truth.get(s, ()) for s in SLOTS}


def test_a_rig_that_calls_left_what_is_right_is_mapped_by_its_feet() -> None:
    mixamo = family_called("mixamo")
    assert mixamo is not None
    rest, expected = rig_of(mixamo)
    swapped = tuple(
        name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in rest.names
    )
    found = recognise(replace(rest, names=swapped))
    assert found.chain("left_hand") == ("RightHand",)
    assert found.chain("right_thigh") == ("LeftUpLeg",)
    assert set(found.bones) == set(expected.bones)


def test_a_vrm_file_says_itself_which_bone_is_which() -> None:
    rest, mapping = body(A_POSE, spine=2, name=lambda slot: f"node {slot}")
    humanoid = {
        "hips": mapping.first("hips"),
        "spine": mapping.chain("spine")[0],
        "chest": mapping.chain("spine")[1],
        "neck": mapping.first("neck"),
        "head": mapping.first("head"),
        "jaw": "not in this rig",
    }
    parts = {
        "Shoulder": "collar", "UpperArm": "upper_arm", "LowerArm": "forearm", "Hand": "hand",
        "UpperLeg": "thigh", "LowerLeg": "shin", "Foot": "foot", "Toes": "toe",
    }  # fmt: skip
    for side in SIDES:
        humanoid |= {f"{side}{bone}": mapping.first(f"{side}_{slot}") for bone, slot in parts.items()}
    assert recognise(rest, humanoid).slots == mapping.slots
    assert recognise(rest, humanoid).family == "vrm"
    del humanoid["leftUpperArm"]
    assert from_humanoid(rest, humanoid) is None


def test_what_is_no_humanoid_is_refused_in_a_sentence() -> None:
    rest, _ = body()
    keep = [i for i, name in enumerate(rest.names) if "left" not in name and "right" not in name]
    legless = replace(
        rest,
        names=tuple(rest.names[i] for i in keep),
        parents=tuple(keep.index(rest.parents[i]) if rest.parents[i] in keep else -1 for i in keep),
        **{
            key: getattr(rest, key)[keep]
            for key in ("heads", "tails", "rotations", "pose", "inherits", "local_location", "connected")
        },
    )
    with pytest.raises(UserError, match="Fish does not look like a human body") as caught:
        recognise(legless, name="Fish")
    assert caught.value.code == "no-humanoid" and caught.value.advice


def cut(rest: RigRest, *bones: str) -> RigRest:
    """Bones that hang on nothing any more."""
    loose = [rest.index(bone) for bone in bones]
    return replace(rest, parents=tuple(-1 if i in loose else parent for i, parent in enumerate(rest.parents)))


def test_a_body_in_pieces_is_refused_in_a_sentence() -> None:
    """Loose legs would stay behind when the hips walk away, whichever bones they are."""
    rest, mapping = body()
    case = nonsense(Case(cut(rest, *(mapping.first(f"{side}_thigh") for side in SIDES)), dict(mapping.slots)))
    with pytest.raises(UserError, match=r"The armature is in pieces, .* hang on no other bone") as caught:
        recognise(case.rest)
    for slot in ("hips", "left_thigh", "right_thigh"):
        assert repr(case.truth[slot][0]) in caught.value.message
    assert "Parent arms and legs" in caught.value.advice and caught.value.code == "in-pieces"


def test_names_that_fit_bones_that_do_not_are_said() -> None:
    mixamo = family_called("mixamo")
    assert mixamo is not None
    rest, _ = rig_of(mixamo)
    with pytest.raises(
        UserError, match=r"names of Mixamo, .* 'LeftUpLeg' \(left thigh\) does not hang on 'Hips'"
    ):
        recognise(cut(rest, "LeftUpLeg"))
