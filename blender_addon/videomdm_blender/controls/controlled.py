# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig as it is animated: its controls by the names of their family, or by what its bones follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import bpy

from ..retarget.rig import Carrier, Mapping, RigRest
from ..retarget.slots import SIDES
from ..rigs import auto_rig_pro, rigify
from ..rigs.families import family_called
from .following import Following
from .limb import IkLimb, Setting
from .stage import stage

IK_LIMBS = {rigify.FAMILY.key: rigify.IK_LIMBS, auto_rig_pro.CONTROLS.key: auto_rig_pro.IK_LIMBS}
KEPT = {rigify.FAMILY.key: rigify.KEPT, auto_rig_pro.CONTROLS.key: auto_rig_pro.KEPT}
TWO_BONES = (("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot"))


@dataclass(frozen=True)
class Controlled:
    """A rig as it is animated.

    rest:      its bones; controls begin and end where the bones do that they move.
    mapping:   of the FK controls.
    shown:     control -> the bone that shows what it does, where that was found by what bones follow.
    ik:        side and IK controls of its limbs.
    kept:      properties that decide what the FK controls hang on.
    uncertain: how the rig holds its controls is not known for sure, and has to be seen.
    """

    rest: RigRest
    mapping: Mapping
    shown: dict[str, str] = field(default_factory=dict)
    ik: tuple[tuple[str, IkLimb], ...] = ()
    kept: tuple[Setting, ...] = ()
    uncertain: bool = False


def onto_controls(armature: bpy.types.Object, rest: RigRest, mapping: Mapping) -> Controlled:
    """The rig's controls; where its bones follow none, the bones themselves."""
    family = family_called(mapping.family)
    if family is None or not family.controls:
        return _by_following(armature, rest, mapping)
    limbs = [
        (side, limb.on(word))
        for side, word in zip(SIDES, family.sides, strict=True)
        for limb in IK_LIMBS.get(family.key, ())
    ]
    return Controlled(
        rest,
        mapping,
        ik=tuple(limbs),
        kept=KEPT.get(family.key, ()),
        uncertain=family is not rigify.FAMILY,
    )


def _by_following(armature: bpy.types.Object, rest: RigRest, mapping: Mapping) -> Controlled:
    rig = Following(armature, rest)
    controls = _one_each(mapping, {bone: rig.control(bone) for bone in mapping.bones})
    if all(bone == control for bone, control in controls.items()):
        return Controlled(rest, mapping)
    slots = {
        slot: tuple(dict.fromkeys(controls[bone] for bone in chain)) for slot, chain in mapping.slots.items()
    }
    carriers = {
        control: Carrier(rig.carrier(control, set(controls.values()))) for control in controls.values()
    }
    switches = dict(mapping.switches)
    if rig.settings:
        with stage(armature) as place:
            switches |= rig.switches(place)
    shown = {control: bone for bone, control in reversed(controls.items()) if control != bone}
    on_controls = Mapping(slots, mapping.family, carriers, switches)
    return Controlled(
        _placed_as(rest, shown),
        on_controls,
        shown,
        tuple(_ik_limbs(rig, mapping, on_controls)),
        uncertain=True,
    )


def _one_each(mapping: Mapping, controls: dict[str, str]) -> dict[str, str]:
    """The same where a control moves one part of the body only; others are no controls but helpers."""
    parts: dict[str, set[str]] = {}
    for slot, chain in mapping.slots.items():
        for bone in chain:
            parts.setdefault(controls[bone], set()).add(slot)
    return {
        bone: bone if len(parts[control]) > 1 or control in mapping.bones else control
        for bone, control in controls.items()
    }


def _placed_as(rest: RigRest, shown: dict[str, str]) -> RigRest:
    """The rest pose with each control where the bone is that it moves: that is what points and reaches."""
    heads, tails = rest.heads.copy(), rest.tails.copy()
    for control, bone in shown.items():
        heads[rest.index(control)] = rest.head(bone)
        tails[rest.index(control)] = rest.tails[rest.index(bone)]
    return replace(rest, heads=heads, tails=tails)


def _ik_limbs(rig: Following, mapping: Mapping, controls: Mapping) -> Iterator[tuple[str, IkLimb]]:
    for side in SIDES:
        for parts in TWO_BONES:
            chains = [mapping.chain(f"{side}_{part}") for part in parts]
            if any(len(chain) != 1 for chain in chains):
                continue
            toes = mapping.chain(f"{side}_toe") if parts[2] == "foot" else ()
            limb = rig.ik_limb(parts, (chains[0][0], chains[1][0], chains[2][0]), toes, controls)
            if limb is not None:
                yield side, limb
