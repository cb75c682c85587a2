# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures in Blender: reading rest poses, writing takes, and the files that rigs come in.

This is the one place where the motion's metres and Y up become Blender's axes and units, and the only part
of retargeting that needs bpy.
"""
