# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of an F-curve as arrays: read whole, changed frame by frame, written whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from ..armature.keys import INTERPOLATIONS

Column = npt.NDArray[np.float32] | npt.NDArray[np.int32] | npt.NDArray[np.bool_]

# Attributes of a key: the type, and how many numbers it is.
ATTRIBUTES: Mapping[str, tuple[type[np.generic], int]] = {
    "handle_left_type": (np.int32, 1),
    "handle_right_type": (np.int32, 1),
    "co": (np.float32, 2),
    "handle_left": (np.float32, 2),
    "handle_right": (np.float32, 2),
    "interpolation": (np.int32, 1),
    "easing": (np.int32, 1),
    "type": (np.int32, 1),
    "select_control_point": (np.bool_, 1),
    "select_left_handle": (np.bool_, 1),
    "select_right_handle": (np.bool_, 1),
}
SELECTED = ("select_control_point", "select_left_handle", "select_right_handle")
AUTO_CLAMPED = 4  # Keyframe.handle_left_type
NEAR = 1e-3  # frames: keys that are nearer lie on the same frame


@dataclass(frozen=True)
class Keys:
    """The keys of a curve in order; ``columns`` holds each of :data:`ATTRIBUTES`, (n,) or (n, 2)."""

    columns: Mapping[str, Column]

    @classmethod
    def new(cls, frames: npt.ArrayLike, values: npt.ArrayLike, interpolation: str) -> Keys:
        """Keys as Blender makes them, on (n,) frames with (n,) values; "bezier", "linear" or "constant"."""
        points = np.stack([np.asarray(frames, np.float32), np.asarray(values, np.float32)], axis=-1)
        count = len(points)
        columns: dict[str, Column] = {
            name: np.zeros(count if width == 1 else (count, width), kind)
            for name, (kind, width) in ATTRIBUTES.items()
        }
        clamped = np.full(count, AUTO_CLAMPED, np.int32)
        columns |= {"co": points, "handle_left": points, "handle_right": points}
        columns |= {"handle_left_type": clamped, "handle_right_type": clamped}
        columns["interpolation"] = np.full(count, INTERPOLATIONS[interpolation], np.int32)
        return cls(columns)

    @classmethod
    def read(cls, fcurve: bpy.types.FCurve) -> Keys:
        """Those of a curve."""
        columns: dict[str, Column] = {}
        count = len(fcurve.keyframe_points)
        for name, (kind, width) in ATTRIBUTES.items():
            flat = np.zeros(count * width, kind)
            fcurve.keyframe_points.foreach_get(name, flat)
            columns[name] = flat if width == 1 else flat.reshape(count, width)
        return cls(columns)

    def write(self, fcurve: bpy.types.FCurve) -> None:
        """Give a curve these keys and no others."""
        points = fcurve.keyframe_points
        if len(points):
            points.clear()
        points.add(len(self))
        for name in ATTRIBUTES:
            points.foreach_set(name, self.columns[name].ravel())
        fcurve.update()

    def __len__(self) -> int:
        return len(self.columns["co"])

    @property
    def frames(self) -> npt.NDArray[np.float32]:
        """(n,) where the keys are."""
        frames: npt.NDArray[np.float32] = self.columns["co"][:, 0].astype(np.float32)
        return frames

    @property
    def selected(self) -> npt.NDArray[np.bool_]:
        """(n,) which of them are selected."""
        return self.columns["select_control_point"].astype(np.bool_)

    def on(self, frames: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """(n,) which of the keys lie on one of some frames."""
        nearest = np.round(self.frames)
        found: npt.NDArray[np.bool_] = np.isin(nearest, frames) & (np.abs(self.frames - nearest) < NEAR)
        return found

    def where(self, mask: npt.NDArray[np.bool_]) -> Keys:
        """Some of the keys."""
        return Keys({name: column[mask] for name, column in self.columns.items()})

    def selected_as(self, others: Keys) -> Keys:
        """These, selected like others where those have a key on the same frame."""
        same, here, there = np.intersect1d(
            np.round(self.frames), np.round(others.frames), return_indices=True
        )
        columns = dict(self.columns)
        for name in SELECTED if len(same) else ():
            columns[name] = columns[name].copy()
            columns[name][here] = others.columns[name][there]
        return Keys(columns)

    def with_keys(self, others: Keys) -> Keys:
        """These and others, which lie on other frames."""
        frames = np.concatenate([self.frames, others.frames])
        order = np.argsort(frames, kind="stable")
        return Keys(
            {name: np.concatenate([self.columns[name], others.columns[name]])[order] for name in self.columns}
        )
