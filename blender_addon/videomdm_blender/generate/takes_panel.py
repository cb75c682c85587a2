# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: the takes of this session, and what can be done with the one that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import bpy

from videomdm.errors import UserError

from ..widgets import CATEGORY
from . import take_ops
from .jobs import Listed, Shown, desk, shown_by
from .ops import VIDEOMDM_OT_apply_take, VIDEOMDM_OT_unfold_takes, active_armature

TAKES_SHOWN = 8

ListedTake = TypeVar("ListedTake")


class VIDEOMDM_PT_takes(bpy.types.Panel):
    """The takes of this session, newest first."""

    bl_idname = "VIDEOMDM_PT_takes"
    bl_label = "Takes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing to show before the first take."""
        return bool(desk.takes)

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        shown = _shown(context)
        column = layout.column(align=True)
        for index, take in enumerate(unfolded(desk.takes, Listed.SESSION, TAKES_SHOWN)):
            icon = "CHECKMARK" if shown is not None and take is shown.take else "ACTION"
            row = column.row(align=True)
            row.label(text=f"{take.name}  ({take.motion.seconds:.1f} s)", icon=icon)  # type: ignore[arg-type]
            operator = row.operator(VIDEOMDM_OT_apply_take.bl_idname, text="", icon="IMPORT")
            assert operator is not None
            operator.index = index
        draw_fold(column, desk.takes, Listed.SESSION, TAKES_SHOWN)
        _draw_tools(layout)


def unfolded(takes: Sequence[ListedTake], which: Listed, count: int) -> Sequence[ListedTake]:
    """What a list shows: all of it, or its beginning."""
    return takes if which in desk.unfolded else takes[:count]


def draw_fold(layout: bpy.types.UILayout, takes: Sequence[object], which: Listed, count: int) -> None:
    """The button that shows the rest of a list, where there is one."""
    if len(takes) <= count:
        return
    whole = which in desk.unfolded
    button = layout.operator(
        VIDEOMDM_OT_unfold_takes.bl_idname,
        text="Show Fewer" if whole else f"{len(takes) - count} Older",
        icon="TRIA_UP" if whole else "TRIA_DOWN",
    )
    assert button is not None
    button.which = which.name


def _shown(context: bpy.types.Context) -> Shown | None:
    try:
        return shown_by(active_armature(context))
    except UserError:
        return None


def _draw_tools(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator(take_ops.VIDEOMDM_OT_reapply_take.bl_idname, icon="FILE_REFRESH")
    row.operator(take_ops.VIDEOMDM_OT_mirror_take.bl_idname, icon="MOD_MIRROR")
    row = column.row(align=True)
    row.operator(take_ops.VIDEOMDM_OT_loop_take.bl_idname, icon="LOOP_FORWARDS")
    row.operator(take_ops.VIDEOMDM_OT_push_down_take.bl_idname, icon="NLA_PUSHDOWN")


CLASSES = (VIDEOMDM_PT_takes,)
