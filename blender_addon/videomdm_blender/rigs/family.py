# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of rigs by the names of their bones.

Names are compared without case, spaces and punctuation.  What all bones share before or behind their names
("mixamorig:", "Neo_", "Armature|", "_jnt"), numbers that a converter has appended ("Hips_01"), and another
way to write the side ("LeftHand", "hand.L", "L_Hand") do no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest

from ..retarget.rig import Carrier, Mapping, RigRest
from ..retarget.slots import CENTRE_SLOTS, CHAINS, REQUIRED, SIDES, SLOTS
from .names import plain, side_first, without_number
from .trunk import with_numbered_trunk, with_whole_trunk

# The bones of one slot from parent to child, separated by spaces; "|" separates other names of one bone.
# "@" is the side.  Bones that a rig lacks are left out.
Names = AnyMapping[str, str]


def _no_carriers(rest: RigRest, mapping: Mapping) -> dict[str, Carrier]:
    return {}


@dataclass(frozen=True)
class Family:
    """How the rigs of one family call their bones.

    key:      short name, as it is saved in mapping files.
    title:    as people call it.
    names:    slot -> names; slots of the sides without "left_" or "right_".
    sides:    what "@" stands for on the left and on the right.
    controls: the bones are controls that other bones follow through constraints.
    carriers: what carries the controls; see ``Mapping.carriers``.
    switches: (bone, property) -> value; see ``Mapping.switches``; "@" is the side.
    marks:    bones beside the body that only rigs of this family have: of two families with the same names
              the one whose marks are there names the rig.
    numbered: spine, neck and head are one chain whose names only count, from the hips on.
    """

    key: str
    title: str
    names: Names
    sides: tuple[str, str] = ("Left", "Right")
    controls: bool = False
    carriers: Callable[[RigRest, Mapping], dict[str, Carrier]] = _no_carriers
    switches: AnyMapping[tuple[str, str], float] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    numbered: bool = False

    def match(self, rest: RigRest) -> Mapping | None:
        """The mapping of a rig of this family, or None where required bones are missing."""
        best: AnyMapping[str, tuple[str, ...]] = {}
        for spelling in (plain, without_number, side_first):
            bones = spellings(rest.names, spelling)
            for around in self._surroundings(bones):
                slots = self._slots(bones, around, spelling)
                if len(slots) > len(best):
                    best = slots
        if not best:
            return None
        best = in_line(rest, best)
        if not self.controls:
            best = (with_numbered_trunk if self.numbered else with_whole_trunk)(rest, best)
        return self.complete(rest, best)

    def is_marked(self, rest: RigRest) -> bool:
        """Whether the rig has the bones that mark the family."""
        return bool(self.marks) and all(mark in rest for mark in self.marks)

    def complete(self, rest: RigRest, slots: AnyMapping[str, tuple[str, ...]]) -> Mapping:
        """A mapping of this family with the given bones."""
        ordered = {slot: slots[slot] for slot in SLOTS if slot in slots}
        mapping = Mapping(ordered, self.key)
        switches = {}
        for (bone, setting), value in self.switches.items():
            for side in self.sides:
                name = bone.replace("@", side)
                if setting in rest.settings.get(name, {}):
                    switches[name, setting] = value
        return Mapping(ordered, self.key, self.carriers(rest, mapping), switches)

    def _surroundings(self, bones: AnyMapping[str, str]) -> list[tuple[str, str]]:
        """What may stand before and behind every name: what stands so around the name of the hips."""
        found = {("", "")}
        for hips in map(plain, self.names["hips"].replace("|", " ").split()):
            for name in bones:
                before, middle, behind = name.partition(hips)
                if middle:
                    found.add((before, behind))
        return sorted(found)

    def _slots(
        self, bones: AnyMapping[str, str], around: tuple[str, str], spelling: Callable[[str], str]
    ) -> dict[str, tuple[str, ...]]:
        """The bones of each slot, none at all where a required one is missing."""
        before, behind = around
        slots = {}
        for slot in SLOTS:
            side = next((side for side in SIDES if slot.startswith(f"{side}_")), "")
            names = self.names.get(slot.removeprefix(f"{side}_") if side else slot, "")
            if side:
                names = names.replace("@", self.sides[SIDES.index(side)])
            chain = []
            for bone in names.split():
                candidates = (spelled(name, before, behind, spelling) for name in bone.split("|"))
                found = next((bones[name] for name in candidates if name in bones), None)
                if found:
                    chain.append(found)
            if chain:
                slots[slot] = tuple(chain)
            elif slot in REQUIRED:
                return {}
        return slots


def in_line(rest: RigRest, slots: AnyMapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The slots without bones that hang beside a limb, where other rigs of the family have them in the limb.

    Kept are those on which the next part of the limb hangs; of the last part those that hang on its first.
    """
    kept = dict(slots)
    for chain in CHAINS:
        limb = [slot for slot in chain if slot in slots and slot not in CENTRE_SLOTS]
        for slot, after in zip_longest(limb, limb[1:]):
            first, *more = slots[slot]
            if after:
                line = rest.ancestors(slots[after][0])
                kept[slot] = tuple(bone for bone in slots[slot] if bone in line) or slots[slot]
            else:
                kept[slot] = (first, *(bone for bone in more if first in rest.ancestors(bone)))
    return kept


@lru_cache(maxsize=16)
def spellings(names: tuple[str, ...], spelling: Callable[[str], str]) -> AnyMapping[str, str]:
    """The spelling of each bone -> its name; of two that are spelled the same the first."""
    return {spelling(name): name for name in reversed(names)}


def spelled(name: str, before: str, behind: str, spelling: Callable[[str], str]) -> str:
    """A family's name for a bone with what stands around all names of a rig."""
    if spelling is not side_first:
        return before + plain(name) + behind  # numbers in a family's names are no converter's
    word = side_first(name)
    side = next((side for side in SIDES if word.startswith(side)), "")
    return side + before + word.removeprefix(side) + behind
