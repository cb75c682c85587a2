# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of rigs by the names of their bones.

Names are compared without case, spaces and punctuation.  A prefix or namespace that all bones share
("mixamorig:", "Neo_", "Armature|") and numbers that a converter has appended ("Hips_01") do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field

from ..retarget.rig import Carrier, Mapping, RigRest
from ..retarget.slots import REQUIRED, SIDES, SLOTS

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
    """

    key: str
    title: str
    names: Names
    sides: tuple[str, str] = ("Left", "Right")
    controls: bool = False
    carriers: Callable[[RigRest, Mapping], dict[str, Carrier]] = _no_carriers
    switches: AnyMapping[tuple[str, str], float] = field(default_factory=dict)

    def match(self, rest: RigRest) -> Mapping | None:
        """The mapping of a rig of this family, or None where required bones are missing."""
        best: dict[str, tuple[str, ...]] = {}
        for spelling in (plain, without_number):
            bones = {spelling(name): name for name in reversed(rest.names)}
            for prefix in self._prefixes(bones):
                slots = self._slots(bones, prefix)
                if len(slots) > len(best):
                    best = slots
        if not all(slot in best for slot in REQUIRED):
            return None
        return self.complete(rest, best)

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

    def _prefixes(self, bones: AnyMapping[str, str]) -> list[str]:
        """What may stand before every name: whatever stands before the name of the hips."""
        found = {""}
        for hips in self.names["hips"].replace("|", " ").split():
            ending = plain(hips)
            found |= {name.removesuffix(ending) for name in bones if name.endswith(ending)}
        return sorted(found)

    def _slots(self, bones: AnyMapping[str, str], prefix: str) -> dict[str, tuple[str, ...]]:
        slots = {}
        for slot in SLOTS:
            side = next((side for side in SIDES if slot.startswith(f"{side}_")), "")
            names = self.names.get(slot.removeprefix(f"{side}_") if side else slot, "")
            if side:
                names = names.replace("@", self.sides[SIDES.index(side)])
            chain = []
            for bone in names.split():
                candidates = (prefix + plain(name) for name in bone.split("|"))
                found = next((bones[name] for name in candidates if name in bones), None)
                if found:
                    chain.append(found)
            if chain:
                slots[slot] = tuple(chain)
        return slots


def plain(name: str) -> str:
    """A bone name in small letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def without_number(name: str) -> str:
    """The same without a number at the end that follows an underscore or a dot, as converters append it."""
    return plain(re.sub(r"[_.]\d+$", "", name))
