# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar in a scene of keypoints.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..generate.jobs import State, desk
from ..generate.panel import draw_action
from ..widgets import CATEGORY
from .doubt_ops import VIDEOMDM_OT_next_doubtful
from .jobs import edited
from .points_ops import (
    VIDEOMDM_OT_close_keypoints,
    VIDEOMDM_OT_lift_keypoints,
    VIDEOMDM_OT_open_keypoints,
    VIDEOMDM_OT_save_keypoints,
)
from .property_group import keypoints_group
from .repair_ops import (
    VIDEOMDM_OT_ignore_keypoints,
    VIDEOMDM_OT_restore_keypoints,
    VIDEOMDM_OT_swap_keypoints,
    VIDEOMDM_OT_trust_keypoints,
)
from .shown import CONFIDENCE, all_shown, keypoints_in


class VIDEOMDM_PT_keypoints(bpy.types.Panel):
    """Repairs, and the button that makes motion."""

    bl_idname = "VIDEOMDM_PT_keypoints"
    bl_label = "Keypoints"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in a scene of keypoints."""
        return keypoints_in(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        armature = keypoints_in(context.scene)
        assert layout is not None and armature is not None
        group = keypoints_group(armature)
        column = layout.column(align=True)
        column.row(align=True).prop(group, "frames", expand=True)
        row = column.row(align=True)
        row.operator(VIDEOMDM_OT_ignore_keypoints.bl_idname, icon="HIDE_ON")
        row.operator(VIDEOMDM_OT_trust_keypoints.bl_idname, icon="CHECKMARK")
        row = column.row(align=True)
        row.operator(VIDEOMDM_OT_swap_keypoints.bl_idname, icon="ARROW_LEFTRIGHT")
        row.operator(VIDEOMDM_OT_restore_keypoints.bl_idname, icon="LOOP_BACK")
        layout.operator(VIDEOMDM_OT_next_doubtful.bl_idname, icon="NEXT_KEYFRAME")
        point = context.active_pose_bone
        if point is not None and point.id_data == armature and point.get(CONFIDENCE) is not None:
            row = layout.row()
            row.label(text=point.name.replace("_", " ").capitalize())
            row.prop(point, f'["{CONFIDENCE}"]', text="", slider=True)
        layout.prop(group, "character", text="", icon="ARMATURE_DATA")
        draw_action(layout, VIDEOMDM_OT_lift_keypoints.bl_idname, "RENDER_ANIMATION")
        job = desk.current
        if job is not None and job.id in edited and job.state is State.DONE and job.target is not None:
            layout.label(text=f"{job.action} is on {job.target.name}", icon="CHECKMARK")
        row = layout.row(align=True)
        row.operator(VIDEOMDM_OT_close_keypoints.bl_idname, icon="BACK")
        row.operator(VIDEOMDM_OT_save_keypoints.bl_idname, text="Save…", icon="FILE_TICK")


def draw_shown(layout: bpy.types.UILayout) -> None:
    """The keypoints that this file holds, to be opened."""
    shown = list(all_shown())
    if shown:
        column = layout.column(align=True)
        for scene, _ in shown:
            opened = column.operator(
                VIDEOMDM_OT_open_keypoints.bl_idname, text=scene.name, icon="ARMATURE_DATA"
            )
            assert opened is not None
            opened.name = scene.name


CLASSES = (VIDEOMDM_PT_keypoints,)
