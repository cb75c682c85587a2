# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: find the bones or choose them, correct them, save and load a mapping, forget it.

Each is one undo step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import IntProperty, StringProperty

from videomdm.errors import UserError

from ..armature.rest import read_rest
from ..generate.ops import active_armature, explained
from ..retarget.slots import SLOTS
from ..rigs import check, load_mapping, recognise, save_mapping
from .property_group import LONGEST, field, given

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

SUFFIX = ".json"


def editable_armature(context: bpy.types.Context) -> bpy.types.Object:
    """The active armature; UserError where it cannot keep a mapping."""
    armature = active_armature(context)
    if not armature.is_editable:
        raise UserError(
            f"{armature.name} is linked from another file and cannot keep a mapping here.",
            "Make a library override of it first, or give a mapping file to the command.",
            "linked",
        )
    return armature


def attempt(
    operator: bpy.types.Operator,
    context: bpy.types.Context,
    change: Callable[[bpy.types.Object], None],
    find: Callable[[bpy.types.Context], bpy.types.Object] = editable_armature,
) -> set[OperatorReturnItems]:
    """Do something with the active armature; what a person can do something about is reported."""
    try:
        change(find(context))
    except UserError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    return {"FINISHED"}


class _OnArmature(bpy.types.Operator):
    """What these operators have in common: an armature that can keep a mapping; not registered itself."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an armature that can keep a mapping."""
        return explained(cls, lambda: editable_armature(context))


class VIDEOMDM_OT_mapping_find(_OnArmature):
    """Find the bones of the body, show them here, and use them for all takes on this armature"""

    bl_idname = "videomdm.mapping_find"
    bl_label = "Find Bones"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Corrections that were made are lost."""

        def change(armature: bpy.types.Object) -> None:
            found = recognise(read_rest(armature), name=f"The armature {armature.name}")
            given(armature).fill(armature, found)

        return attempt(self, context, change)


class VIDEOMDM_OT_mapping_choose(_OnArmature):
    """Choose the bone of each part yourself, where they cannot be found"""

    bl_idname = "videomdm.mapping_choose"
    bl_label = "Choose by Hand"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Show an empty picker for each part."""

        def change(armature: bpy.types.Object) -> None:
            given(armature).opened = SLOTS[0]

        return attempt(self, context, change)


class VIDEOMDM_OT_mapping_mirror(_OnArmature):
    """Fill empty parts of one side with the bones of the other side, whose names tell left from right"""

    bl_idname = "videomdm.mapping_mirror"
    bl_label = "Fill Other Side"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """UserError where no part could be filled."""

        def change(armature: bpy.types.Object) -> None:
            if not given(armature).mirror(armature):
                raise UserError(
                    "No bone of the other side was found by its name.",
                    "Choose the bones yourself.",
                    "no-bone",
                )

        return attempt(self, context, change)


class VIDEOMDM_OT_mapping_reset(_OnArmature):
    """Forget this mapping; the bones are found anew for each take"""

    bl_idname = "videomdm.mapping_reset"
    bl_label = "Reset"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Empty all parts."""
        return attempt(self, context, lambda armature: given(armature).forget(armature))


class VIDEOMDM_OT_mapping_pick(bpy.types.Operator):
    """Take the active bone, which is the one clicked on last in pose mode"""

    bl_idname = "videomdm.mapping_pick"
    bl_label = "Use Active Bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012  # Blender's way

    slot: StringProperty(name="Part", options={"HIDDEN", "SKIP_SAVE"})
    place: IntProperty(name="Place", min=0, max=LONGEST - 1, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an active bone."""
        return explained(cls, lambda: _active_bone(editable_armature(context)))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """The place gets the armature's active bone."""

        def change(armature: bpy.types.Object) -> None:
            setattr(given(armature), field(_slot(self.slot), self.place), _active_bone(armature))

        return attempt(self, context, change)


class VIDEOMDM_OT_mapping_add(_OnArmature):
    """Another bone for this part of the body; the order in the chain follows from the rig"""

    bl_idname = "videomdm.mapping_add"
    bl_label = "Add Bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012  # Blender's way

    slot: StringProperty(name="Part", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Show an empty picker."""

        def change(armature: bpy.types.Object) -> None:
            given(armature).opened = _slot(self.slot)

        return attempt(self, context, change)


def _active_bone(armature: bpy.types.Object) -> str:
    """The name of the active bone; UserError where none is."""
    assert isinstance(armature.data, bpy.types.Armature)
    active = armature.data.bones.active
    if active is None:
        raise UserError("No bone is active.", "Click on a bone in pose mode first.", "no-bone")
    return str(active.name)


def _slot(name: str) -> str:
    """A part of the body; UserError where there is none of that name."""
    if name not in SLOTS:
        raise UserError(
            f"There is no part of the body called {name!r}.", f"Use one of {', '.join(SLOTS)}.", "no-slot"
        )
    return name


class _FileOperator(bpy.types.Operator):
    """Asks for a mapping file; not registered itself."""

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Let the person choose."""
        manager = context.window_manager
        assert manager is not None
        if not self.filepath and context.active_object is not None:
            self.filepath = f"{bpy.path.clean_name(context.active_object.name)}{SUFFIX}"
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def path(self) -> Path:
        """The chosen file; UserError where none is."""
        chosen = bpy.path.abspath(self.filepath)
        if not chosen:
            raise UserError("No file was chosen.", "Choose one.", "no-file")
        return Path(chosen)


class VIDEOMDM_OT_mapping_save(_FileOperator):
    """Save the mapping as a file that can be shared, and used by the command line"""

    bl_idname = "videomdm.mapping_save"
    bl_label = "Save Mapping"
    bl_options = {"REGISTER"}  # noqa: RUF012  # nothing in the scene is changed

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an armature; a linked one will do."""
        return explained(cls, lambda: active_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Write the given mapping, or the one that would be found; only one that can be used."""

        def write(armature: bpy.types.Object) -> None:
            rest = read_rest(armature)
            mapping = given(armature).mapping(rest)
            if mapping is None:
                mapping = recognise(rest, name=f"The armature {armature.name}")
            check(rest, mapping)
            path = self.path()
            save_mapping(path if path.suffix else path.with_suffix(SUFFIX), mapping)

        return attempt(self, context, write, active_armature)


class VIDEOMDM_OT_mapping_load(_FileOperator):
    """Load a mapping from a file, and use it for all takes on this armature"""

    bl_idname = "videomdm.mapping_load"
    bl_label = "Load Mapping"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an armature that can keep a mapping."""
        return explained(cls, lambda: editable_armature(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Read and check it before anything is changed."""

        def change(armature: bpy.types.Object) -> None:
            given(armature).fill(armature, load_mapping(self.path(), read_rest(armature)))

        return attempt(self, context, change)


CLASSES = (
    VIDEOMDM_OT_mapping_find,
    VIDEOMDM_OT_mapping_choose,
    VIDEOMDM_OT_mapping_mirror,
    VIDEOMDM_OT_mapping_reset,
    VIDEOMDM_OT_mapping_pick,
    VIDEOMDM_OT_mapping_add,
    VIDEOMDM_OT_mapping_save,
    VIDEOMDM_OT_mapping_load,
)
