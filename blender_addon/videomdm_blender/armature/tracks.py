# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a take is keyed: each channel of the rig that gets a curve, its values, and the frames of its keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
import numpy.typing as npt
from bpy.utils import escape_identifier

from ..edit.make import Made
from ..edit.reduce import (
    Rotation,
    Tolerance,
    location_keys,
    location_turns,
    reduced,
    rotation_keys,
    turning_points,
)
from ..edit.settings import TakeSettings
from ..retarget.channels import channels
from ..retarget.rig import Array, Flags, Mapping
from ..retarget.stance import Stance
from .existing import Before

REST = {"location": 0.0, "scale": 1.0}


@dataclass(frozen=True)
class Track:
    """All channels of one property.

    group:  name of the group that its curves are in: the bone, or "Object Transforms".
    path:   its data path, from the armature object.
    values: (T, C) on each frame; (1, C) holds for the whole take.
    frames: (n,) those of them that get keys, in order.
    """

    group: str
    path: str
    values: Array
    frames: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(1, np.intp))

    def on(self, flags: Flags | None) -> Track:
        """The same with keys on the flagged frames; on all without flags."""
        count = len(self.values)
        return replace(self, frames=np.arange(count) if flags is None else np.flatnonzero(flags))


@dataclass(frozen=True)
class RootTrack:
    """The way of a root bone or object.

    group, base: name of its group, and what stands before its channels in their paths.
    mode:        its rotation mode.
    rotations:   (T, 4), or None where it does not turn; location: (T, 3).
    """

    group: str
    base: str
    mode: str
    rotations: Array | None
    location: Array


def tracks_of(
    armature: bpy.types.Object,
    stance: Stance,
    made: Made,
    settings: TakeSettings,
    root: RootTrack | None,
    before: Before | None,
    dense: Collection[str] = (),
) -> Iterator[Track]:
    """The tracks of a take, those of one bone after each other.

    before: what the bones do before a take that is blended; dense: bones that keep their keys on all frames.
    """
    take, mapping, pose = made.take, stance.mapping, armature.pose
    assert pose is not None
    rotation = {}
    for number, bone in enumerate(take.bones):
        mode = pose.bones[bone].rotation_mode
        rotation[bone] = mode, *channels(take.rotations[:, number], mode)
    kept = None
    tolerance = tolerance_of(armature, settings)
    if tolerance is not None:
        values = {bone: Rotation(mode, values) for bone, (mode, _, values) in rotation.items()}
        kept = reduced(stance, take, values, made.contacts, tolerance, settings.interpolation)

    if root is not None:
        yield from _root_tracks(root, tolerance, settings.interpolation)
    other = _other_channels(armature)
    for bone in ([] if take.root in take.bones else [take.root]) + list(take.bones):
        base = f'pose.bones["{escape_identifier(bone)}"].'
        if bone == take.root:
            yield Track(bone, base + "location", take.location).on(kept.location if kept else None)
        if bone in rotation:
            _, channel, numbers = rotation[bone]
            yield Track(bone, base + channel, numbers).on(
                kept.rotations[bone] if kept and bone not in dense else None
            )
        yield from _still(pose.bones[bone], base, other, before, located=bone == take.root)
    yield from _switches(mapping)


def _switches(mapping: Mapping) -> Iterator[Track]:
    for (bone, setting), value in mapping.switches.items():
        path = f'pose.bones["{escape_identifier(bone)}"]["{escape_identifier(setting)}"]'
        yield Track(bone, path, np.array([[value]]))


def tolerance_of(armature: bpy.types.Object, settings: TakeSettings) -> Tolerance | None:
    """How far a take may be missed for keys to be left out, None where all are kept."""
    if not settings.reduce_degrees:
        return None
    metres = abs(armature.matrix_world.median_scale) or 1.0
    return Tolerance(np.radians(settings.reduce_degrees), settings.reduce_millimetres / 1000.0 / metres)


def _root_tracks(root: RootTrack, tolerance: Tolerance | None, interpolation: str) -> Iterator[Track]:
    path = Track(root.group, root.base + "location", root.location)
    if tolerance is None:
        yield path.on(None)
    else:
        turns = location_turns(root.location, tolerance.distance)
        yield path.on(location_keys(root.location, turns, tolerance.distance, interpolation))
    if root.rotations is None:
        return
    channel, values = channels(root.rotations, root.mode)
    track = Track(root.group, root.base + channel, values)
    if tolerance is None:
        yield track.on(None)
    else:
        truth = root.rotations[None]
        wanted = turning_points(truth, tolerance.angle)
        yield track.on(
            rotation_keys(values[None], truth, root.mode, wanted, tolerance.angle, interpolation)[0]
        )


def _still(
    bone: bpy.types.PoseBone, base: str, other: set[str], before: Before | None, located: bool
) -> Iterator[Track]:
    """Location and scale where something else moves them: at rest, for the take must not depend on leftovers.

    A take that is blended leads them there.
    """
    for channel, rest in REST.items():
        if channel == "location" and located:
            continue
        value = getattr(bone, channel)
        if base + channel not in other and all(abs(part - rest) <= 1e-6 for part in value):
            continue
        values = np.full((1, 3), rest)
        if before is not None:
            there = before.location if channel == "location" else before.scale
            values = rest + (1.0 - before.share[:, None]) * (there[bone.name] - rest)
        yield Track(bone.name, base + channel, values).on(None)


def _other_channels(armature: bpy.types.Object) -> set[str]:
    """Data paths that the armature's present Action and its NLA strips move."""
    return {fcurve.data_path for fcurve in other_curves(armature)}


def other_curves(armature: bpy.types.Object) -> Iterator[bpy.types.FCurve]:
    """The curves of the armature's present Action and of its NLA strips."""
    data = armature.animation_data
    if data is None:
        return
    used = [(data.action, data.action_slot)]
    for track in data.nla_tracks:
        used += [(strip.action, strip.action_slot) for strip in track.strips]
    for action, slot in used:
        if action is None or slot is None:
            continue
        for layer in action.layers:
            for strip in layer.strips:
                assert isinstance(strip, bpy.types.ActionKeyframeStrip)
                bag = strip.channelbag(slot)
                if bag is not None:
                    yield from bag.fcurves
