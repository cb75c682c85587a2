# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushes a take down into the NLA, as Blender's own button does, with the slot that belongs to the armature."""

from __future__ import annotations

import bpy

from videomdm.errors import UserError


def push_down(armature: bpy.types.Object) -> bpy.types.NlaStrip:
    """Make the armature's Action a strip on a new track above all others; the armature has no Action after that.

    UserError where there is none, or a strip is being tweaked.
    """
    data = armature.animation_data
    if data is None or data.action is None or data.action_slot is None:
        raise UserError(f"{armature.name} has no take to push down.", "Apply one first.", "no-take")
    if data.use_tweak_mode:
        raise UserError(
            f"An NLA strip of {armature.name} is being tweaked.", "Leave tweak mode first.", "tweak-mode"
        )
    action, slot = data.action, data.action_slot
    alone = not any(track.strips for track in data.nla_tracks)
    last = data.nla_tracks[-1] if len(data.nla_tracks) else None
    track = data.nla_tracks.new(prev=last)
    track.name = action.name
    start, end = action.frame_range.to_tuple()
    strip = track.strips.new(action.name, int(start), action)
    strip.action_slot = slot
    strip.action_frame_start, strip.action_frame_end = start, end
    strip.frame_start, strip.frame_end = start, end
    strip.blend_type = data.action_blend_type
    # A strip below the Action would hold its first pose before it begins, over the tracks under it.
    hold = data.action_extrapolation == "HOLD"
    strip.extrapolation = "HOLD_FORWARD" if hold and not alone else data.action_extrapolation
    data.action = None
    return strip
