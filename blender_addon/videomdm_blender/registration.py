# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering and unregistering everything that Blender shall know, in order and back."""

from __future__ import annotations

import bpy

from . import preferences
from .connection import hub
from .connection import ops as connection_ops
from .connection import panel as connection_panel
from .footage import doubt_ops, overlay, points_ops, points_panel, repair_ops
from .footage import jobs as footage_jobs
from .footage import ops as footage_ops
from .footage import panel as footage_panel
from .footage import property_group as footage_group
from .generate import jobs, property_group, take_ops, take_panel, takes_panel
from .generate import ops as generate_ops
from .generate import panel as generate_panel
from .library import ops as library_ops
from .library import panel as library_panel
from .mapping import ops as mapping_ops
from .mapping import panel as mapping_panel
from .mapping import property_group as mapping_group

CLASSES: tuple[type, ...] = (
    *preferences.CLASSES,
    *property_group.CLASSES,
    *connection_ops.CLASSES,
    *generate_ops.CLASSES,
    *take_ops.CLASSES,
    *footage_ops.CLASSES,
    *points_ops.CLASSES,
    *repair_ops.CLASSES,
    *doubt_ops.CLASSES,
    *library_ops.CLASSES,
    *mapping_ops.CLASSES,
    *connection_panel.CLASSES,
    *generate_panel.CLASSES,
    *footage_panel.CLASSES,
    *points_panel.CLASSES,
    *take_panel.CLASSES,
    *takes_panel.CLASSES,
    *library_panel.CLASSES,
    *mapping_panel.CLASSES,
)


def register_all(package: str) -> None:
    """Register all classes; ``package`` is the name under which Blender keeps the preferences."""
    preferences.VIDEOMDM_AP_preferences.bl_idname = package
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    property_group.attach()
    footage_group.attach()
    mapping_group.attach()
    hub.hub.listeners.append(jobs.hear)
    hub.hub.chores += [footage_jobs.look, jobs.apply_arrived]
    overlay.install()
    hub.install()


def unregister_all() -> None:
    """Hang up, stop a backend of ours, and take everything back."""
    hub.remove()
    overlay.remove()
    footage_jobs.close_all()
    jobs.desk.clear()
    mapping_group.detach()
    footage_group.detach()
    property_group.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
