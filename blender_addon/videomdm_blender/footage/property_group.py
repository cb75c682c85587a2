# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings for footage, saved with the scene, and what is kept with keypoints that are shown."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

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

    keypoints: PointerProperty(
        name="Keypoints",
        description="The armature of the keypoints that this scene shows",
        type=bpy.types.Object,
    )

    @property
    def is_video(self) -> bool:
        """Whether people have to be found in it first."""
        return not self.file.lower().endswith(KEYPOINTS)


def _is_character(group: VIDEOMDM_PG_keypoints, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE" and not is_keypoints(thing)


class VIDEOMDM_PG_keypoints(bpy.types.PropertyGroup):
    """What an armature whose bones are keypoints knows of them.  Other objects have an empty one."""

    loaded: StringProperty(  # a keypoints file in ASCII; see ``shown.py``
        name="Keypoints", description="The keypoints as they were detected", options={"HIDDEN"}
    )
    character: PointerProperty(
        name="Character",
        description="The armature that motion from these keypoints goes to",
        type=bpy.types.Object,
        poll=_is_character,
    )
    home: PointerProperty(
        name="Scene", description="The scene from which the keypoints were shown", type=bpy.types.Scene
    )
    frames: EnumProperty(
        name="Frames",
        description="The frames that the buttons below change",
        items=[
            ("CURRENT", "This Frame", "The current frame"),
            ("KEYS", "Selected Keys", "The frames on which the selected points have selected keys"),
        ],
        default="CURRENT",
    )


def keypoints_group(thing: bpy.types.Object) -> VIDEOMDM_PG_keypoints:
    """What an object knows of keypoints; the add-on must be registered."""
    found: VIDEOMDM_PG_keypoints = thing.videomdm_keypoints  # type: ignore[attr-defined]  # attach() adds it
    return found


def is_keypoints(thing: bpy.types.Object) -> bool:
    """Whether an object is an armature of keypoints.  Only asking for the group would make one on any object."""
    return thing.is_property_set("videomdm_keypoints") and bool(keypoints_group(thing).loaded)


def attach() -> None:
    """Give every object the group."""
    bpy.types.Object.videomdm_keypoints = PointerProperty(  # type: ignore[attr-defined]  # a property of ours
        type=VIDEOMDM_PG_keypoints
    )


def detach() -> None:
    """Take the group off the objects' type."""
    del bpy.types.Object.videomdm_keypoints  # type: ignore[attr-defined]  # a property of ours


CLASSES = (VIDEOMDM_PG_footage, VIDEOMDM_PG_keypoints)
