# SPDX-License-Identifier: GPL-3.0-or-later
"""How takes are put on rigs, as the sidebar asks for it; saved with the scene."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

from ..edit.settings import RANGES, TakeSettings

DEFAULTS = TakeSettings()


class VIDEOMDM_PG_take(bpy.types.PropertyGroup):
    """The fields of ``TakeSettings``."""

    root: EnumProperty(
        name="Travel",
        description="Who goes the way over the floor",
        items=[
            ("hips", "Hips", "The hips carry the body, as in the motion"),
            ("in-place", "In Place", "Nobody: the character stays where it stands"),
            ("bone", "Root Bone", "The bone above the hips; it begins where it is"),
            ("object", "Object", "The armature object; it begins where it is"),
        ],
        default=DEFAULTS.root,
    )
    heading: BoolProperty(
        name="Heading Too",
        description="Root bone or object also turn with the character",
        default=DEFAULTS.heading,
    )
    mirror: BoolProperty(name="Mirror", description="Left and right change places", default=DEFAULTS.mirror)
    loop: EnumProperty(
        name="Loop",
        description="Lead the end of the motion back to its beginning",
        items=[
            ("off", "Off", "As it is"),
            ("whole", "Whole Motion", "The whole motion repeats"),
            ("best", "Best Stretch", "The stretch of it that repeats best; the rest is left out"),
        ],
        default=DEFAULTS.loop,
    )
    loop_window: FloatProperty(
        name="Seam (s)",
        description="Seconds around the seam that take up the difference",
        default=DEFAULTS.loop_window,
        min=RANGES["loop_window"][0],
        soft_max=2.0,
        max=RANGES["loop_window"][1],
        precision=2,
        step=10,
    )
    cycles: BoolProperty(
        name="Repeat",
        description="Let the loop repeat for ever by modifiers on its curves",
        default=DEFAULTS.cycles,
    )
    interpolation: EnumProperty(
        name="Interpolation",
        description="Between keys",
        items=[
            ("linear", "Linear", "Straight"),
            ("bezier", "Bezier", "Smooth, with handles that follow the motion"),
            ("constant", "Constant", "Poses are held"),
        ],
        default=DEFAULTS.interpolation,
    )
    reduce_degrees: FloatProperty(
        name="Reduce Keys (°)",
        description="Leave out keys as long as no bone turns by more degrees than this away; 0 keeps all",
        default=DEFAULTS.reduce_degrees,
        min=RANGES["reduce_degrees"][0],
        soft_max=10.0,
        max=RANGES["reduce_degrees"][1],
        precision=2,
    )
    reduce_millimetres: FloatProperty(
        name="Feet (mm)",
        description="How far the body and standing feet may be away where keys are left out",
        default=DEFAULTS.reduce_millimetres,
        min=RANGES["reduce_millimetres"][0],
        soft_max=50.0,
        max=RANGES["reduce_millimetres"][1],
        precision=1,
    )
    blend_in: FloatProperty(
        name="Blend In (s)",
        description="Seconds over which the take grows out of the animation that is there",
        default=DEFAULTS.blend_in,
        min=RANGES["blend_in"][0],
        soft_max=3.0,
        max=RANGES["blend_in"][1],
        precision=2,
        step=10,
    )
    blend_out: FloatProperty(
        name="Blend Out (s)",
        description="Seconds over which it returns to that animation",
        default=DEFAULTS.blend_out,
        min=RANGES["blend_out"][0],
        soft_max=3.0,
        max=RANGES["blend_out"][1],
        precision=2,
        step=10,
    )
    align: BoolProperty(
        name="Align Start",
        description="A take that is blended in starts where the character stands, facing as it does",
        default=DEFAULTS.align,
    )
    fingers: EnumProperty(
        name="Fingers",
        description="What fingers do that are not part of the motion",
        items=[
            (
                "relaxed",
                "Relaxed",
                "Those that nobody has posed or animated curl as in a hand that does nothing",
            ),
            ("rest", "Leave Alone", "They keep the pose that they have"),
        ],
        default=DEFAULTS.fingers,
    )
    push_down: BoolProperty(
        name="Push Down to NLA",
        description="Make each take a strip on an NLA track of its own",
        default=DEFAULTS.push_down,
    )

    def chosen(self) -> TakeSettings:
        """The settings; what the panel shows as having no effect has none."""
        loops, sparse = self.loop != "off", self.interpolation != "constant"
        names = [field.name for field in fields(TakeSettings)]
        values = {name: _plain(getattr(self, name)) for name in names}
        if not loops:
            values["cycles"] = False
        else:
            values["blend_in"] = values["blend_out"] = 0.0
        if not sparse:
            values["reduce_degrees"] = 0.0
        return TakeSettings(**values)


def _plain(value: Any) -> Any:
    """What a property holds; numbers without what single precision adds to them."""
    return round(value, 3) if isinstance(value, float) else value
