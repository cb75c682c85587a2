# SPDX-License-Identifier: GPL-3.0-or-later
"""The finger controls of the rig families whose fingers do not hang on the hand's control."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from ..edit.fingers import JOINTS
from ..retarget.slots import SIDES
from ..rigs import auto_rig_pro, rigify

# "@" is the side, "#" the number of the joint.
NAMES = {
    rigify.FAMILY.key: {
        "thumb": "thumb.0#.@",
        "index": "f_index.0#.@",
        "middle": "f_middle.0#.@",
        "ring": "f_ring.0#.@",
        "little": "f_pinky.0#.@",
    },
    auto_rig_pro.CONTROLS.key: {
        "thumb": "c_thumb#.@",
        "index": "c_index#.@",
        "middle": "c_middle#.@",
        "ring": "c_ring#.@",
        "little": "c_pinky#.@",
    },
}
# What curls a whole finger, beside the controls of its joints.
MASTERS = {
    rigify.FAMILY.key: (
        "thumb.01_master.@",
        *(f"f_{name}.01_master.@" for name in ("index", "middle", "ring", "pinky")),
    )
}
WORDS = {rigify.FAMILY.key: rigify.FAMILY.sides, auto_rig_pro.CONTROLS.key: auto_rig_pro.CONTROLS.sides}


def finger_controls(family: str, side: str) -> AnyMapping[str, tuple[str, ...]] | None:
    """Finger -> the controls of its joints from the knuckle on; None for families without such controls."""
    if family not in NAMES:
        return None
    word = WORDS[family][SIDES.index(side)]
    return {
        kind: tuple(name.replace("@", word).replace("#", str(joint + 1)) for joint in range(JOINTS))
        for kind, name in NAMES[family].items()
    }


def finger_masters(family: str, side: str) -> tuple[str, ...]:
    """Controls that bend fingers besides those of the joints."""
    return tuple(name.replace("@", WORDS[family][SIDES.index(side)]) for name in MASTERS.get(family, ()))
