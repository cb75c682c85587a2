# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that repair keypoints: those selected, on the frames that the panel names.  Each is one undo step."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import bpy

from videomdm.errors import UserError

from ..generate.ops import explained, fail
from .repair import Frames, chosen_frames, restore, set_confidence, swap_sides
from .shown import action_of, selected_points, shown_keypoints

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class _Repair(bpy.types.Operator):
    """What these operators have in common; not registered itself."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with points that are selected."""
        return explained(
            cls,
            lambda: selected_points(shown_keypoints(context)),
            lambda: action_of(shown_keypoints(context)),
        )

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Change the curves; Blender makes the undo step."""
        assert context.scene is not None
        try:
            armature = shown_keypoints(context)
            points = selected_points(armature)
            self.change(armature, points, chosen_frames(armature, points, context.scene.frame_current))
        except UserError as error:
            return fail(self, error)
        redraw(context)
        return {"FINISHED"}

    @abstractmethod
    def change(self, armature: bpy.types.Object, points: list[int], frames: Frames) -> None:
        """What the operator is for."""


def redraw(context: bpy.types.Context) -> None:
    """Let everything that is open show what curves have become, the slider of confidence too."""
    if context.view_layer is not None:
        context.view_layer.update()
    for area in context.screen.areas if context.screen is not None else ():
        area.tag_redraw()


class VIDEOMDM_OT_ignore_keypoints(_Repair):
    """The selected points are not counted on these frames; the model fills in what they would have shown"""

    bl_idname = "videomdm.ignore_keypoints"
    bl_label = "Ignore"

    def change(self, armature: bpy.types.Object, points: list[int], frames: Frames) -> None:
        """Confidence 0."""
        set_confidence(armature, points, frames, 0.0)


class VIDEOMDM_OT_trust_keypoints(_Repair):
    """The selected points are surely where they are on these frames"""

    bl_idname = "videomdm.trust_keypoints"
    bl_label = "Trust"

    def change(self, armature: bpy.types.Object, points: list[int], frames: Frames) -> None:
        """Confidence 1."""
        set_confidence(armature, points, frames, 1.0)


class VIDEOMDM_OT_swap_keypoints(_Repair):
    """The selected points change places with those of the other side on these frames"""

    bl_idname = "videomdm.swap_keypoints"
    bl_label = "Swap Sides"

    def change(self, armature: bpy.types.Object, points: list[int], frames: Frames) -> None:
        """Left becomes right."""
        swap_sides(armature, points, frames)


class VIDEOMDM_OT_restore_keypoints(_Repair):
    """The selected points are again as they were detected on these frames"""

    bl_idname = "videomdm.restore_keypoints"
    bl_label = "Restore"

    def change(self, armature: bpy.types.Object, points: list[int], frames: Frames) -> None:
        """Place and confidence of the detector."""
        restore(armature, points, frames)


CLASSES = (
    VIDEOMDM_OT_ignore_keypoints,
    VIDEOMDM_OT_trust_keypoints,
    VIDEOMDM_OT_swap_keypoints,
    VIDEOMDM_OT_restore_keypoints,
)
