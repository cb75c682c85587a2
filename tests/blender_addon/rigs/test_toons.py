# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that no human has, with names that tell nothing: mapped right or refused in a sentence, never wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.blender_addon.rigs.conftest import HIERARCHIES, KNOWN
from tests.blender_addon.support.variants import TOONS, Case

from videomdm.errors import UserError
from videomdm_blender.retarget.slots import SLOTS
from videomdm_blender.rigs import recognise

# Of the bodies that everybody would take for a toon every rig is mapped, without help.
ALWAYS = ("arms longer than legs", "huge head", "huge head without a neck", "huge hands", "hardly a trunk")
# Its legs hang on the first bone of the spine, so a longer spine makes other hips as right.
OTHER_HIPS = {("all trunk", "Female_Adult_01.fbx")}


@pytest.mark.parametrize("toon", TOONS)
@pytest.mark.parametrize("name", [*HIERARCHIES, *KNOWN])
def test_a_toon_is_mapped_right_or_refused(case_of: Callable[[str], Case], name: str, toon: str) -> None:
    case = TOONS[toon](case_of(name))
    try:
        found = recognise(case.rest)
    except UserError as error:
        assert toon not in ALWAYS, error
        assert "more than one way" in error.message or "does not look like a human body" in error.message
        assert "say which bone is which" in error.advice
        return
    free = ("hips", "spine") if (toon, name) in OTHER_HIPS else ()
    assert {slot: found.chain(slot) for slot in SLOTS if slot not in free} == {
        slot: case.truth.get(slot, ()) for slot in SLOTS if slot not in free
    }


def test_most_toons_are_mapped(case_of: Callable[[str], Case]) -> None:
    """On the bodies that need no Blender."""
    names = ("mannequin", "T-pose of numbers", *KNOWN)
    mapped = 0
    for change in TOONS.values():
        for name in names:
            try:
                recognise(change(case_of(name)).rest)
                mapped += 1
            except UserError:
                continue
    assert mapped > 0.65 * len(TOONS) * len(names)
