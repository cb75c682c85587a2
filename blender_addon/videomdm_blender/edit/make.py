# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to a take on one rig, with everything that :class:`~.settings.TakeSettings` asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from videomdm.motion import Motion
from videomdm.motion.resample import resample

from ..retarget.rig import Flags, Mapping, RigRest
from ..retarget.solve import Options, Take, retarget
from ..retarget.stance import Stance
from .blend import Existing, aligned, blended, closed_take, weights
from .in_place import LEVEL, Way, way_of, without
from .loop import Cycle, best_cycle, looped
from .mirror import mirrored
from .posed import Posed, moved
from .settings import TakeSettings

CONTEXT = 1.0  # seconds of a loop's neighbours that are solved with it, so that both ends know what follows


@dataclass(frozen=True)
class Made:
    """A take, and what goes beside it.

    way:      what a root bone or object does instead of the hips; None where the hips do it.
    contacts: (T, 4) feet on the floor, as in a motion.
    turn:     radians by which a loop turns from cycle to cycle; 0 for other takes.
    """

    take: Take
    way: Way | None
    contacts: Flags
    turn: float = 0.0


def make_take(
    motion: Motion,
    rest: RigRest,
    mapping: Mapping,
    rate: float,
    settings: TakeSettings,
    options: Options | None = None,
    existing: Callable[[Take, int, int], Existing] | None = None,
) -> Made:
    """Put ``motion`` onto a rig at ``rate`` frames per second.

    existing: for takes that blend: asked for the animation that is there, over as many frames at the start and
    at the end as are given.
    """
    if settings.mirror:
        motion = mirrored(motion)
    motion = resample(motion, rate)
    cycle, context = None, 0
    if settings.loop != "off":
        motion = best_cycle(motion) if settings.loop == "best" else motion
        cycle = looped(motion, settings.loop_window)
        motion = cycle.motion
        context = min(len(motion) - 1, round(CONTEXT * rate))
        options = _later(options, context / rate)
    stance = Stance(rest, mapping)
    frames = slice(context, context + len(motion))
    take = retarget(motion if cycle is None else cycle.extended(context), rest, mapping, options)

    into, out = blend_frames(settings, rate, len(motion))
    there = existing(take, into, out) if existing is not None and (into or out) else None
    if there is not None and into and settings.align:
        take = aligned(stance, take, there)
    elif settings.root == "in-place":
        take = _at_home(stance, take, frames.start)
    way = None
    if settings.root != "hips":
        heading = settings.heading and settings.root != "in-place"
        way = way_of(stance, take, heading=heading).cut(frames)
    take = replace(take, rotations=take.rotations[frames], location=take.location[frames])
    if way is not None:
        take = without(stance, take, way)
    if cycle is not None:
        reach = max(1, round(settings.loop_window * rate / 2))
        take = closed_take(stance, take, reach, travels=way is None)
    if there is not None:
        take = blended(take, there, weights(len(motion), into, out))
    assert motion.contacts is not None
    return Made(
        take,
        way if settings.root in ("bone", "object") else None,
        motion.contacts,
        _turn(cycle),
    )


def _later(options: Options | None, seconds: float) -> Options | None:
    """Options for a motion that has ``seconds`` more before it."""
    if options is None or not options.hands:
        return options
    hands = (replace(hand, start=hand.start + seconds, end=hand.end + seconds) for hand in options.hands)
    return replace(options, hands=tuple(hands))


def blend_frames(settings: TakeSettings, rate: float, count: int) -> tuple[int, int]:
    """How many frames the take blends at its start and its end; the two may share all frames but not overlap."""
    into, out = (round(seconds * rate) for seconds in (settings.blend_in, settings.blend_out))
    room = count - 1
    if into + out > room:
        into, out = (int(part * room / (into + out)) for part in (into, out))
    return into, out


def _at_home(stance: Stance, take: Take, first: int) -> Take:
    """The take, moved over the floor so that its hips are over where they are at rest in frame ``first``."""
    hips = Posed(stance, take).hips()[first]
    rest = stance.heads[stance.rest.index(stance.mapping.first("hips"))]
    return moved(stance, take, np.array([1.0, 0.0, 0.0, 0.0]), (rest - hips) * LEVEL)


def _turn(cycle: Cycle | None) -> float:
    """What still turns from cycle to cycle."""
    if cycle is None or abs(cycle.turn - 2.0 * np.pi * np.round(cycle.turn / (2.0 * np.pi))) < 1e-6:
        return 0.0
    return cycle.turn
