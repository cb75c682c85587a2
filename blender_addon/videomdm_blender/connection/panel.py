# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's first panel: how Blender stands with the backend.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from videomdm import protocol

from ..preferences import VIDEOMDM_AP_preferences
from ..widgets import CATEGORY, sentence
from .hub import hub
from .ops import VIDEOMDM_OT_connect, VIDEOMDM_OT_disconnect, VIDEOMDM_OT_start_backend
from .session import Phase

ICONS = {
    Phase.READY: "LINKED",
    Phase.STARTING: "SORTTIME",
    Phase.CONNECTING: "SORTTIME",
    Phase.STOPPING: "SORTTIME",
    Phase.LOST: "ERROR",
    Phase.REFUSED: "ERROR",
    Phase.FAILED: "ERROR",
}


class VIDEOMDM_PT_connection(bpy.types.Panel):
    """State of the connection, and what can be done about it."""

    bl_idname = "VIDEOMDM_PT_connection"
    bl_label = "Backend"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 0

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Called by Blender: the way to the preferences, which say where the backend is."""
        layout = self.layout
        assert layout is not None
        button = layout.operator("preferences.addon_show", text="", icon="PREFERENCES", emboss=False)
        assert button is not None
        button.module = VIDEOMDM_AP_preferences.bl_idname

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        status = hub.status
        row = layout.row()
        icon = ICONS.get(status.phase, "UNLINKED")
        row.label(text=status.phase.value, icon=icon)  # type: ignore[arg-type]  # names of icons are literals
        if status.phase is Phase.READY and status.welcome is not None:
            _draw_model(layout, status.welcome)
        if status.error is not None:
            sentence(layout, context, str(status.error))
        row = layout.row(align=True)
        if hub.session is None:
            row.operator(VIDEOMDM_OT_start_backend.bl_idname, text="Start", icon="PLAY")
            row.operator(VIDEOMDM_OT_connect.bl_idname, icon="LINKED")
        else:
            text = "Stop" if status.local else "Disconnect"
            row.enabled = status.live
            row.operator(VIDEOMDM_OT_disconnect.bl_idname, text=text, icon="X")


def _draw_model(layout: bpy.types.UILayout, welcome: protocol.Welcome) -> None:
    model = next((model for model in welcome.models if model.name == welcome.default), None)
    if model is None:
        return
    column = layout.column(align=True)
    column.label(text=f"Model: {model.name}, up to {model.max_seconds:g} s")
    if welcome.device:
        column.label(text=f"Runs on: {welcome.device}")
    if not model.commercial:
        column.label(text="Not for commercial use", icon="INFO")


CLASSES = (VIDEOMDM_PT_connection,)
