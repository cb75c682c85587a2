# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs with the hierarchies of known kinds, found without help, move as the motion does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.blender_addon.rigs.conftest import KNOWN
from tests.blender_addon.support.rigs import angles_between, into_motion_axes, play
from tests.blender_addon.support.variants import Case
from tests.support.actor import joint, perform

from videomdm_blender.retarget import retarget
from videomdm_blender.retarget.slots import SIDES
from videomdm_blender.rigs import recognise

HALVES = (
    ("upper_arm", "forearm", "shoulder", "elbow"),
    ("forearm", "hand", "elbow", "wrist"),
    ("thigh", "shin", "hip", "knee"),
    ("shin", "foot", "knee", "ankle"),
)


@pytest.fixture(scope="module")
def actor() -> Any:
    return perform(2.0)


@pytest.mark.parametrize("name", KNOWN)
def test_limbs_take_the_directions_of_the_motion(
    case_of: Callable[[str], Case], actor: Any, name: str
) -> None:
    """Whole, too: where a limb has halves in its chain, each of its joints lies on the line between the others."""
    rest = case_of(name).rest
    mapping = recognise(rest)
    heads, _ = play(rest, retarget(actor.motion, rest, mapping))
    for side in SIDES:
        for slot, after, start, end in HALVES:
            bones = (*mapping.chain(f"{side}_{slot}"), mapping.first(f"{side}_{after}"))
            wanted = joint(actor.motion, f"{side}_{end}") - joint(actor.motion, f"{side}_{start}")
            for lower in bones[1:]:
                error = angles_between(into_motion_axes(heads[lower] - heads[bones[0]]), wanted)
                assert error.max() < 1e-3, (lower, error.max())
