# SPDX-License-Identifier: GPL-3.0-or-later
"""Root motion: the body's way over the floor, taken off the hips, for a root bone, an object, or nobody.

The way is smooth: the sway of hips that walk stays in the hips.  It begins where the rig stands at rest, so
that root bone and object start from where the user has put them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videomdm.motion import rotations

from ..retarget.frames import Y, compose, inverse, rotate
from ..retarget.rig import Array
from ..retarget.solve import Take
from ..retarget.stance import Stance
from .posed import Posed, location_axes, moved

SMOOTHING = 0.5  # seconds: faster movement is sway of the hips, not the way
LEVEL = np.array([1.0, 0.0, 1.0])


@dataclass(frozen=True)
class Way:
    """Where the body is on the floor, in the motion's axes; the identity in the first frame.

    yaw:   (T,) radians about Y.
    shift: (T, 3) armature units, y = 0: where the origin of the rig goes, turned by ``yaw`` before.
    """

    yaw: Array
    shift: Array

    @property
    def turn(self) -> Array:
        """(T, 4) the yaw as rotations."""
        turn: Array = rotations.about_y(self.yaw)
        return turn

    def cut(self, stretch: slice) -> Way:
        """The way over a stretch of frames, the identity in its first."""
        yaw, shift = self.yaw[stretch], self.shift[stretch]
        turn = rotations.about_y(yaw - yaw[0])
        return Way(yaw - yaw[0], shift - rotate(turn, shift[0]))


def way_of(stance: Stance, take: Take, *, heading: bool = True, sway: float = SMOOTHING) -> Way:
    """The way of the body; without ``heading`` the character turns on it.

    sway: seconds over which the hips' own movement is averaged out.
    """
    posed = Posed(stance, take)
    width = sway * take.fps
    yaw = np.zeros(len(take.location))
    if heading:
        hips = posed.turn(stance.mapping.first("hips"))
        twist = 2.0 * np.arctan2(hips[:, 2], hips[:, 0])
        smoothed = _smooth(np.unwrap(twist).astype(float), width)
        yaw = smoothed - smoothed[0]
    ground = np.stack([_smooth(axis, width) for axis in (posed.hips() * LEVEL).T], axis=-1)
    # The body turns about where it is, not about the origin.
    shift = ground - rotate(rotations.about_y(yaw), ground[0])
    return Way(yaw, shift)


def without(stance: Stance, take: Take, way: Way) -> Take:
    """What is left for the take when something else goes the way."""
    back = inverse(way.turn)
    return moved(stance, take, back, -rotate(back, way.shift))


def root_bone(stance: Stance, take: Take) -> str:
    """The bone above all others that could carry the body along; empty where there is none."""
    above = stance.rest.ancestors(take.root)
    return above[-1] if above else ""


def bone_keys(stance: Stance, way: Way, bone: str) -> tuple[Array, Array]:
    """Pose rotation (T, 4) and location (T, 3) with which a bone without parent goes the way."""
    index = stance.rest.index(bone)
    at_rest, place = stance.rotations[index], stance.heads[index]
    pose = compose(inverse(at_rest), way.turn, at_rest)
    travel = rotate(way.turn, place) + way.shift - place
    back = compose(inverse(location_axes(stance, bone)), inverse(stance.axes))
    return rotations.continuous(pose), rotate(back, travel)


def armature_keys(stance: Stance, way: Way) -> tuple[Array, Array]:
    """Rotation (T, 4) and place (T, 3) of the whole armature, in its own axes, that goes the way."""
    back = inverse(stance.axes)
    return rotations.continuous(compose(back, way.turn, stance.axes)), rotate(back, way.shift)


def on_the_floor(place: Array, turn: Array) -> tuple[Array, float]:
    """The place (3,) without height, and the yaw in radians, of something at ``place`` turned by ``turn`` (4,)."""
    return place * LEVEL, float(2.0 * np.arctan2(turn[2], turn[0]))


def about(yaw: float) -> Array:
    """(4,) the turn by ``yaw`` radians about the vertical."""
    turn: Array = rotations.from_axis_angle(Y, np.array(yaw))
    return turn


def _smooth(values: Array, width: float) -> Array:
    """(T,) values averaged over about ``width`` frames to either side; the ends stay, straight lines too."""
    reach = min(int(np.ceil(width)), len(values) - 1)
    if reach < 1:
        return values
    start, end = 2.0 * values[0] - values[reach:0:-1], 2.0 * values[-1] - values[-2 : -reach - 2 : -1]
    kernel = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(np.concatenate([start, values, end]), kernel / kernel.sum(), mode="valid")
