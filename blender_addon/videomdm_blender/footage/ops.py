# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator: make motion from footage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from videomdm.errors import UserError

from ..connection.backend import find_command
from ..generate.jobs import Target
from ..generate.ops import active_armature, explained, fail
from ..generate.property_group import VIDEOMDM_PG_generate, settings
from ..preferences import Choices, choices
from .jobs import Footage, begin

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class VIDEOMDM_OT_lift_footage(bpy.types.Operator):
    """Make motion from the footage and put it on the active armature, from the current frame on"""

    bl_idname = "videomdm.lift_footage"
    bl_label = "Motion from Footage"
    bl_options = {"REGISTER"}  # noqa: RUF012  # no undo step of its own: the take makes one when it arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with footage and an armature."""
        return explained(cls, lambda: chosen_file(context), lambda: active_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Start it; the take arrives later."""
        scene = context.scene
        assert scene is not None
        try:
            footage = chosen_footage(context)
            command = find_command(choices(context).backend_python)[:-1]  # without the verb "serve"
            begin(footage, command, Target.of(scene, active_armature(context)))
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


def chosen_file(context: bpy.types.Context) -> Path:
    """The footage; UserError where none is chosen."""
    scene = context.scene
    name = settings(scene).footage.file if scene is not None else ""
    if not name:
        raise UserError("No footage is chosen.", "Choose a video or a file of keypoints.", "no-file")
    return Path(bpy.path.abspath(name))


def chosen_footage(context: bpy.types.Context) -> Footage:
    """What the panel asks for; UserError where there is no such file."""
    scene, file = context.scene, chosen_file(context)
    assert scene is not None
    if not file.is_file():
        raise UserError(f"There is no file {file}.", "Choose the footage again.", "no-file")
    asked = settings(scene)
    return Footage(
        file=file,
        video=asked.footage.is_video,
        start=round(asked.footage.start, 3),
        length=round(asked.footage.length, 3),
        person=asked.footage.person,
        options=lift_options(asked, choices(context)),
    )


def lift_options(asked: VIDEOMDM_PG_generate, chosen: Choices) -> tuple[str, ...]:
    """The words for ``videomdm lift``: it uses the backend that runs, or loads the model for this once."""
    words = ["--seed", str(asked.seed), "--steps", str(asked.steps), "--guidance", f"{asked.guidance:.3f}"]
    if asked.footage.prompt:
        words += ["--prompt", asked.footage.prompt]
    words += ["--connection-file", str(chosen.connection_file)]
    if chosen.curve_folder is not None:
        words += ["--curve-dir", str(chosen.curve_folder)]
    return tuple(words)


CLASSES = (VIDEOMDM_OT_lift_footage,)
