# SPDX-License-Identifier: GPL-3.0-or-later
"""How the limbs of a control rig are switched between FK and IK, as a rig family describes it."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from enum import Enum

Setting = tuple[str, str]
"""A bone and the name of one of its custom properties."""


class Controls(Enum):
    """Which controls of arms and legs a take keys.

    BOTH keys them all, so that the switch can be thrown at any frame; the limbs then follow FK.
    """

    FK = "fk"
    IK = "ik"
    BOTH = "both"


@dataclass(frozen=True)
class IkLimb:
    """The IK controls of an arm or a leg; "@" stands for the side.

    upper, lower, end: slots that the limb consists of, without "left_" or "right_".
    target:   control that places hand or foot.
    pole:     control that elbow or knee points to.
    shown:    bones that show where the limb's three parts are, whichever controls rule.
    switch:   the property that chooses between FK and IK.
    fk, ik:   its two values.
    needed:   other properties that IK needs, with their values.
    kept:     properties that decide what the controls hang on: keyed with the value that they have.
    toe:      control of the toes while IK rules.
    at_rest:  controls (roll of the heel, ...) that must be at rest for the target to place the foot.
    base:     control that the IK chain begins with, where it has one: at rest, too, but for its length, which
              makes up for what an IK that may stretch takes off.
    """

    upper: str
    lower: str
    end: str
    target: str
    pole: str
    shown: tuple[str, str, str]
    switch: Setting
    fk: float
    ik: float
    needed: AnyMapping[Setting, float] = field(default_factory=dict)
    kept: tuple[Setting, ...] = ()
    toe: str = ""
    at_rest: tuple[str, ...] = ()
    base: str = ""

    def on(self, side: str) -> IkLimb:
        """The same with the rig's word for a side in place of "@"."""

        def called(name: str) -> str:
            return name.replace("@", side)

        upper, lower, end = self.shown
        return replace(
            self,
            target=called(self.target),
            pole=called(self.pole),
            shown=(called(upper), called(lower), called(end)),
            switch=(called(self.switch[0]), self.switch[1]),
            needed={(called(bone), name): value for (bone, name), value in self.needed.items()},
            kept=tuple((called(bone), name) for bone, name in self.kept),
            toe=called(self.toe),
            at_rest=tuple(called(bone) for bone in self.at_rest),
            base=called(self.base),
        )
