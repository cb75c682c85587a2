# SPDX-License-Identifier: GPL-3.0-or-later
"""The animator's own controls: which of them take the keys, and where IK controls must be.

``limb`` and ``poles`` are plain data and NumPy.  The rest asks Blender: a double of the armature on a stage of
its own is played, so that neither the user's scene nor its handlers notice, and what constraints and drivers
make of the keys is read from there.
"""
