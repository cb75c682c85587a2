# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators: show keypoints, go to them and back, make motion from them, save them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints

from ..connection.backend import find_command
from ..generate import jobs
from ..generate.ops import active_armature, explained, fail
from ..generate.property_group import settings
from ..preferences import choices
from . import jobs as footage_jobs
from .backdrop import find_video
from .build import build
from .ops import chosen_file, chosen_footage, lift_options
from .present import enter, leave
from .property_group import KEYPOINTS, keypoints_group
from .read import read, unkeyed
from .shown import all_shown, loaded, shown_keypoints, target

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class VIDEOMDM_OT_show_keypoints(bpy.types.Operator):
    """Look at the footage and show what is found over it, in a scene of its own, to be edited like any animation"""

    bl_idname = "videomdm.show_keypoints"
    bl_label = "Show Keypoints"
    bl_options = {"REGISTER"}  # noqa: RUF012  # no undo step of its own: the keypoints make one when they arrive

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with footage."""
        return explained(cls, lambda: chosen_file(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Start to look; the keypoints arrive later."""
        scene = context.scene
        assert scene is not None
        home = scene.session_uid
        try:
            character = active_armature(context).session_uid
        except UserError:
            character = 0  # can be chosen later
        try:
            footage = chosen_footage(context)
            command = find_command(choices(context).backend_python)[:-1]
            footage_jobs.show(footage, command, lambda found: arrive(found, footage.file, home, character))
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


def arrive(keypoints: Keypoints, file: Path, home: int, character: int) -> str:
    """Build the scene and go there.  Returns the scene's name."""
    video = find_video(keypoints, file)
    name = jobs.take_name(file.stem)
    try:
        armature = build(keypoints, name, video)
    except RuntimeError:  # Blender cannot read what the backend can
        armature, video = build(keypoints, name, None), None
    group = keypoints_group(armature)
    group.home = next((s for s in bpy.data.scenes if s.session_uid == home), None)
    group.character = next((o for o in bpy.data.objects if o.session_uid == character), None)
    manager = bpy.context.window_manager
    windows = list(manager.windows) if manager is not None else []
    window = next((w for w in windows if w.scene.session_uid == home), windows[0] if windows else None)
    if window is not None:
        enter(window, armature)
    jobs.desk.notes = _notes(keypoints, video)
    return str(armature.name)


def _notes(keypoints: Keypoints, video: Path | None) -> tuple[str, ...]:
    """What the panel says of keypoints that are shown: what they lack, and what was assumed or chosen for them."""
    notes = keypoints.provenance.get("notes")
    told = tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, list) else ()
    if video is not None:
        return told
    if not keypoints.source or keypoints.source.lower().endswith(KEYPOINTS):
        return ("These keypoints name no footage: they are shown without it.", *told)
    return (f"The footage {keypoints.source} is not there: its keypoints are shown without it.", *told)


class VIDEOMDM_OT_open_keypoints(bpy.types.Operator):
    """Go to the scene with these keypoints"""

    bl_idname = "videomdm.open_keypoints"
    bl_label = "Open Keypoints"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    name: StringProperty(name="Scene", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Switch the window's scene."""
        assert context.window is not None
        armature = next((armature for scene, armature in all_shown() if scene.name == self.name), None)
        try:
            if armature is None:
                raise UserError(
                    f"There are no keypoints in a scene {self.name!r}.",
                    "Press Show Keypoints.",
                    "no-keypoints",
                )
            enter(context.window, armature)
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_close_keypoints(bpy.types.Operator):
    """Go back to the scene of the character; the keypoints stay in theirs"""

    bl_idname = "videomdm.close_keypoints"
    bl_label = "Back"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  # Blender's way

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where keypoints are shown."""
        return explained(cls, lambda: shown_keypoints(context))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Switch the window's scene."""
        assert context.window is not None
        try:
            leave(context.window)
        except UserError as error:
            return fail(self, error)
        return {"FINISHED"}


class VIDEOMDM_OT_lift_keypoints(bpy.types.Operator):
    """Make motion from the keypoints as they are now, for the character, from the current frame of its scene on"""

    bl_idname = "videomdm.lift_keypoints"
    bl_label = "Motion from Keypoints"
    bl_options = {"REGISTER"}  # noqa: RUF012  # no undo step of its own: the take makes one when it arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with keypoints and a character."""
        return explained(cls, lambda: target(shown_keypoints(context)))

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Read the curves and start; the take arrives later."""
        try:
            armature = shown_keypoints(context)
            goal = target(armature)
            keypoints = read(armature)
            chosen = choices(context)
            options = lift_options(settings(goal.find()[0]), chosen)
            command = find_command(chosen.backend_python)[:-1]
            name = Path(keypoints.source).stem or armature.name
            footage_jobs.lift(keypoints, name, options, command, goal)
        except UserError as error:
            return fail(self, error)
        _warn(self, context, armature)
        return {"FINISHED"}


class VIDEOMDM_OT_save_keypoints(bpy.types.Operator):
    """Save the keypoints as they are now, as a file that `videomdm lift` and training read"""

    bl_idname = "videomdm.save_keypoints"
    bl_label = "Save Keypoints"
    bl_options = {"REGISTER"}  # noqa: RUF012  # nothing in the scene is changed

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: BoolProperty(
        default=True, options={"HIDDEN"}
    )  # Blender then warns of a file that is there
    filter_glob: StringProperty(default=f"*{KEYPOINTS}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where keypoints are shown."""
        return explained(cls, lambda: shown_keypoints(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Let the person choose."""
        try:
            source = loaded(shown_keypoints(context)).source
        except UserError as error:
            return fail(self, error)
        if not self.filepath:
            self.filepath = f"{Path(source).stem or 'keypoints'}{KEYPOINTS}"
        assert context.window_manager is not None
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Read the curves and write the file."""
        try:
            armature = shown_keypoints(context)
            if not self.filepath:
                raise UserError("No file was chosen.", "Choose one.", "no-file")
            file = bpy.path.abspath(self.filepath)
            read(armature).save(file if file.lower().endswith(KEYPOINTS) else f"{file}{KEYPOINTS}")
        except UserError as error:
            return fail(self, error)
        _warn(self, context, armature)
        return {"FINISHED"}


def _warn(operator: bpy.types.Operator, context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Say what Blender is about to forget."""
    assert context.scene is not None
    moved = unkeyed(armature, context.scene.frame_current)
    if moved:
        names = ", ".join(moved[:3]) + (" …" if len(moved) > 3 else "")
        operator.report(
            {"WARNING"}, f"Moved without a key, and so not counted: {names}. Press I to key them."
        )


CLASSES = (
    VIDEOMDM_OT_show_keypoints,
    VIDEOMDM_OT_open_keypoints,
    VIDEOMDM_OT_close_keypoints,
    VIDEOMDM_OT_lift_keypoints,
    VIDEOMDM_OT_save_keypoints,
)
