# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on the take that the active armature shows: again, mirrored, as a loop, into the NLA."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty

from videomdm.errors import UserError

from ..armature.nla import push_down
from ..edit.settings import TakeSettings
from . import jobs
from .ops import active_armature, explained, fail
from .property_group import settings

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


def shown_take(armature: bpy.types.Object) -> jobs.Shown:
    """The take that the armature shows; UserError where it shows none."""
    shown = jobs.shown_by(armature)
    if shown is None:
        raise UserError(f"{armature.name} shows no take of this session.", "Apply a take first.", "no-take")
    return shown


class _OnCurrentTake(bpy.types.Operator):
    """What these operators have in common: another take in place of the one that is shown, from the same frame on."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where a take of this session is shown."""
        return explained(cls, lambda: shown_take(active_armature(context)))

    @abstractmethod
    def again(self, shown: jobs.Shown, scene: bpy.types.Scene) -> TakeSettings:
        """The settings of the new take."""

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Apply it; Blender makes the undo step."""
        scene = context.scene
        assert scene is not None
        try:
            armature = active_armature(context)
            shown = shown_take(armature)
            jobs.replace_take(shown, scene, armature, self.again(shown, scene))
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_reapply_take(_OnCurrentTake):
    """Put the take on again with the settings above, as a new Action from the same frame on"""

    bl_idname = "videomdm.reapply_take"
    bl_label = "Apply Again"

    def again(self, shown: jobs.Shown, scene: bpy.types.Scene) -> TakeSettings:
        """Those of the panel."""
        chosen: TakeSettings = settings(scene).take.chosen()
        return chosen


class VIDEOMDM_OT_mirror_take(_OnCurrentTake):
    """Put the take on again with left and right exchanged, as a new Action"""

    bl_idname = "videomdm.mirror_take"
    bl_label = "Mirror"

    def again(self, shown: jobs.Shown, scene: bpy.types.Scene) -> TakeSettings:
        """Its own, mirrored once more."""
        return replace(shown.settings, mirror=not shown.settings.mirror)


class VIDEOMDM_OT_loop_take(_OnCurrentTake):
    """Put the take on again so that its end leads back to its beginning, as a new Action"""

    bl_idname = "videomdm.loop_take"
    bl_label = "Make Loop"

    loop: EnumProperty(
        name="Loop",
        items=[
            ("best", "Best Stretch", "The stretch of it that repeats best; the rest is left out"),
            ("whole", "Whole Motion", "The whole motion repeats"),
        ],
        default="best",
    )

    def again(self, shown: jobs.Shown, scene: bpy.types.Scene) -> TakeSettings:
        """Its own, with a loop that repeats."""
        return replace(shown.settings, loop=self.loop, cycles=True, blend_in=0.0, blend_out=0.0)


class VIDEOMDM_OT_push_down_take(bpy.types.Operator):
    """Make the armature's Action a strip on an NLA track of its own"""

    bl_idname = "videomdm.push_down_take"
    bl_label = "Push Down"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where there is an Action."""
        return explained(cls, lambda: _with_action(active_armature(context)))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Push it down; Blender makes the undo step."""
        try:
            push_down(active_armature(context))
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


def _with_action(armature: bpy.types.Object) -> None:
    """UserError where the armature has no Action."""
    data = armature.animation_data
    if data is None or data.action is None:
        raise UserError(f"{armature.name} has no Action to push down.", "Apply a take first.", "no-action")


CLASSES = (
    VIDEOMDM_OT_reapply_take,
    VIDEOMDM_OT_mirror_take,
    VIDEOMDM_OT_loop_take,
    VIDEOMDM_OT_push_down_take,
)
