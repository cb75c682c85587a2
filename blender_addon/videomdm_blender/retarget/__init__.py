# SPDX-License-Identifier: GPL-3.0-or-later
"""Retargeting: a motion of 22 joint positions becomes local bone rotations of any humanoid rig.

Pure NumPy, vectorised over frames, deterministic; Blender is not needed.  Inside this package everything is
in the axes of ``videomdm.motion``: Y up, the character faces +Z at rest, its left is +X, quaternions are
(w, x, y, z).  A *turn* of a bone is the rotation (T, 4) that takes it from its rest pose to its pose, seen in
those axes; so bone roll and the length of bones do not matter until the very end.
"""

from .cleanup import ContactReport
from .hands import HandTarget
from .rig import Carrier, Mapping, RigRest
from .solve import Options, Take, retarget

__all__ = ["Carrier", "ContactReport", "HandTarget", "Mapping", "Options", "RigRest", "Take", "retarget"]
