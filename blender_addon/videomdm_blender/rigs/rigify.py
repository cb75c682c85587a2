# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's generated rigs: keys go onto the FK controls, with the limbs switched to FK, or onto the IK controls."""

from __future__ import annotations

from ..controls.limb import IkLimb, Setting
from ..retarget.rig import Carrier, Mapping, RigRest
from ..retarget.slots import SIDES
from .family import Family


def _carriers(rest: RigRest, mapping: Mapping) -> dict[str, Carrier]:
    """What Rigify's mechanism bones make of the controls' parents.

    The chest control bends the spine between torso and chest; collars, neck and arms hang on its upper end.
    Neck, head and limbs can be told to keep the direction of the torso or of the root instead
    ("neck_follow", "head_follow", "FK_limb_follow").
    """
    (torso,), chest = mapping.chain("hips"), mapping.chain("spine")[-1]
    carriers = {chest: Carrier(torso)}
    for slot, below in (("neck", chest), ("head", (mapping.chain("neck") or (chest,))[-1])):
        for bone in mapping.chain(slot):
            carriers[bone] = Carrier(below, torso, _share(rest, f"MCH-ROT-{slot}", torso))
    for side in SIDES:
        letter = side[0].upper()
        for bone in mapping.chain(f"{side}_collar"):
            carriers[bone] = Carrier(chest)
        collar = (mapping.chain(f"{side}_collar") or (chest,))[-1]
        for part, below in (("upper_arm", collar), ("thigh", torso)):
            share = _share(rest, f"MCH-{part}_parent.{letter}", "root")
            carriers[mapping.first(f"{side}_{part}")] = Carrier(below, "", share)
    return carriers


def _share(rest: RigRest, mechanism: str, target: str) -> float:
    """How much of the rotation of ``target`` the mechanism bone copies at the moment."""
    return dict(rest.copies.get(mechanism, ())).get(target, 0.0)


FAMILY = Family(
    key="rigify",
    title="Rigify",
    sides=("L", "R"),
    controls=True,
    names={
        "hips": "torso",
        "spine": "chest",
        "neck": "neck",
        "head": "head",
        "collar": "shoulder.@",
        "upper_arm": "upper_arm_fk.@",
        "forearm": "forearm_fk.@",
        "hand": "hand_fk.@",
        "thigh": "thigh_fk.@",
        "shin": "shin_fk.@",
        "foot": "foot_fk.@",
        "toe": "toe_fk.@",
    },
    carriers=_carriers,
    switches={("upper_arm_parent.@", "IK_FK"): 1.0, ("thigh_parent.@", "IK_FK"): 1.0},
)

# What FK controls hang on; the carriers above were read at these values.
KEPT: tuple[Setting, ...] = (
    ("torso", "torso_parent"),
    ("torso", "neck_follow"),
    ("torso", "head_follow"),
    *(
        (f"{limb}_parent.{side}", "FK_limb_follow")
        for limb in ("upper_arm", "thigh")
        for side in FAMILY.sides
    ),
)


def _ik(upper: str, lower: str, end: str, at_rest: tuple[str, ...] = (), toe: str = "") -> IkLimb:
    """The IK controls of a limb; pole targets only count while "pole_vector" is on."""
    settings = f"{upper}_parent.@"
    return IkLimb(
        upper=upper,
        lower=lower,
        end=end,
        target=f"{end}_ik.@",
        pole=f"{upper}_ik_target.@",
        shown=(f"ORG-{upper}.@", f"ORG-{lower}.@", f"ORG-{end}.@"),
        switch=(settings, "IK_FK"),
        fk=1.0,
        ik=0.0,
        needed={(settings, "pole_vector"): 1.0},
        kept=((settings, "IK_parent"), (settings, "pole_parent"), (settings, "IK_Stretch")),
        toe=toe,
        at_rest=at_rest,
        base=f"{upper}_ik.@",
    )


IK_LIMBS = (
    _ik("upper_arm", "forearm", "hand"),
    _ik("thigh", "shin", "foot", at_rest=("foot_heel_ik.@", "foot_spin_ik.@"), toe="toe_ik.@"),
)
