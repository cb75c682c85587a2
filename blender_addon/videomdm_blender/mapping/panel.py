# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: which bone is which part of the body, with a picker for each.  Drawing only reads."""

from __future__ import annotations

import bpy

from videomdm.errors import UserError

from ..generate.ops import active_armature
from ..retarget.slots import CENTRE_SLOTS, REQUIRED, SIDE_SLOTS, SIDES, words
from ..rigs.families import family_called
from ..widgets import CATEGORY, sentence
from . import ops
from .property_group import LONGEST, VIDEOMDM_PG_mapping, field, given

LABEL = 0.36  # of the width, for the part's name


class VIDEOMDM_PT_mapping(bpy.types.Panel):
    """The mapping of the active armature."""

    bl_idname = "VIDEOMDM_PT_mapping"
    bl_label = "Mapping"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  # Blender's way

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        try:
            armature = active_armature(context)
        except UserError:
            layout.label(text="Select an armature", icon="INFO")
            return
        mapping = given(armature)
        row = layout.row(align=True)
        row.operator(ops.VIDEOMDM_OT_mapping_find.bl_idname, icon="VIEWZOOM")
        row.operator(ops.VIDEOMDM_OT_mapping_load.bl_idname, text="", icon="FILE_FOLDER")
        row.operator(ops.VIDEOMDM_OT_mapping_save.bl_idname, text="", icon="FILE_TICK")
        if not (mapping.is_given or mapping.opened):
            layout.operator(ops.VIDEOMDM_OT_mapping_choose.bl_idname, icon="VIEW_PAN")
            sentence(layout, context, "The bones are found anew for each take.", icon="INFO")
            return
        row.operator(ops.VIDEOMDM_OT_mapping_reset.bl_idname, text="", icon="LOOP_BACK")
        family = family_called(mapping.family)
        layout.label(
            text=family.title if family else "Bones by structure or by hand",
            icon="ARMATURE_DATA",
        )
        if mapping.problem:
            sentence(layout, context, mapping.problem, icon="ERROR")
        elif not mapping.is_given:
            sentence(layout, context, "Choose a bone for each part; those in red are needed.", icon="INFO")
        if mapping.is_lopsided:
            layout.operator(ops.VIDEOMDM_OT_mapping_mirror.bl_idname, icon="MOD_MIRROR")
        _draw_parts(layout, armature, mapping, "Middle", CENTRE_SLOTS)
        for side in SIDES:
            _draw_parts(
                layout, armature, mapping, side.title(), tuple(f"{side}_{part}" for part in SIDE_SLOTS)
            )


def _draw_parts(
    layout: bpy.types.UILayout,
    armature: bpy.types.Object,
    mapping: VIDEOMDM_PG_mapping,
    title: str,
    slots: tuple[str, ...],
) -> None:
    assert isinstance(armature.data, bpy.types.Armature)
    column = layout.box().column(align=True)
    column.label(text=title)
    for slot in slots:
        chain = mapping.chain(slot)
        shown = max(1, min(len(chain) + (bool(chain) and slot == mapping.opened), LONGEST))
        for place in range(shown):
            split = column.split(factor=LABEL, align=True)
            cell = split.row(align=True)
            missing = place < len(chain) and chain[place] not in armature.data.bones
            cell.alert = missing or (not chain and slot in REQUIRED)
            part = words(slot).removeprefix(f"{title.lower()} ")
            cell.label(text="" if place else part.capitalize())
            if not place and 0 < len(chain) < LONGEST:
                add = cell.operator(ops.VIDEOMDM_OT_mapping_add.bl_idname, text="", icon="ADD", emboss=False)
                assert add is not None
                add.slot = slot
            line = split.row(align=True)
            line.prop_search(mapping, field(slot, place), armature.data, "bones", text="", icon="NONE")
            pick = line.operator(ops.VIDEOMDM_OT_mapping_pick.bl_idname, text="", icon="RESTRICT_SELECT_OFF")
            assert pick is not None
            pick.slot, pick.place = slot, place


CLASSES = (VIDEOMDM_PT_mapping,)
