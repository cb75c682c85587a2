# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to a take before it becomes keys: mirror, loop, root motion, blending, fewer keys.

Pure NumPy, deterministic; Blender is not needed.  Mirroring and looping work on the motion, so that they are
right on any rig; root motion, blending and key reduction work on the take of one rig.
"""
