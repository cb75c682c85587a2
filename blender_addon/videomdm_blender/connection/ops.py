# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: start and stop a backend, connect to one that runs, disconnect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from videomdm.connection import is_gone, read_connection
from videomdm.errors import UserError

from ..preferences import choices, user_folder
from . import hub
from .backend import find_command

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


def _try(operator: bpy.types.Operator, action: Callable[[], object]) -> set[OperatorReturnItems]:
    """Run ``action``; what a person can act on is shown in the panel and in Blender's status bar."""
    try:
        action()
    except UserError as error:
        hub.hub.last_error = error
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    return {"FINISHED"}


class VIDEOMDM_OT_start_backend(bpy.types.Operator):
    """Start the backend on this computer, or connect to it if it runs already"""

    bl_idname = "videomdm.start_backend"
    bl_label = "Start Backend"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Start the process; it is ready some seconds later."""
        chosen = choices(context)

        def start() -> None:
            if _runs(chosen.connection_file):  # of an earlier Blender, or a terminal
                hub.connect(chosen.connection_file, curve_dir=chosen.curve_folder)
                return
            command = [
                *find_command(chosen.backend_python),
                *("--model", chosen.model, "--device", chosen.device),
            ]
            hub.start_backend(command, chosen.connection_file, user_folder() / "backend.log")

        return _try(self, start)


class VIDEOMDM_OT_connect(bpy.types.Operator):
    """Connect to a backend that runs already"""

    bl_idname = "videomdm.connect"
    bl_label = "Connect"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Connect; the answer comes later."""
        chosen = choices(context)
        return _try(self, lambda: hub.connect(chosen.connection_file, curve_dir=chosen.curve_folder))


class VIDEOMDM_OT_disconnect(bpy.types.Operator):
    """Disconnect from the backend; one that Blender started is stopped"""

    bl_idname = "videomdm.disconnect"
    bl_label = "Disconnect"
    bl_options = {"INTERNAL"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Hang up."""
        return _try(self, hub.disconnect)


def _runs(connection_file: Path) -> bool:
    """Whether the file belongs to a server that seems to be alive."""
    try:
        found = read_connection(connection_file)
    except UserError:
        return False
    return found.pid > 0 and not is_gone(found)


CLASSES = (VIDEOMDM_OT_start_backend, VIDEOMDM_OT_connect, VIDEOMDM_OT_disconnect)
