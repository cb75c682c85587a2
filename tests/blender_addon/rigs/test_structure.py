# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs whose names say nothing are mapped by their structure alone."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, RELAXED, T_POSE, Z_UP, body

from videomdm.motion import rotations
from videomdm_blender.retarget.slots import SLOTS
from videomdm_blender.rigs.structure import by_structure

HALF_TURN = rotations.multiply(Z_UP, rotations.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array(np.pi)))


def opaque(slot: str) -> str:
    """A name that tells nothing, not even by its order."""
    return f"n{zlib.crc32(slot.encode()):08x}"


def short_thighs(joint: str) -> float:
    return 0.6 if "knee" in joint else 1.1


@pytest.mark.parametrize("pose", [T_POSE, A_POSE, RELAXED], ids=["T", "A", "relaxed"])
@pytest.mark.parametrize(
    "options",
    [{}, {"spine": 1}, {"spine": 6}, {"unit": 100.0}, {"axes": HALF_TURN}, {"proportions": short_thighs}],
    ids=["usual", "one spine bone", "six spine bones", "centimetres", "facing backwards", "short thighs"],
)  # fmt: skip
def test_every_part_is_found(pose: Any, options: dict[str, Any]) -> None:
    rest, mapping = body(pose, name=opaque, **options)
    found = by_structure(rest)
    assert found is not None
    assert {slot: found.chain(slot) for slot in SLOTS} == {slot: mapping.chain(slot) for slot in SLOTS}


def test_without_toes_or_names_it_faces_the_front() -> None:
    rest, mapping = body(A_POSE, name=opaque)
    toes = [rest.index(mapping.first(f"{side}_toe")) for side in ("left", "right")]
    keep = [i for i in range(len(rest.names)) if i not in toes]
    toeless = replace(
        rest,
        names=tuple(rest.names[i] for i in keep),
        parents=tuple(keep.index(rest.parents[i]) if rest.parents[i] >= 0 else -1 for i in keep),
        **{
            key: getattr(rest, key)[keep]
            for key in ("heads", "tails", "rotations", "pose", "inherits", "local_location", "connected")
        },
    )
    found = by_structure(toeless)
    assert found is not None
    assert found.chain("left_forearm") == mapping.chain("left_forearm")
    assert found.chain("left_toe") == ()


def test_a_snake_is_no_human() -> None:
    rest, _ = body(spine=12)
    keep = [i for i, name in enumerate(rest.names) if name.startswith(("hips", "spine", "neck", "head"))]
    snake = replace(
        rest,
        names=tuple(rest.names[i] for i in keep),
        parents=tuple(range(-1, len(keep) - 1)),
        **{
            key: getattr(rest, key)[keep]
            for key in ("heads", "tails", "rotations", "pose", "inherits", "local_location", "connected")
        },
    )
    assert by_structure(snake) is None
