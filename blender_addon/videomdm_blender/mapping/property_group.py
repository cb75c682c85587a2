# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping that a person has given to an armature object, saved with the object.

Without one the bones are found anew for each take.  The mapping is a group of properties, which pickers can
show, and a copy of it is kept in one text, because a library override of Blender 5 keeps no groups.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import bpy
from bpy.app.handlers import persistent
from bpy.props import PointerProperty, StringProperty

from videomdm.errors import UserError

from ..armature.rest import read_rest
from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import SLOTS, mirrored
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

    opened: the part that is shown with an empty picker for another bone; while no bone is given, that the
            pickers are shown at all.
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

    @property
    def is_lopsided(self) -> bool:
        """Whether a part has bones on one side only."""
        return any(bool(self.chain(slot)) != bool(self.chain(mirrored(slot))) for slot in SLOTS)

    def mirror(self, armature: bpy.types.Object) -> bool:
        """Fill empty parts of one side by the names of the other side's bones; whether any could be filled."""
        assert isinstance(armature.data, bpy.types.Armature)
        found = {}
        for slot in SLOTS:
            bones = tuple(bpy.utils.flip_name(bone) for bone in self.chain(mirrored(slot)))
            if not self.chain(slot) and bones and all(bone in armature.data.bones for bone in bones):
                found[slot] = bones
        if found:
            self._write(found)
            self.tidy(armature)
        return bool(found)

    def forget(self, armature: bpy.types.Object) -> None:
        """Back to finding the bones by themselves."""
        self._write(dict.fromkeys(SLOTS, ()))
        self.family = self.problem = self.opened = ""
        self._keep(armature)

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
        self._keep(armature)

    def restore(self, kept: str) -> None:
        """Take over what :meth:`_keep` wrote."""
        content = json.loads(kept)
        self._write({slot: tuple(content["slots"].get(slot, ())) for slot in SLOTS})
        self.family, self.problem = content["family"], content["problem"]

    def _keep(self, armature: bpy.types.Object) -> None:
        content = {
            "family": self.family,
            "problem": self.problem,
            "slots": {slot: chain for slot in SLOTS if (chain := self.chain(slot))},
        }
        armature.videomdm_mapping_kept = (  # type: ignore[attr-defined]  # attach() adds it
            json.dumps(content, ensure_ascii=False) if content["slots"] else ""
        )

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
    if not is_attached():
        attach()
        restore_all()
    found: VIDEOMDM_PG_mapping = armature.videomdm_mapping  # type: ignore[attr-defined]  # attach() adds it
    return found


@persistent  # type: ignore[untyped-decorator]  # Blender's
def restore_all(*_: object) -> None:
    """After a file was opened: give overrides back what they lost."""
    for thing in bpy.data.objects:
        kept: str = thing.videomdm_mapping_kept  # type: ignore[attr-defined]  # attach() adds it
        group: VIDEOMDM_PG_mapping = thing.videomdm_mapping  # type: ignore[attr-defined]  # the same
        if kept and thing.is_editable and not group.is_given:
            group.restore(kept)


def is_attached() -> bool:
    """Whether objects have the properties."""
    return bool(getattr(VIDEOMDM_PG_mapping, "is_registered", False))


def attach() -> None:
    """Give every object its mapping, if that has not been done: files are also read where no sidebar is."""
    if is_attached():
        return
    bpy.utils.register_class(VIDEOMDM_PG_mapping)
    bpy.types.Object.videomdm_mapping = PointerProperty(  # type: ignore[attr-defined]  # a property of ours
        type=VIDEOMDM_PG_mapping, override=OVERRIDABLE
    )
    bpy.types.Object.videomdm_mapping_kept = StringProperty(  # type: ignore[attr-defined]  # the same
        options={"HIDDEN"}, override=OVERRIDABLE
    )
    bpy.app.handlers.load_post.append(restore_all)
    bpy.app.timers.register(restore_all, first_interval=0.0)  # data cannot be read while add-ons are enabled


def detach() -> None:
    """Take the mapping off the objects' type."""
    bpy.app.handlers.load_post.remove(restore_all)
    if bpy.app.timers.is_registered(restore_all):
        bpy.app.timers.unregister(restore_all)
    del bpy.types.Object.videomdm_mapping_kept  # type: ignore[attr-defined]  # properties of ours
    del bpy.types.Object.videomdm_mapping  # type: ignore[attr-defined]  # the same
    bpy.utils.unregister_class(VIDEOMDM_PG_mapping)
