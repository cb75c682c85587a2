# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that put a control where it shall be, whatever its parent and its own constraints do."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from videomdm.motion import rotations

from ..retarget.rig import Array
from .stage import Played


def at_rest(armature: bpy.types.Object, bone: str) -> Array:
    """(4, 4) a bone's matrix in armature space at rest."""
    assert isinstance(armature.data, bpy.types.Armature)
    return np.array(armature.data.bones[bone].matrix_local, float)


def following(leader: Array, leader_at_rest: Array, follower_at_rest: Array) -> Array:
    """(T, 4, 4) where a bone is that goes rigidly with another, whose matrices are ``leader`` (T, 4, 4)."""
    result: Array = leader @ np.linalg.inv(leader_at_rest) @ follower_at_rest
    return result


def moved_to(at_rest: Array, places: Array) -> Array:
    """(T, 4, 4) a bone at ``places`` (T, 3) that is turned as at rest."""
    result = np.broadcast_to(at_rest, (len(places), 4, 4)).copy()
    result[:, :3, 3] = places
    return result


@dataclass(frozen=True)
class Hold:
    """What holds a control, and so decides what its keys do.

    parents: (T, 4, 4) matrices of its parent, None where it has none.
    own:     (T, 4, 4) what its own constraints (Child Of, ...) add to that from the left.
    """

    bone: bpy.types.Bone
    parents: Array | None
    own: Array

    @classmethod
    def of(cls, armature: bpy.types.Object, control: str, played: Played) -> Hold:
        """What held a control while it was played, its parent too."""
        assert isinstance(armature.data, bpy.types.Armature) and armature.pose is not None
        bone = armature.data.bones[control]
        parents = played.matrices[bone.parent.name] if bone.parent is not None else None
        seen = played.matrices[control]
        own = np.broadcast_to(np.eye(4), seen.shape)
        hold = cls(bone, parents, own)
        if len(armature.pose.bones[control].constraints) == 0:
            return hold
        free = hold._converted(played.keys[control], invert=False)
        return cls(bone, parents, seen @ np.linalg.inv(free))

    def differs(self, other: Hold) -> float:
        """How far two holds of a control are from each other, at most."""
        difference = float(np.abs(self.own - other.own).max())
        if self.parents is not None and other.parents is not None:
            difference = max(difference, float(np.abs(self.parents - other.parents).max()))
        return difference

    def keys(self, wanted: Array) -> tuple[Array, Array]:
        """(T, 3) locations and (T, 4) continuous rotations that put the control at ``wanted`` (T, 4, 4)."""
        local = self._converted(np.linalg.inv(self.own) @ wanted, invert=True)
        turns = np.array([Matrix(matrix).to_quaternion() for matrix in local], float)
        return local[:, :3, 3], rotations.continuous(turns)

    def _converted(self, matrices: Array, invert: bool) -> Array:
        """Keys to armature space, or back."""
        result = np.empty_like(matrices)
        rest = self.bone.matrix_local
        for t, matrix in enumerate(matrices):
            if self.parents is None or self.bone.parent is None:
                moved = self.bone.convert_local_to_pose(Matrix(matrix), rest, invert=invert)
            else:
                moved = self.bone.convert_local_to_pose(
                    Matrix(matrix),
                    rest,
                    parent_matrix=Matrix(self.parents[t]),
                    parent_matrix_local=self.bone.parent.matrix_local,
                    invert=invert,
                )
            result[t] = np.array(moved, float)
        return result
