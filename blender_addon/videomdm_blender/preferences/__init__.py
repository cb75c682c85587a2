# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where the backend is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from videomdm.connection import data_folder, default_connection_file

DEVICES = (
    ("auto", "Automatic", "The graphics card where there is one that can be used"),
    ("cuda", "Graphics Card", "An NVIDIA card"),
    ("cpu", "Processor", "Slower, works everywhere"),
)


class VIDEOMDM_AP_preferences(bpy.types.AddonPreferences):
    """Kept by Blender under the name of the add-on, which registration sets."""

    bl_idname = ""

    backend_python: StringProperty(
        name="Backend's Python",
        description="Python of the environment in which videomdm[backend] is installed. "
        "Empty: the `videomdm` command that is found on the PATH",
        subtype="FILE_PATH",
    )
    device: EnumProperty(name="Runs on", description="What the model runs on", items=DEVICES)
    model: StringProperty(name="Model", description="Model that the backend loads", default="base")
    connection_file: StringProperty(
        name="Connection File",
        description="Where a backend that runs already keeps its address. Empty: that of this user",
        subtype="FILE_PATH",
    )
    curve_folder: StringProperty(
        name="Keys",
        description="Folder with the CURVE keys of a backend on another computer",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender."""
        layout = self.layout
        assert layout is not None
        layout.use_property_split = True
        layout.label(text="A backend that Blender starts")
        layout.prop(self, "backend_python")
        layout.prop(self, "device")
        layout.prop(self, "model")
        layout.label(text="A backend that runs already")
        layout.prop(self, "connection_file")
        layout.prop(self, "curve_folder")


class Choices:
    """What the preferences say; the defaults where the add-on runs without preferences, as in scripts."""

    def __init__(self, found: Any | None) -> None:
        def text(name: str, default: str = "") -> str:
            return str(getattr(found, name, default))

        def path(name: str) -> Path | None:
            value = text(name)
            return Path(bpy.path.abspath(value)) if value else None

        python = path("backend_python")
        self.backend_python = "" if python is None else str(python)
        self.device = text("device", "auto")
        self.model = text("model", "base").strip() or "base"
        self.connection_file = path("connection_file") or default_connection_file()
        self.curve_folder = path("curve_folder")


def choices(context: bpy.types.Context) -> Choices:
    """The user's choices."""
    preferences = context.preferences
    addons = preferences.addons if preferences is not None else None
    addon = addons.get(VIDEOMDM_AP_preferences.bl_idname) if addons is not None else None
    return Choices(addon.preferences if addon is not None else None)


def user_folder() -> Path:
    """Where the add-on may write: the extension's own folder, else the user's data folder."""
    package = VIDEOMDM_AP_preferences.bl_idname
    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package, create=True))
    return data_folder()


CLASSES = (VIDEOMDM_AP_preferences,)
