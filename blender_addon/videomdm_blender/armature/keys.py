# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a take into a new Action: whole F-curves at once, the same way in Blender 4.5, 5.0 and 5.2."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import bpy
import numpy as np
import numpy.typing as npt

from ..retarget.rig import Array
from .tracks import Track

Single = npt.NDArray[np.float32]
INTERPOLATIONS = {"constant": 0, "linear": 1, "bezier": 2}  # Keyframe.interpolation
ALIGNED = 3  # Keyframe.handle_left_type
THIRD = 1.0 / 3.0


def write_action(
    armature: bpy.types.Object, name: str, tracks: Iterable[Track], start_frame: int, interpolation: str
) -> bpy.types.Action:
    """Make an Action with a slot for ``armature`` and one curve for each channel; nothing else changes.

    interpolation: "linear", "bezier" (a third of the way to the next key, with the slope of the take) or
    "constant".
    """
    action = bpy.data.actions.new(name)
    try:
        slot = action.slots.new(id_type="OBJECT", name=armature.name)
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        assert isinstance(strip, bpy.types.ActionKeyframeStrip)
        bag = strip.channelbag(slot, ensure=True)
        assert bag is not None
        groups: dict[str, bpy.types.ActionGroup] = {}
        tracks = list(tracks)
        for track, keys in zip(tracks, _keys(tracks, start_frame), strict=True):
            if track.group not in groups:
                groups[track.group] = bag.groups.new(track.group)
            for index in range(track.values.shape[1]):
                fcurve = bag.fcurves.new(track.path, index=index)
                fcurve.group = groups[track.group]
                fill(fcurve, keys[:, index], interpolation)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _keys(tracks: Sequence[Track], start_frame: int) -> list[Single]:
    """(3, C, n, 2) the points and the left and right handles of the keys of each track's C channels."""
    found: list[Single] = [np.empty((3, 0, 0, 2), np.float32)] * len(tracks)
    alike: dict[tuple[int, bytes], list[int]] = {}
    for number, track in enumerate(tracks):
        alike.setdefault((len(track.values), track.frames.tobytes()), []).append(number)
    for numbers in alike.values():  # those with keys on the same frames together
        values = np.concatenate([tracks[number].values for number in numbers], axis=1)
        points = key_points(values, tracks[numbers[0]].frames, start_frame)
        ends = np.cumsum([tracks[number].values.shape[1] for number in numbers])
        for number, part in zip(numbers, np.split(points, ends[:-1], axis=1), strict=True):
            found[number] = part
    return found


def key_points(values: Array, frames: npt.NDArray[np.intp], start_frame: int) -> Single:
    """(3, C, n, 2) points, left and right handles of keys on n ``frames`` of values (T, C)."""
    slope = np.gradient(values, axis=0)[frames] if len(values) > 1 else np.zeros((1, values.shape[1]))
    time = frames.astype(float)
    gaps = np.diff(time)
    before = THIRD * np.concatenate([gaps[:1] if len(gaps) else [1.0], gaps])
    after = THIRD * np.concatenate([gaps, gaps[-1:] if len(gaps) else [1.0]])
    points = np.empty((3, values.shape[1], len(frames), 2), np.float32)
    for part, offset in enumerate((np.zeros(len(frames)), -before, after)):
        points[part, :, :, 0] = start_frame + time + offset
        points[part, :, :, 1] = (values[frames] + slope * offset[:, None]).T
    return points


def fill(fcurve: bpy.types.FCurve, keys: Single, interpolation: str) -> None:
    """Give a new curve its keys (3, n, 2).

    ``FCurve.update`` would sort them, which they are, and place handles that are placed: it takes as long as
    all the rest.
    """
    points = fcurve.keyframe_points
    count = keys.shape[1]
    points.add(count)
    for name, part in zip(("co", "handle_left", "handle_right"), keys, strict=True):
        points.foreach_set(name, part.ravel())
    if interpolation == "bezier":
        aligned = np.full(count, ALIGNED, np.int32)
        points.foreach_set("handle_left_type", aligned)
        points.foreach_set("handle_right_type", aligned)
    else:  # new keys are Bezier
        points.foreach_set("interpolation", np.full(count, INTERPOLATIONS[interpolation], np.int32))


def keyed_bones(action: bpy.types.Action) -> set[str]:
    """The bones that a take's Action keys."""
    strip = action.layers[0].strips[0]
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    bag = strip.channelbag(action.slots[0])
    assert bag is not None
    return {group.name for group in bag.groups}


def mark_cyclic(action: bpy.types.Action, frames: range) -> None:
    """Tell Blender that an Action is a loop from its first frame to its last: strips and exporters heed it."""
    action.use_frame_range = True
    action.frame_start, action.frame_end = frames[0], frames[-1]
    action.use_cyclic = True


def make_cyclic(action: bpy.types.Action, travelling: Collection[str]) -> None:
    """Let an Action repeat for ever; curves with a path of ``travelling`` go on from cycle to cycle."""
    strip = action.layers[0].strips[0]
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    bag = strip.channelbag(action.slots[0])
    assert bag is not None
    for fcurve in bag.fcurves:
        if len(fcurve.keyframe_points) < 2:
            continue
        modifier = fcurve.modifiers.new("CYCLES")
        assert isinstance(modifier, bpy.types.FModifierCycles)
        modifier.mode_before = modifier.mode_after = (
            "REPEAT_OFFSET" if fcurve.data_path in travelling else "REPEAT"
        )


def curves_of(action: bpy.types.Action) -> Iterator[bpy.types.FCurve]:
    """The F-curves of an Action, of all its layers, strips and slots."""
    for layer in action.layers:
        for strip in layer.strips:
            assert isinstance(strip, bpy.types.ActionKeyframeStrip)
            for bag in strip.channelbags:
                yield from bag.fcurves
