# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings for footage, saved with the scene."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from videomdm import limits

KEYPOINTS = ".json"


class VIDEOMDM_PG_footage(bpy.types.PropertyGroup):
    """Which footage, which part of it, and whom of those seen."""

    file: StringProperty(
        name="Footage",
        description="A video of somebody seen whole by a camera that stands still, or a file of `videomdm keypoints`",
        subtype="FILE_PATH",
    )
    prompt: StringProperty(
        name="Shows",
        description="What the footage shows, in words; helps where little is seen. May be empty",
        maxlen=limits.MAX_PROMPT_CHARACTERS,
    )
    start: FloatProperty(
        name="From (s)", description="Second of the video at which to begin", min=0.0, precision=2, step=10
    )
    length: FloatProperty(
        name="Length (s)",
        description="Seconds to take of the video",
        default=limits.MAX_SECONDS,
        min=limits.MIN_SECONDS,
        max=limits.MAX_SECONDS,
        precision=2,
        step=10,
    )
    person: IntProperty(
        name="Person",
        description="Whom to take where several are seen; 1 is seen longest and largest",
        default=1,
        min=1,
        soft_max=9,
    )

    @property
    def is_video(self) -> bool:
        """Whether people have to be found in it first."""
        return not self.file.lower().endswith(KEYPOINTS)


CLASSES = (VIDEOMDM_PG_footage,)
