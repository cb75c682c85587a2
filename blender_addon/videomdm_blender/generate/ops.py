# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: generate, cancel, apply a take again, show the whole list of takes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, IntProperty

from videomdm import limits
from videomdm.errors import UserError

from ..footage.property_group import is_keypoints
from . import jobs
from .property_group import settings

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


def active_armature(context: bpy.types.Context) -> bpy.types.Object:
    """The armature that takes go to; UserError where none is active."""
    active = context.active_object
    if active is not None and active.type == "MESH":  # people click on the skin
        active = active.find_armature() or active
    if active is None or active.type != "ARMATURE":
        raise UserError(
            "No armature is active.", "Select the armature that shall move, or its mesh.", "no-armature"
        )
    if is_keypoints(active):
        raise UserError(
            f"{active.name} are keypoints of footage, not a character.",
            "Go back to the scene of your character.",
            "no-armature",
        )
    return active


def explained(operator: type[bpy.types.Operator], *needs: Callable[[], object]) -> bool:
    """For ``poll``: whether nothing of what is needed raises a UserError, which the button's tooltip then says."""
    try:
        for need in needs:
            need()
    except UserError as error:
        operator.poll_message_set(str(error))
        return False
    return True


def fail(operator: bpy.types.Operator, error: UserError) -> set[OperatorReturnItems]:
    """Show an error in the panel and in Blender's status bar."""
    jobs.desk.error = error
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


class VIDEOMDM_OT_generate(bpy.types.Operator):
    """Make motion from the prompt and put it on the active armature"""

    bl_idname = "videomdm.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}  # noqa: RUF012  # no undo step of its own: the take makes one when it arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a backend and an armature."""
        return explained(cls, jobs.connected, lambda: active_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Send the job; the takes arrive later."""
        scene = context.scene
        assert scene is not None
        chosen = settings(scene)
        try:
            target = jobs.Target.of(scene, active_armature(context))
            if chosen.random_seed:
                chosen.seed = random.randint(0, limits.MAX_SEED)
            jobs.submit(chosen.request(), target)
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_cancel(bpy.types.Operator):
    """Stop the generation; nothing is changed"""

    bl_idname = "videomdm.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Cancel all jobs that have not ended."""
        for job in jobs.desk.running:
            jobs.cancel(job)
        return {"FINISHED"}


class VIDEOMDM_OT_apply_take(bpy.types.Operator):
    """Put this take on the active armature as a new Action, from the current frame on"""

    bl_idname = "videomdm.apply_take"
    bl_label = "Apply Take"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    index: IntProperty(name="Take", description="0 is the newest", min=0, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an armature."""
        return explained(cls, lambda: active_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Apply it; Blender makes the undo step."""
        scene = context.scene
        assert scene is not None
        try:
            if self.index >= len(jobs.desk.takes):
                raise UserError("There is no such take.", "Generate one first.", "no-take")
            take = jobs.desk.takes[self.index]
            jobs.apply_take(take, scene, active_armature(context), scene.frame_current)
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_unfold_takes(bpy.types.Operator):
    """List all takes, or only the newest ones again"""

    bl_idname = "videomdm.unfold_takes"
    bl_label = "Show All"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    which: EnumProperty(
        name="List",
        items=[
            (jobs.Listed.SESSION.name, "Takes", "Those of this session"),
            (jobs.Listed.LIBRARY.name, "Earlier Takes", "Those of the backend's library"),
        ],
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Fold the list out or in."""
        jobs.desk.unfolded ^= {jobs.Listed[self.which]}
        return {"FINISHED"}


CLASSES = (
    VIDEOMDM_OT_generate,
    VIDEOMDM_OT_cancel,
    VIDEOMDM_OT_apply_take,
    VIDEOMDM_OT_unfold_takes,
)
