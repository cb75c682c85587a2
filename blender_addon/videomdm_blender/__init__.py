# SPDX-License-Identifier: GPL-3.0-or-later
"""VideoMDM in Blender: words and video become keyframes on the animator's own rig.

This file is read in two places: as the ordinary package ``videomdm_blender``, and as the root of the Blender
extension (``bl_ext.user_default.videomdm``), whose bundled wheel brings the ordinary package.  Both register
the same classes; only the name under which Blender keeps the preferences differs.  Importing it loads
neither bpy nor anything heavy.
"""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the extension is switched on."""
    from videomdm_blender.registration import register_all

    register_all(__package__ or __name__)


def unregister() -> None:
    """Called by Blender when the extension is switched off."""
    from videomdm_blender.registration import unregister_all

    unregister_all()
