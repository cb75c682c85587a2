# SPDX-License-Identifier: GPL-3.0-or-later
"""What several panels draw."""

from __future__ import annotations

import textwrap

import bpy

CATEGORY = "VideoMDM"  # the tab of the sidebar
CHARACTER_PIXELS = 7.0  # mean width of a character at a scale of 1
ICON_CHARACTERS = 6


def sentence(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, *, icon: str = "NONE"
) -> None:
    """A text in a box, broken into lines that fit the region."""
    region, preferences = context.region, context.preferences
    scale = preferences.system.ui_scale if preferences is not None and preferences.system else 1.0
    width = region.width if region is not None else 240
    characters = max(16, int(width / (CHARACTER_PIXELS * scale)) - ICON_CHARACTERS)
    column = layout.box().column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, characters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")  # type: ignore[arg-type]  # a name
