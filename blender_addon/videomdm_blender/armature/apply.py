# SPDX-License-Identifier: GPL-3.0-or-later
"""One call from a motion to a take on a rig; the entry for operators, scripts and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.utils import escape_identifier

from videomdm.errors import UserError
from videomdm.motion import Motion

from ..controls.controlled import onto_controls
from ..controls.finish import finish, replaced, travelling
from ..controls.limb import Controls
from ..controls.thinning import Sparse
from ..edit.blend import Existing, weights
from ..edit.make import Made, blend_frames, make_take
from ..edit.posed import Posed
from ..edit.settings import TakeSettings
from ..mapping.stored import mapping_for
from ..retarget.rig import Mapping, RigRest
from ..retarget.solve import Options, Take
from ..retarget.stance import Stance
from ..rigs.check import check
from .existing import Before, Watched, before_take
from .fingers import finger_tracks
from .keys import make_cyclic, mark_cyclic, write_action
from .nla import push_down
from .rest import read_rest
from .standing import keep
from .tracks import RootTrack, tolerance_of, tracks_of
from .way import root_track

TAKE_OVER = frozenset({"IK", "SPLINE_IK", "COPY_ROTATION", "COPY_TRANSFORMS", "CHILD_OF", "ARMATURE", "DAMPED_TRACK",
                       "TRACK_TO", "LOCKED_TRACK", "STRETCH_TO", "ACTION"})  # fmt: skip


@dataclass(frozen=True)
class Applied:
    """What became of a motion on a rig.

    mapping: of the bones that show the take; where those follow controls, it is the controls that have keys.
    notes:   what the user should know, one sentence each.
    """

    action: bpy.types.Action
    take: Take
    mapping: Mapping
    start_frame: int
    notes: tuple[str, ...]

    @property
    def end_frame(self) -> int:
        """The last frame that has keys."""
        return self.start_frame + len(self.take.location) - 1


def apply_motion(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    motion: Motion,
    *,
    name: str,
    start_frame: int | None = None,
    mapping: Mapping | None = None,
    options: Options | None = None,
    controls: Controls = Controls.FK,
    settings: TakeSettings | None = None,
) -> bpy.types.Action:
    """Put ``motion`` onto ``armature`` as a new Action called ``name`` and make it the armature's Action.

    The clip keeps its length in seconds at the scene's frame rate and begins at ``start_frame``, at the
    current frame if None.  Only mapped bones are keyed, in the rotation mode that they have, and of control
    rigs the ``controls`` that are asked for.  An Action that the armature had stays in the file.  UserError, and
    nothing changed, where the rig cannot take a motion.
    """
    return apply_take(
        scene,
        armature,
        motion,
        name=name,
        start_frame=start_frame,
        mapping=mapping,
        options=options,
        controls=controls,
        settings=settings,
    ).action


def apply_take(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    motion: Motion,
    *,
    name: str,
    start_frame: int | None = None,
    mapping: Mapping | None = None,
    options: Options | None = None,
    controls: Controls = Controls.FK,
    settings: TakeSettings | None = None,
) -> Applied:
    """The same as :func:`apply_motion`, with an account of what was done."""
    settings = settings or TakeSettings()
    _require_animatable(armature)
    rest = read_rest(armature)
    if mapping is None:
        mapping = mapping_for(armature, rest)
    else:
        check(rest, mapping)
    whole, found, controlled = rest, mapping, onto_controls(armature, rest, mapping)
    rest, mapping = controlled.rest, controlled.mapping
    start = scene.frame_current if start_frame is None else start_frame
    rate = scene.render.fps / scene.render.fps_base
    made, before = _make(armature, motion, rest, mapping, rate, settings, options, start)
    stance = Stance(rest, mapping)
    root = root_track(armature, stance, made, settings, start)
    dense = replaced(armature, controlled, controls)
    tracks = list(tracks_of(armature, stance, made, settings, root, before, dense))
    if settings.fingers == "relaxed":
        tracks += finger_tracks(armature, whole, found, before)
    notes = (*_notes(armature, mapping), *_loop_notes(made, settings))
    tolerance = tolerance_of(armature, settings)
    action = write_action(armature, name, tracks, start, settings.interpolation)
    frames = range(start, start + len(made.take.location))
    try:
        notes += finish(
            armature,
            action,
            controlled,
            frames,
            Posed(stance, made.take),
            controls,
            settings.interpolation,
            Sparse(tolerance, made.contacts) if tolerance is not None else None,
        )
        if settings.loop != "off":
            _make_loop(action, frames, settings, made, root, travelling(controlled, controls))
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    _assign(armature, action)
    if settings.push_down:
        push_down(armature)
    return Applied(action, made.take, found, start, notes)


def _make(
    armature: bpy.types.Object,
    motion: Motion,
    rest: RigRest,
    mapping: Mapping,
    rate: float,
    settings: TakeSettings,
    options: Options | None,
    start: int,
) -> tuple[Made, Before | None]:
    """The take, and what the bones do before it where it blends."""
    watched: list[Watched] = []

    def existing(take: Take, into: int, out: int) -> Existing:
        found, seen = before_take(armature, take, start, into, out)
        watched.append(seen)
        return found

    made = make_take(motion, rest, mapping, rate, settings, options, existing)
    if not watched:
        return made, None
    share = weights(len(made.take.location), *blend_frames(settings, rate, len(made.take.location)))
    return made, Before(share, watched[0].locations, watched[0].scales)


def _make_loop(
    action: bpy.types.Action,
    frames: range,
    settings: TakeSettings,
    made: Made,
    root: RootTrack | None,
    beside: AbstractSet[str],
) -> None:
    """Mark a loop for Blender; where it shall repeat, what travels goes on from cycle to cycle.

    beside: paths of what travels beside the hips.
    """
    mark_cyclic(action, frames)
    if not settings.cycles:
        return
    paths: set[str] = set()
    if settings.root != "in-place" and not made.turn:
        base = f'pose.bones["{escape_identifier(made.take.root)}"].' if root is None else root.base
        paths = {base + "location", *beside}
    make_cyclic(action, paths)


def _loop_notes(made: Made, settings: TakeSettings) -> Iterator[str]:
    if made.turn and settings.root not in ("bone", "object"):
        yield (
            f"The loop turns by {np.degrees(made.turn):.0f} degrees, so it repeats only where each cycle starts "
            "from the heading of the last; use a clip that goes straight, or let the root take over the travel."
        )


def mapping_of(armature: bpy.types.Object, humanoid: AnyMapping[str, str] | None = None) -> Mapping:
    """Find the mapping of an armature object; UserError where it is no humanoid.

    humanoid: the table of humanoid bones that the rig's file declares, if it does.
    """
    return mapping_for(armature, read_rest(armature), humanoid)


def _require_animatable(armature: bpy.types.Object) -> None:
    if not armature.is_editable:
        raise UserError(
            f"{armature.name} is linked from another file and cannot be animated here.",
            "Select it, choose Object > Library Override > Make, and apply the take to the override.",
            "linked",
        )
    if armature.animation_data is not None and armature.animation_data.use_tweak_mode:
        raise UserError(
            f"An NLA strip of {armature.name} is being tweaked.", "Leave tweak mode first.", "tweak-mode"
        )


def _assign(armature: bpy.types.Object, action: bpy.types.Action) -> None:
    data = armature.animation_data_create()
    assert data is not None
    keep(data.action)
    data.action = action
    data.action_slot = action.slots[0]


def _notes(armature: bpy.types.Object, mapping: Mapping) -> Iterator[str]:
    """What about the rig may keep the take from showing as it is."""
    if mapping.switches:
        switches = ", ".join(f"{setting} of {bone}" for bone, setting in mapping.switches)
        yield f"The take also keys {switches}, which choose between FK and IK."
    assert armature.pose is not None
    ruled = [
        bone
        for bone in mapping.bones
        if any(
            c.type in TAKE_OVER and c.enabled and c.influence > 0
            for c in armature.pose.bones[bone].constraints
        )
    ]
    if ruled:
        yield f"Constraints also move {', '.join(ruled)}; they were left as they are."
    scale = np.array(armature.matrix_world.to_scale(), float)
    if np.ptp(scale) > 1e-3 * np.max(np.abs(scale)) or np.min(scale) <= 0:
        yield f"{armature.name} is scaled unevenly, which bends the directions of its bones."
    data = armature.animation_data
    if data is not None and (data.action_blend_type != "REPLACE" or data.action_influence < 1.0):
        yield f"The animation of {armature.name} is set to blend its Action, so the take shows only in part."
    if isinstance(armature.data, bpy.types.Armature) and armature.data.pose_position == "REST":
        yield f"{armature.name} shows its rest position; set it to pose position to see the take."
