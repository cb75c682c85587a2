# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: what to make, and how far it is.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..connection.hub import hub
from ..connection.session import Phase
from ..widgets import CATEGORY, sentence
from .jobs import Job, State, desk
from .ops import VIDEOMDM_OT_cancel, VIDEOMDM_OT_generate
from .property_group import settings


class VIDEOMDM_PT_generate(bpy.types.Panel):
    """Prompt, target, progress."""

    bl_idname = "VIDEOMDM_PT_generate"
    bl_label = "Generate"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        scene = context.scene
        assert layout is not None and scene is not None
        chosen = settings(scene)
        layout.prop(chosen, "prompt", text="", placeholder="The motion in words")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(chosen, "seconds")
        column.prop(chosen, "samples")
        row = column.row(align=True)
        field = row.row(align=True)
        field.active = not chosen.random_seed
        field.prop(chosen, "seed")
        row.prop(chosen, "random_seed", text="", icon="FILE_REFRESH", toggle=True)
        _draw_target(layout, context)
        draw_action(layout, VIDEOMDM_OT_generate.bl_idname, "PLAY")
        if desk.error is not None and desk.error is not hub.status.error:  # that one stands above
            sentence(layout, context, str(desk.error), icon="ERROR")
        for note in desk.notes:
            sentence(layout, context, note, icon="INFO")


class VIDEOMDM_PT_sampling(bpy.types.Panel):
    """What is seldom changed."""

    bl_idname = "VIDEOMDM_PT_sampling"
    bl_label = "Advanced"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = VIDEOMDM_PT_generate.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout, scene = self.layout, context.scene
        assert layout is not None and scene is not None
        chosen = settings(scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(chosen, "guidance")
        column.prop(chosen, "steps")


def draw_action(layout: bpy.types.UILayout, operator: str, icon: str) -> None:
    """The button that starts something, or how far what was started is."""
    job = desk.current
    if job is not None and not job.ended:
        _draw_progress(layout, job)
        return
    row = layout.row()
    row.scale_y = 1.4
    row.operator(operator, icon=icon)  # type: ignore[arg-type]  # names of icons are literals


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    active = context.active_object
    if active is not None and active.type == "MESH":
        active = active.find_armature() or active
    if active is not None and active.type == "ARMATURE":
        layout.label(text=active.name, icon="ARMATURE_DATA")
    else:
        layout.label(text="Select an armature", icon="INFO")


def _draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
    if job.state is State.RUNNING and (job.stop is not None or hub.status.phase is Phase.READY):
        text = job.stage
    else:
        text = State.WAITING.value if job.state is State.RUNNING else job.state.value
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.progress(factor=job.fraction, type="BAR", text=text)
    row.operator(VIDEOMDM_OT_cancel.bl_idname, text="", icon="X")


CLASSES = (VIDEOMDM_PT_generate, VIDEOMDM_PT_sampling)
