# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the sidebar that says how takes are put on rigs.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..widgets import CATEGORY
from .panel import VIDEOMDM_PT_generate
from .property_group import settings
from .take_ops import (
    VIDEOMDM_OT_loop_take,
    VIDEOMDM_OT_mirror_take,
    VIDEOMDM_OT_push_down_take,
    VIDEOMDM_OT_reapply_take,
)


class VIDEOMDM_PT_take(bpy.types.Panel):
    """Root motion, mirror, loop, keys, blending."""

    bl_idname = "VIDEOMDM_PT_take"
    bl_label = "Take"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = VIDEOMDM_PT_generate.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout, scene = self.layout, context.scene
        assert layout is not None and scene is not None
        take = settings(scene).take
        layout.use_property_split = True
        layout.use_property_decorate = False
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
        column.active = take.loop == "off"
        column.prop(take, "blend_in")
        column.prop(take, "blend_out")
        if take.blend_in > 0:
            column.prop(take, "align")
        layout.column().prop(take, "push_down")
        row = layout.row(align=True)
        row.operator(VIDEOMDM_OT_reapply_take.bl_idname, icon="FILE_REFRESH")
        row.operator(VIDEOMDM_OT_mirror_take.bl_idname, icon="MOD_MIRROR")
        row = layout.row(align=True)
        row.operator(VIDEOMDM_OT_loop_take.bl_idname, icon="LOOP_FORWARDS")
        row.operator(VIDEOMDM_OT_push_down_take.bl_idname, icon="NLA_PUSHDOWN")


CLASSES = (VIDEOMDM_PT_take,)
