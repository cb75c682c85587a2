# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping that a person has given to an armature object, saved with the object.

Without one the bones are found anew for each take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import bpy
from bpy.props import PointerProperty, StringProperty

from videomdm.errors import UserError

from ..armature.rest import read_rest
from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import SLOTS
from ..rigs.check import problems
from ..rigs.families import family_called

LONGEST = 12  # bones that one part of the body can have here
OVERRIDABLE: set[Literal["LIBRARY_OVERRIDABLE"]] = {"LIBRARY_OVERRIDABLE"}
_filling: list[bool] = []  # while bones are filled in by us, changes are not looked at one by one


def _changed(group: VIDEOMDM_PG_mapping, context: bpy.types.Context) -> None:
    """A person has picked another bone."""
    thing = group.id_data
    if not _filling and isinstance(thing, bpy.types.Object):
        group.tidy(thing)


def field(slot: str, place: int) -> str:
    """The name of the property that holds one bone of a part of the body."""
    return f"{slot}_{place}"


def _bone_properties() -> dict[str, Any]:
    """A property for each place of each part: of collections, library overrides keep no new items."""
    return {
        field(slot, place): StringProperty(
            name="Bone", description="Bone of this part of the body", override=OVERRIDABLE, update=_changed
        )
        for slot in SLOTS
        for place in range(LONGEST)
    }


class VIDEOMDM_PG_mapping(bpy.types.PropertyGroup):
    """The bones of each part of the body; none where they are to be found by themselves.

    opened: the part that is shown with an empty picker for another bone.
    """

    family: StringProperty(name="Family", override=OVERRIDABLE)
    problem: StringProperty(name="Problem", override=OVERRIDABLE)
    opened: StringProperty(name="Opened Part", override=OVERRIDABLE)

    def chain(self, slot: str) -> tuple[str, ...]:
        """The bones of a part, from parent to child."""
        bones = (getattr(self, field(slot, place)) for place in range(LONGEST))
        return tuple(bone for bone in bones if bone)

    @property
    def is_given(self) -> bool:
        """Whether a person has given any bone."""
        return any(self.chain(slot) for slot in SLOTS)

    def fill(self, armature: bpy.types.Object, mapping: Mapping) -> None:
        """Take over a mapping; UserError, and nothing changed, where a part has too many bones."""
        longest = max(map(len, mapping.slots.values()))
        if longest > LONGEST:
            raise UserError(
                f"A part of the body has {longest} bones; the sidebar holds {LONGEST}.",
                "Leave some of them out of the mapping.",
                "bad-mapping",
            )
        self._write({slot: mapping.chain(slot) for slot in SLOTS})
        self.family = mapping.family
        self.tidy(armature)

    def forget(self) -> None:
        """Back to finding the bones by themselves."""
        self._write(dict.fromkeys(SLOTS, ()))
        self.family = self.problem = self.opened = ""

    def mapping(self, rest: RigRest) -> Mapping | None:
        """The bones as a mapping, unchecked; None where none are given."""
        chains = {slot: chain for slot in SLOTS if (chain := self.chain(slot))}
        if not chains:
            return None
        family = family_called(self.family)
        plain = Mapping(chains, family.key if family else "")
        return family.complete(rest, chains) if family and not problems(rest, plain) else plain

    def tidy(self, armature: bpy.types.Object) -> None:
        """Put chains in order, and find out what is wrong: the panel, which must not be slow, only shows it."""
        try:
            rest = read_rest(armature)
        except UserError as error:
            self.problem = str(error)
            return
        self._write({slot: _ordered(rest, self.chain(slot)) for slot in SLOTS})
        self.opened = ""
        mapping = self.mapping(rest)
        self.problem = " ".join(problems(rest, mapping)) if mapping is not None else ""

    def _write(self, chains: dict[str, tuple[str, ...]]) -> None:
        with _quietly():
            for slot, chain in chains.items():
                for place in range(LONGEST):
                    bone = chain[place] if place < len(chain) else ""
                    if getattr(self, field(slot, place)) != bone:
                        setattr(self, field(slot, place), bone)


VIDEOMDM_PG_mapping.__annotations__.update(_bone_properties())


def _ordered(rest: RigRest, chain: Sequence[str]) -> tuple[str, ...]:
    """Each bone once, parents before children; bones that the rig lacks stand last."""
    depth = {bone: len(rest.ancestors(bone)) if bone in rest else len(rest.names) for bone in chain}
    return tuple(sorted(depth, key=lambda bone: depth[bone]))


@contextmanager
def _quietly() -> Iterator[None]:
    _filling.append(True)
    try:
        yield
    finally:
        _filling.pop()


def given(armature: bpy.types.Object) -> VIDEOMDM_PG_mapping:
    """What a person has given to an armature object."""
    attach()
    found: VIDEOMDM_PG_mapping = armature.videomdm_mapping  # type: ignore[attr-defined]  # attach() adds it
    return found


def attach() -> None:
    """Give every object its mapping, if that has not been done: files are also read where no sidebar is."""
    if not getattr(VIDEOMDM_PG_mapping, "is_registered", False):
        bpy.utils.register_class(VIDEOMDM_PG_mapping)
    if not hasattr(bpy.types.Object, "videomdm_mapping"):
        bpy.types.Object.videomdm_mapping = PointerProperty(  # type: ignore[attr-defined]  # a property of ours
            type=VIDEOMDM_PG_mapping, override=OVERRIDABLE
        )


def detach() -> None:
    """Take the mapping off the objects' type."""
    del bpy.types.Object.videomdm_mapping  # type: ignore[attr-defined]  # a property of ours
    bpy.utils.unregister_class(VIDEOMDM_PG_mapping)
