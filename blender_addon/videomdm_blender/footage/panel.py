# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: footage that becomes motion.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..generate.jobs import desk
from ..generate.panel import draw_action
from ..generate.property_group import settings
from ..widgets import CATEGORY
from .ops import VIDEOMDM_OT_lift_footage
from .points_ops import VIDEOMDM_OT_show_keypoints
from .points_panel import draw_shown
from .shown import keypoints_in


class VIDEOMDM_PT_footage(bpy.types.Panel):
    """Which footage, which part of it, and the button."""

    bl_idname = "VIDEOMDM_PT_footage"
    bl_label = "Footage"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not where keypoints have a panel of their own."""
        return keypoints_in(context.scene) is None

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout, scene = self.layout, context.scene
        assert layout is not None and scene is not None
        footage = settings(scene).footage
        layout.prop(footage, "file", text="", placeholder="Video or keypoints")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        if footage.is_video:
            column.prop(footage, "start")
            column.prop(footage, "length")
            column.prop(footage, "person")
        column.prop(footage, "prompt")
        draw_action(layout, VIDEOMDM_OT_lift_footage.bl_idname, "RENDER_ANIMATION")
        if desk.current is None or desk.current.ended:
            layout.operator(VIDEOMDM_OT_show_keypoints.bl_idname, icon="ARMATURE_DATA")
        draw_shown(layout)


CLASSES = (VIDEOMDM_PT_footage,)
