# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: list the backend's takes, put one of them on a rig."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from videomdm.errors import UserError

from ..generate import jobs
from ..generate.ops import active_armature, explained, fail

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

TAKES_LISTED = 50


class VIDEOMDM_OT_list_takes(bpy.types.Operator):
    """Ask the backend which takes it keeps"""

    bl_idname = "videomdm.list_takes"
    bl_label = "List Takes"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a backend."""
        return explained(cls, jobs.connected)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ask; the list arrives later."""
        try:
            jobs.list_stored(TAKES_LISTED)
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_fetch_take(bpy.types.Operator):
    """Get this take from the backend and put it on the active armature, from the current frame on"""

    bl_idname = "videomdm.fetch_take"
    bl_label = "Fetch Take"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # no undo step of its own: the take makes one when it arrives

    job: StringProperty(name="Job", description="Id of the take in the backend's library", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a backend and an armature."""
        return explained(cls, jobs.connected, lambda: active_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ask for it; it is applied when it has arrived."""
        scene = context.scene
        assert scene is not None
        try:
            stored = next((take for take in jobs.desk.stored if take.job == self.job), None)
            if stored is None:
                raise UserError("The library has no such take.", "List the takes again.", "no-take")
            jobs.fetch(stored, jobs.Target.of(scene, active_armature(context)))
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


CLASSES = (VIDEOMDM_OT_list_takes, VIDEOMDM_OT_fetch_take)
