# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether left and right of a mapping fit the way in which the rig faces.

Asked in turn: the toes, the sides that the names tell of, the ends of the foot bones, and the way in which
knees and elbows are bent.  All of it holds in any rest pose and however the character lies in the scene.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.slots import SIDE_SLOTS, SIDES
from .names import side_of

CLEAR = 0.2  # of a bone's length: what points less to the front than this says nothing
BENT = 0.01  # of a limb's length: elbows and knees that are bent less say nothing


def is_mirrored(rest: RigRest, mapping: Mapping) -> bool | None:
    """Whether left and right are swapped; None where nothing tells.

    ``mapping`` must have all required parts.
    """
    front = front_of(rest, mapping)
    clues: tuple[Callable[[], float | None], ...] = (
        lambda: _toes(rest, mapping),
        lambda: _names(mapping),
        lambda: _feet(rest, mapping),
        lambda: _bends(rest, mapping, front),
    )
    first = next((clue for ask in clues if (clue := ask()) is not None), None)
    return None if first is None else first < 0


def body_axes(rest: RigRest, mapping: Mapping) -> tuple[Array, Array]:
    """Two (3,) directions: to the left as the mapping has it, and from the hip joints to the shoulders."""
    shoulders, hips = (
        np.array([rest.head(mapping.first(f"{side}_{part}")) for side in SIDES])
        for part in ("upper_arm", "thigh")
    )
    up = _unit(np.asarray(shoulders.mean(axis=0) - hips.mean(axis=0)))
    across = shoulders[0] - shoulders[1] + hips[0] - hips[1]
    return _unit(np.asarray(across - (across @ up) * up)), up


def front_of(rest: RigRest, mapping: Mapping) -> Array:
    """(3,) where the character faces if left and right are right."""
    left, up = body_axes(rest, mapping)
    return np.asarray(np.cross(left, up))


def foot_front(rest: RigRest, mapping: Mapping, side: str) -> Array:
    """(3,) the front as a foot has it: square to its shin and to the axis from side to side."""
    left, _ = body_axes(rest, mapping)
    shin = rest.head(mapping.first(f"{side}_shin")) - rest.head(mapping.first(f"{side}_foot"))
    return _unit(np.asarray(np.cross(left, shin)))


def _toes(rest: RigRest, mapping: Mapping) -> float | None:
    """How far the toes lie before the ankles."""
    if not all(mapping.chain(f"{side}_toe") for side in SIDES):
        return None
    lines = [rest.head(mapping.first(f"{s}_toe")) - rest.head(mapping.first(f"{s}_foot")) for s in SIDES]
    return _clear(rest, mapping, np.asarray(lines))


def _feet(rest: RigRest, mapping: Mapping) -> float | None:
    """How far the foot bones' tails lie before the ankles."""
    feet = [rest.index(mapping.first(f"{side}_foot")) for side in SIDES]
    return _clear(rest, mapping, np.asarray(rest.tails[feet] - rest.heads[feet]))


def _clear(rest: RigRest, mapping: Mapping, lines: Array) -> float | None:
    """The mean share of lines (2, 3) of left and right foot that points to the front, where both agree."""
    lengths = np.linalg.norm(lines, axis=-1)
    if np.min(lengths) <= 0:
        return None
    fronts = np.array([foot_front(rest, mapping, side) for side in SIDES])
    shares = np.sum(lines * fronts, axis=-1) / lengths
    agreed = np.sign(shares[0]) == np.sign(shares[1]) and np.min(np.abs(shares)) > CLEAR
    return float(shares.mean()) if agreed else None


def _names(mapping: Mapping) -> float | None:
    """How many more names tell of the side that they are mapped to than of the other."""
    votes = sum(
        1 if side_of(bone) == side else -1
        for side in SIDES
        for part in SIDE_SLOTS
        for bone in mapping.chain(f"{side}_{part}")
        if side_of(bone)
    )
    return float(votes) or None


def _bends(rest: RigRest, mapping: Mapping, front: Array) -> float | None:
    """How far the knees lie before their limbs' lines and the elbows behind, whichever are bent more clearly."""
    bends = [
        sign * np.mean([_bend(rest, mapping, [f"{side}_{part}" for part in parts], front) for side in SIDES])
        for sign, parts in (
            (1.0, ("thigh", "shin", "foot")),
            (-1.0, ("upper_arm", "forearm", "hand")),
        )
    ]
    strongest = float(max(bends, key=abs))
    return strongest if abs(strongest) > BENT else None


def _bend(rest: RigRest, mapping: Mapping, slots: list[str], front: Array) -> float:
    """How far the middle joint of a limb lies before the line from its start to its end, of that line's length."""
    first, middle = (rest.head(mapping.first(slot)) for slot in slots[:2])
    end = slots[2]
    last = (
        rest.head(mapping.first(end))
        if mapping.chain(end)
        else rest.tails[rest.index(mapping.chain(slots[1])[-1])]
    )
    line = last - first
    length = float(np.linalg.norm(line))
    if length <= 0:
        return 0.0
    along = line / length
    off = (middle - first) - ((middle - first) @ along) * along
    return float(off @ front) / length


def _unit(v: Array) -> Array:
    return np.asarray(v / max(float(np.linalg.norm(v)), 1e-12))
