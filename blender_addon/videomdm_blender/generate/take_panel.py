# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the sidebar that says how takes are put on rigs.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..widgets import CATEGORY
from .property_group import settings


class VIDEOMDM_PT_take(bpy.types.Panel):
    """Controls, feet, root motion, mirror, loop, keys, blending."""

    bl_idname = "VIDEOMDM_PT_take"
    bl_label = "Take Settings"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout, scene = self.layout, context.scene
        assert layout is not None and scene is not None
        chosen = settings(scene)
        take = chosen.take
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(chosen, "controls")
        column.prop(chosen, "feet")
        column.prop(take, "fingers")
        column = layout.column()
        column.prop(take, "root")
        if take.root in ("bone", "object"):
            column.prop(take, "heading")
        column.prop(take, "mirror")
        column.prop(take, "loop")
        if take.loop != "off":
            column.prop(take, "loop_window")
            column.prop(take, "cycles")
        column = layout.column()
        column.prop(take, "interpolation")
        if take.interpolation != "constant":
            column.prop(take, "reduce_degrees")
            if take.reduce_degrees > 0:
                column.prop(take, "reduce_millimetres")
        column = layout.column()
        if take.loop == "off":
            column.prop(take, "blend_in")
            column.prop(take, "blend_out")
            if take.blend_in > 0:
                column.prop(take, "align")
        column.prop(take, "push_down")


CLASSES = (VIDEOMDM_PT_take,)
