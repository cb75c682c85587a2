# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: what to make, how far it is, the takes of this session.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..connection.hub import hub
from ..connection.session import Phase
from ..widgets import CATEGORY, sentence
from .jobs import Job, State, desk
from .ops import VIDEOMDM_OT_apply_take, VIDEOMDM_OT_cancel, VIDEOMDM_OT_generate
from .property_group import settings

TAKES_SHOWN = 8


class VIDEOMDM_PT_generate(bpy.types.Panel):
    """Prompt, settings, progress."""

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
        layout.prop(chosen, "prompt", text="")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(chosen, "seconds")
        row = column.row(align=True)
        field = row.row(align=True)
        field.active = not chosen.random_seed
        field.prop(chosen, "seed")
        row.prop(chosen, "random_seed", text="", icon="FILE_REFRESH", toggle=True)
        column.prop(chosen, "guidance")
        column.prop(chosen, "steps")
        column.prop(chosen, "samples")
        column.prop(chosen, "controls")
        column.prop(chosen, "feet")
        _draw_target(layout, context)
        job = desk.current
        if job is not None and not job.ended:
            _draw_progress(layout, job)
        else:
            row = layout.row()
            row.scale_y = 1.4
            row.enabled = hub.status.live
            row.operator(VIDEOMDM_OT_generate.bl_idname, icon="PLAY")
        if desk.error is not None and desk.error is not hub.status.error:  # that one stands above
            sentence(layout, context, str(desk.error), icon="ERROR")
        for note in desk.notes:
            sentence(layout, context, note, icon="INFO")


class VIDEOMDM_PT_takes(bpy.types.Panel):
    """The takes of this session, newest first."""

    bl_idname = "VIDEOMDM_PT_takes"
    bl_label = "Takes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 2

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show before the first take."""
        return bool(desk.takes)

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        column = layout.column(align=True)
        for index, take in enumerate(desk.takes[:TAKES_SHOWN]):
            row = column.row(align=True)
            row.label(text=f"{take.name}  ({take.motion.seconds:.1f} s)", icon="ACTION")
            operator = row.operator(VIDEOMDM_OT_apply_take.bl_idname, text="", icon="IMPORT")
            assert operator is not None
            operator.index = index
        if len(desk.takes) > TAKES_SHOWN:
            column.label(text=f"and {len(desk.takes) - TAKES_SHOWN} older")


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    active = context.active_object
    if active is not None and active.type == "MESH":
        active = active.find_armature() or active
    if active is not None and active.type == "ARMATURE":
        layout.label(text=active.name, icon="ARMATURE_DATA")
    else:
        layout.label(text="Select an armature", icon="INFO")


def _draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
    if job.state is State.RUNNING and hub.status.phase is Phase.READY:
        text = job.stage
    else:
        text = State.WAITING.value if job.state is State.RUNNING else job.state.value
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.progress(factor=job.fraction, type="BAR", text=text)
    row.operator(VIDEOMDM_OT_cancel.bl_idname, text="", icon="X")


CLASSES = (VIDEOMDM_PT_generate, VIDEOMDM_PT_takes)
