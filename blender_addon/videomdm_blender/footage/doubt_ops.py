# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator: go to the next frame whose keypoints deserve a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from videomdm.errors import UserError
from videomdm.keypoints.layout import NAMES

from ..generate.ops import explained, fail
from .doubt import doubtful
from .read import read
from .shown import FIRST_FRAME, action_of, bone, select, shown_keypoints

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class VIDEOMDM_OT_next_doubtful(bpy.types.Operator):
    """Go to the next frame that deserves a look, and select the point that is least sure there or leaps"""

    bl_idname = "videomdm.next_doubtful"
    bl_label = "Next Doubtful Frame"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where keypoints are shown."""
        return explained(cls, lambda: action_of(shown_keypoints(context)))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """After the last one comes the first."""
        scene = context.scene
        assert scene is not None
        try:
            armature = shown_keypoints(context)
            doubts = doubtful(read(armature))
            if not doubts:
                raise UserError("No frame is in doubt.", "Go on to Motion from Keypoints.", "no-frames")
            later = (doubt for doubt in doubts if doubt.frame + FIRST_FRAME > scene.frame_current)
            found = next(later, doubts[0])
            scene.frame_set(found.frame + FIRST_FRAME)
            for name in NAMES:
                select(bone(armature, name), name == NAMES[found.point])
        except UserError as error:
            return fail(self, error)
        assert isinstance(armature.data, bpy.types.Armature)
        armature.data.bones.active = armature.data.bones[NAMES[found.point]]
        return {"FINISHED"}


CLASSES = (VIDEOMDM_OT_next_doubtful,)
