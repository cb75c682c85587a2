# SPDX-License-Identifier: GPL-3.0-or-later
"""Spines and necks with more bones than a family's names tell of."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping

from ..retarget.rig import RigRest
from ..retarget.slots import SIDES
from .names import plain

Slots = AnyMapping[str, tuple[str, ...]]


def with_whole_trunk(rest: RigRest, slots: Slots) -> Slots:
    """The slots with every bone between hips and head as spine or neck.

    The neck begins at its first named bone, or above the bone that carries the arms.  Slots that do not lie
    on one line from hips to head stay as they are.
    """
    head = slots.get("head", ())
    carrier = _carrier(rest, slots)
    hips = slots["hips"][-1]
    bottom = head[0] if head else carrier
    line = list(reversed([bottom, *rest.ancestors(bottom)])) if bottom else []
    if carrier is None or carrier not in line or hips not in line:
        return slots
    line = line[line.index(hips) + 1 : len(line) - len(head[:1])]
    neck = [line.index(bone) for bone in slots.get("neck", ()) if bone in line]
    begin = line.index(carrier) + 1 if carrier in line else len(line)
    begin = min([begin, *neck])
    spine, above = tuple(line[:begin]), tuple(line[begin:])
    if not set(slots["spine"]) <= set(spine) or not set(slots.get("neck", ())) <= set(above):
        return slots
    whole = {"spine": spine} | ({"neck": above} if above else {})
    return dict(slots) | whole


def with_numbered_trunk(rest: RigRest, slots: Slots) -> Slots:
    """The slots where spine, neck and head are one chain whose names only count.

    The last bone that goes by the name of the hips is the head, what lies between it and the bone that
    carries the arms is the neck.
    """
    hips = slots["hips"][-1]
    ways = [[name, *rest.ancestors(name)] for name in rest.names if _letters(name) == _letters(hips)]
    longest = max((way[: way.index(hips) + 1] for way in ways if hips in way), key=len)
    line = longest[::-1]
    carrier = _carrier(rest, slots)
    if carrier not in line[1:]:
        return slots
    spine, above = line[1 : line.index(carrier) + 1], line[line.index(carrier) + 1 :]
    chains = {"spine": spine, "neck": above[:-1], "head": above[-1:]}
    kept = {slot: chain for slot, chain in slots.items() if slot not in chains}
    return kept | {slot: tuple(chain) for slot, chain in chains.items() if chain}


def _letters(name: str) -> str:
    """What of a name is no number."""
    return re.sub(r"[0-9]", "", plain(name))


def _carrier(rest: RigRest, slots: Slots) -> str | None:
    """The bone on which both arms hang."""
    roots = [(slots.get(f"{side}_collar") or slots[f"{side}_upper_arm"])[0] for side in SIDES]
    one, other = (rest.ancestors(root) for root in roots)
    return next((bone for bone in one if bone in other), None)
