# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's last panel: takes that were made before.  Drawing only reads what is known."""

from __future__ import annotations

import bpy

from ..connection.hub import hub
from ..connection.session import Phase
from ..generate.jobs import Listed, desk
from ..generate.takes_panel import draw_fold, unfolded
from ..widgets import CATEGORY
from .ops import VIDEOMDM_OT_fetch_take, VIDEOMDM_OT_list_takes

TAKES_SHOWN = 12


class VIDEOMDM_PT_library(bpy.types.Panel):
    """What the backend's library holds and this session has not made."""

    bl_idname = "VIDEOMDM_PT_library"
    bl_label = "Earlier Takes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only a connected backend can tell."""
        return hub.status.phase is Phase.READY

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        text = "Refresh" if desk.listed else "List Takes"
        layout.operator(VIDEOMDM_OT_list_takes.bl_idname, text=text, icon="FILE_REFRESH")
        known = {take.job for take in desk.takes}
        earlier = [take for take in desk.stored if take.job not in known]
        column = layout.column(align=True)
        for take in unfolded(earlier, Listed.LIBRARY, TAKES_SHOWN):
            row = column.row(align=True)
            row.label(text=f"{take.caption}  ({take.frames / take.fps:.1f} s)", icon="ACTION")
            operator = row.operator(VIDEOMDM_OT_fetch_take.bl_idname, text="", icon="IMPORT")
            assert operator is not None
            operator.job = take.job
        draw_fold(column, earlier, Listed.LIBRARY, TAKES_SHOWN)
        if desk.listed and not earlier:
            column.label(text="No earlier takes", icon="INFO")


CLASSES = (VIDEOMDM_PT_library,)
