# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver must know about a rig: its bones at rest, and which bone is which part of the body."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

IDENTITY = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class RigRest:
    """The bones of an armature in rest position, in armature space (the armature object's own axes and unit).

    names:            N bone names; every parent comes before its children.
    parents:          N indices, -1 for bones without a parent.
    heads, tails:     (N, 3) the two ends of each bone.
    rotations:        (N, 4) orientation of each bone at rest.
    pose:             (N, 4) what each bone is turned by at the moment, in its own axes; only that of bones
                      that are not mapped counts, because those stay as they are.
    inherits:         (N,) whether the bone turns with its parent.
    local_location:   (N,) whether the bone's location is counted along its own axes, or along its parent's.
    connected:        (N,) whether the bone is fixed to its parent's tail: its location has no effect.
    up, front:        (3,) the axes of the armature that point up and to the front (-Y) in the scene.
    floor:            height of the floor along ``up``, or None where the feet stand on it at rest.
    copies:           bone -> bones whose rotation it copies, with the share (0 to 1) of each; what the
                      constraints of a control rig do.
    settings:         bone -> its custom properties that are numbers.
    skin:             (K, 3) points of the skin near the floor; none where no skin is known.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    tails: Array
    rotations: Array
    pose: Array
    inherits: Flags
    local_location: Flags
    connected: Flags
    up: Array
    front: Array
    floor: float | None = None
    copies: AnyMapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    settings: AnyMapping[str, AnyMapping[str, float]] = field(default_factory=dict)
    skin: Array = field(default_factory=lambda: np.zeros((0, 3)))

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def __contains__(self, name: object) -> bool:
        return name in self._indices

    def index(self, name: str) -> int:
        """The index of the bone called ``name``; KeyError if there is none."""
        return self._indices[name]

    def head(self, name: str) -> Array:
        """(3,) where the bone begins."""
        head: Array = self.heads[self.index(name)]
        return head

    def ancestors(self, name: str) -> list[str]:
        """The bone's parent, its parent's parent and so on."""
        found = []
        index = self.parents[self.index(name)]
        while index >= 0:
            found.append(self.names[index])
            index = self.parents[index]
        return found

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The indices of the children of each bone."""
        found: list[list[int]] = [[] for _ in self.names]
        for index, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(index)
        return tuple(tuple(indices) for indices in found)


@dataclass(frozen=True)
class Carrier:
    """What carries a bone along instead of its parent: bone ``first``, or in part (``share``) ``second``.

    An empty name stands for the armature, which does not turn.
    """

    first: str
    second: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Mapping:
    """Which bones are which part of the body.

    slots:    slot (see ``slots``) -> its bones from parent to child.
    family:   the kind of rig, as ``videomdm_blender.rigs`` calls it.
    carriers: for the bones of control rigs whose constraints decide what they turn with.
    switches: (bone, custom property) -> value that the rig must have for the mapped bones to rule the body.
    """

    slots: AnyMapping[str, tuple[str, ...]]
    family: str = ""
    carriers: AnyMapping[str, Carrier] = field(default_factory=dict)
    switches: AnyMapping[tuple[str, str], float] = field(default_factory=dict)

    def chain(self, slot: str) -> tuple[str, ...]:
        """The slot's bones, none where it is not mapped."""
        return self.slots.get(slot, ())

    def first(self, slot: str) -> str:
        """The slot's first bone; KeyError where it is not mapped."""
        return self.slots[slot][0]

    @property
    def bones(self) -> tuple[str, ...]:
        """All mapped bones."""
        return tuple(bone for chain in self.slots.values() for bone in chain)
