# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the animator's controls of a rig whose names say nothing: by what its mapped bones copy from.

A deforming bone that copies the rotation of another is moved by that one, and so on, up to a bone that copies
nothing.  Of two that take turns, as IK and FK do, the one that no IK constraint bends is the FK control, and the
property that drives the two influences is the switch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

import bpy
import numpy as np
from bpy.utils import escape_identifier

from ..retarget.rig import Mapping, RigRest
from .limb import IkLimb, Setting
from .stage import Stage

RULES = 0.5  # a constraint with less influence, which no driver turns up, does not rule its bone
SAME_PLACE = 0.01  # of the rig's height: how far a mechanism bone may lie from the control that carries it
SAME_WAY = np.cos(np.radians(2.0))
PROPERTY = re.compile(r'^pose\.bones\["(.+?)"\]\["(.+?)"\]$')


@dataclass(frozen=True)
class _Copy:
    """A constraint that makes a bone turn with another; setting: the property that drives its influence."""

    bone: str
    name: str
    source: str
    setting: Setting | None


class Following:
    """Who copies from whom.

    settings: properties that drive constraints of the bones that were asked about.
    """

    def __init__(self, armature: bpy.types.Object, rest: RigRest) -> None:
        assert armature.pose is not None
        self.armature = armature
        self.pose = armature.pose
        self.rest = rest
        self.height = float(np.ptp(rest.heads @ rest.up))
        self.bent_by_ik = set(_bent_by_ik(armature.pose.bones))
        self.ik_targets = {c.subtarget for b in armature.pose.bones for c in b.constraints if _is_ik(c)}
        self.drivers = _drivers(armature)
        self.settings: dict[Setting, tuple[list[_Copy], list[_Copy]]] = {}

    def control(self, bone: str) -> str:
        """The bone that an animator turns to turn ``bone``; itself where it follows none."""
        seen = [bone]
        while (copy := self._chosen(seen[-1])) is not None and copy.source not in seen:
            seen.append(copy.source)
        return self._carried_by(seen[-1]) if len(seen) > 1 else bone

    def carrier(self, control: str, controls: set[str]) -> str:
        """The control that carries another one along, "" where none does."""
        parent = self.pose.bones[control].parent
        seen = set()
        while parent is not None and parent.name not in seen:
            seen.add(parent.name)
            followed = self.control(parent.name)
            if followed in controls and followed != control:
                return followed
            parent = parent.parent if followed == parent.name else self.pose.bones[followed].parent
        return ""

    def ik_limb(
        self,
        parts: tuple[str, str, str],
        shown: tuple[str, str, str],
        toes: tuple[str, ...],
        controls: Mapping,
    ) -> IkLimb | None:
        """The IK controls of a limb, if its bones copy from a chain that an IK constraint with a pole bends.

        parts: the limb's slots; shown, toes: the bones that are mapped to them; controls: the FK controls.
        """
        others = [copy for bone in shown[:2] for copy in self._copies(bone) if copy.source in self.bent_by_ik]
        bends = [c for copy in others for c in self.pose.bones[copy.source].constraints if _is_ik(c)]
        settings = [s for copy in others if (s := copy.setting) is not None and s in controls.switches]
        if not settings or not bends or not bends[-1].pole_subtarget:
            return None
        switch, fk = settings[0], controls.switches[settings[0]]
        above = self._controls_above(bends[-1].subtarget, controls)
        if not above:
            return None
        toe_ik = [copy.source for bone in toes for copy in self._copies(bone) if self._to_ik(copy)]
        return IkLimb(
            *parts,
            target=above[-1],
            pole=bends[-1].pole_subtarget,
            shown=shown,
            switch=switch,
            fk=fk,
            ik=1.0 - fk,
            toe=toe_ik[-1] if toe_ik else "",
            at_rest=tuple(above[:-1]),
        )

    def _controls_above(self, target: str, controls: Mapping) -> list[str]:
        """The controls that carry an IK target and nothing else of the body, from it upwards."""
        carrying = {p.name for bone in controls.bones for p in self.pose.bones[bone].parent_recursive}
        bone = self.pose.bones[target]
        line = [b for b in (bone, *bone.parent_recursive) if b.name not in carrying]
        shaped = [b.name for b in line if b.custom_shape is not None]
        return shaped or [line[-1].name] if line else []

    def switches(self, place: Stage) -> dict[Setting, float]:
        """Setting -> the value with which the FK controls rule, found by trying."""
        seen = {}
        assert place.double.pose is not None
        for value in (0.0, 1.0):
            for bone, name in self.settings:
                place.double.pose.bones[bone][name] = type(self.pose.bones[bone][name])(value)
            seen[value] = place.influences()
        found = {}
        for setting, (wanted, others) in self.settings.items():
            score = {
                value: sum(influence[c.bone, c.name] for c in wanted)
                - sum(influence[c.bone, c.name] for c in others)
                for value, influence in seen.items()
            }
            if score[0.0] != score[1.0]:
                found[setting] = max(score, key=lambda value: score[value])
        return found

    def _chosen(self, bone: str) -> _Copy | None:
        """The last constraint that rules, IK left aside."""
        copies = list(self._copies(bone))
        plain = [copy for copy in copies if copy.source not in self.bent_by_ik and not self._to_ik(copy)]
        if not plain:
            return None
        for group, chosen in ((plain[-1:], True), ([c for c in copies if c not in plain], False)):
            for copy in group:
                if copy.setting is not None:
                    lists = self.settings.setdefault(copy.setting, ([], []))
                    if copy not in lists[0 if chosen else 1]:
                        lists[0 if chosen else 1].append(copy)
        return plain[-1]

    def _to_ik(self, copy: _Copy) -> bool:
        """Whether a constraint follows the target of an IK: what the hand does when IK rules."""
        bone = self.pose.bones[copy.source]
        return any(above.name in self.ik_targets for above in (bone, *bone.parent_recursive))

    def _copies(self, bone: str) -> Iterator[_Copy]:
        for constraint in self.pose.bones[bone].constraints:
            source = self._source(constraint)
            path = (
                f'pose.bones["{escape_identifier(bone)}"]'
                f'.constraints["{escape_identifier(constraint.name)}"].influence'
            )
            driven = path in self.drivers
            if source and not constraint.mute and (driven or constraint.influence > RULES):
                yield _Copy(bone, constraint.name, source, self.drivers.get(path))

    def _source(self, constraint: bpy.types.Constraint) -> str:
        """The bone of this rig that a constraint makes its own turn with, or ""."""
        if isinstance(constraint, (bpy.types.CopyRotationConstraint, bpy.types.CopyTransformsConstraint)):
            source = constraint.subtarget if constraint.target == self.armature else ""
        elif isinstance(constraint, bpy.types.ArmatureConstraint):
            targets = [t for t in constraint.targets if t.target == self.armature and t.weight > RULES]
            source = targets[0].subtarget if targets else ""
        else:
            source = ""
        return source if source in self.pose.bones else ""

    def _carried_by(self, bone: str) -> str:
        """The control that carries a mechanism bone rigidly in the same place, or the bone."""
        here = self.pose.bones[bone]
        parent = here.parent
        if here.custom_shape is not None or parent is None or parent.custom_shape is None:
            return bone
        apart = float(np.linalg.norm(self.rest.head(bone) - self.rest.head(parent.name)))
        ways = [
            np.array(b.bone.tail_local - b.bone.head_local) / max(b.bone.length, 1e-9) for b in (here, parent)
        ]
        near = apart < SAME_PLACE * self.height and float(ways[0] @ ways[1]) > SAME_WAY
        return parent.name if near else bone


def _is_ik(constraint: bpy.types.Constraint) -> TypeGuard[bpy.types.KinematicConstraint]:
    return isinstance(constraint, bpy.types.KinematicConstraint) and not constraint.mute


def _bent_by_ik(bones: Iterable[bpy.types.PoseBone]) -> Iterator[str]:
    """Bones that an IK constraint turns."""
    for last in bones:
        for constraint in last.constraints:
            if isinstance(constraint, bpy.types.KinematicConstraint):
                bone: bpy.types.PoseBone | None = last
                for _ in range(constraint.chain_count or len(last.parent_recursive) + 1):
                    if bone is not None:
                        yield bone.name
                        bone = bone.parent


def _drivers(armature: bpy.types.Object) -> dict[str, Setting | None]:
    """Data path that is driven -> the bone's property that drives it, None where it is something else."""
    data = armature.animation_data
    found: dict[str, Setting | None] = {}
    for curve in data.drivers if data is not None else ():
        assert curve.driver is not None
        paths = [t.data_path for v in curve.driver.variables for t in v.targets if t.id == armature]
        match = next((m for path in paths if (m := PROPERTY.match(path))), None)
        found[curve.data_path] = (match[1], match[2]) if match else None
    return found
