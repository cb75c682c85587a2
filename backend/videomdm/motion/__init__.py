# SPDX-License-Identifier: Apache-2.0
"""The body: skeletons, rotations, the HumanML3D representation, contacts, BVH and clip files.

Nothing here imports torch; functions on arrays follow the array API standard and take NumPy arrays and
torch tensors alike.
"""

from .clip import FPS, Motion
from .skeleton import JOINT_NAMES, Skeleton

__all__ = ["FPS", "JOINT_NAMES", "Motion", "Skeleton"]
