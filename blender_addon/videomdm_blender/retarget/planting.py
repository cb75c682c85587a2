# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps standing feet where they stand.

Body and places of the feet are chosen together, so that legs turn as little as possible (``footing``): while one
foot stands they do not turn at all.  What is left, because two feet disagree or a foot trembles, the legs take up.
A foot that stands flat keeps its place and its turn; one on its toes rolls about them; one on its heel lands about
the ankle.  At both ends of a contact the correction fades with its own slope, and the step in between is smoothed,
so nothing pops.
"""

from __future__ import annotations

import numpy as np

from .banded import Banded, difference_bands
from .contacts import Contacts
from .fading import FADE, distance, faded, frames, raised
from .footing import find_footing
from .frames import Y, compose, cross, norm, soft_step
from .pose import Feet, Ground, Pose, leg_hinges
from .rig import Array, Flags
from .slots import SIDES
from .smoothing import average
from .soles import around, levelled, pitched, rolled_toes, standing_turn
from .stance import Stance
from .two_bone import reach, softened

FEW = 0.018  # of the frames, in which legs may turn more than they should
SUPPORT = 0.12  # seconds in which a foot takes over the body
STRIDE, LOST = 0.06, 0.2  # metres of a stand's slide that legs make up for, and the share that they never do
FOLLOW = 0.02  # seconds over which the way of sliding feet is smoothed
UPRIGHT = (0.25, 0.4)  # height of the hips, of the leg's length, up to which the body lies, and does not
LOWERED = 0.1  # seconds around in which the body sinks for a foot that it could not reach
RAISED = 0.1  # the same for one that would be in the floor
HEIGHTS = 21  # shares of a foot's height that are tried
CREEP = 0.035  # metres a second at which a foot that is kept in place may move
TAUT, DESCENT = 20, 0.24  # steps that make feet which cannot be kept in place slide evenly, and their length
FREE = 0.1  # what evenness between stands counts against that in them
YIELDS = 0.1  # seconds around in which a foot gives up its height
STRETCH = 0.995  # share of the leg's length up to which a standing leg may be stretched
SMOOTH = 6e-10  # seconds to the sixth: steps are smooth above 5 Hz
STAYS = 1e4  # how much more standing ankles keep to their places than others


def plant(
    pose: Pose,
    before: Feet,
    contacts: Contacts,
    stance: Stance,
    ground: Ground,
    fps: float,
    limit: float = np.inf,
    smoother: float = 1.0,
    lift: float = 1.0,
    steps: bool = True,
) -> tuple[Pose, Contacts]:
    """``pose`` with its standing feet kept in place and out of the floor, and which contacts were kept.

    before:   where the pose has the feet.
    limit:    degrees by which legs may turn for it, but for a few frames.  Where more is needed feet go only part
              of the way, and the body is raised for those that would be in the floor.
    smoother: how much more than usual jerks of the body and of steps count.
    lift:     share of the depth in the floor by which it is raised; the other foot then floats.
    steps:    feet that would turn legs too far may step elsewhere while they stand.
    """
    turn = standing_turn(before, contacts, stance, fps)
    stays = contacts.stays[0] | contacts.stays[1]
    skated = [
        _skated(contacts, ground, fps, share) for share in (_lost(contacts, stays), np.ones(stays.shape))
    ]
    upright = _upright(before, ground)
    footing = find_footing(
        before, turn, contacts, stance, ground, skated, upright, fps, smoother, limit, steps
    )
    turn = pitched(turn, footing.pitch, contacts, stance, fps)
    moved = before.moved(footing.shift)
    moved = moved.moved(_off_floor(moved, contacts, ground, upright, fps)[:, None] * Y)
    moved = _lowered(moved, footing.ankle, contacts, fps)
    target = moved.ankle + faded(footing.ankle - moved.ankle, contacts.standing, fps)
    target = _smooth_steps(target, contacts, SMOOTH * smoother, fps)
    target[..., 1] += around(_depth(target, ground) * upright * ~contacts.ball, contacts, fps)
    if np.isfinite(limit):
        full, stood = target, contacts.standing
        target = _within(limit, target, moved, contacts, fps)
        creep = footing.moved + np.diff((target - full)[..., [0, 2]], axis=1)
        contacts = _still(norm(creep) * fps / ground.scale < CREEP, contacts, fps)
        sunk = np.where(stood, np.maximum(full - target, 0.0)[..., 1], 0.0)
        sunk = np.maximum(sunk, _depth(target, ground) * upright)
        up = lift * raised(sunk.max(axis=0), RAISED, fps)[:, None] * Y
        moved, target = moved.moved(up), target + up
    path = pose.path + moved.hip[0] - before.hip[0]
    turn = levelled(turn, target, moved, contacts, stance, ground, fps)
    return _reached(Pose(pose.turns, path), moved, target, turn, contacts, stance, ground), contacts


def _skated(contacts: Contacts, ground: Ground, fps: float, share: Array) -> Array:
    """(T, 3) the way by which the body must go otherwise because the motion's own feet slide.

    share: (2, T - 1) of their slide that counts.
    """
    say = _say(contacts, fps)
    on_ball, on_heel = contacts.stays
    stays = on_ball | on_heel
    weight = (np.minimum(say[:, 1:], say[:, :-1]) * stays)[..., None]
    slides = contacts.moved * share[..., None]
    steps = -(weight * ground.scale * slides).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-6)
    way = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    return average(way, FOLLOW * fps) * (1.0, 0.0, 1.0)


def _lost(contacts: Contacts, stays: Flags) -> Array:
    """(2, T - 1) the share of a foot's slide that the body does not go: legs make up for some of each stand."""
    if not contacts.count:
        return np.ones(stays.shape)
    none = np.zeros((2, 1, 3))
    moved = np.concatenate([np.where(stays[..., None], contacts.moved, 0.0), none], axis=1)
    means, number = contacts.means(moved * (1.0, 0.0, 1.0), contacts.standing)
    far = norm(means * number[:, None])
    lost = np.clip(1.0 - STRIDE / np.maximum(far, 1e-9), LOST, 1.0)
    share: Array = lost[contacts.stands[:, :-1]]
    return share


def _say(contacts: Contacts, fps: float) -> Array:
    """(2, T) how much a foot rules the body: little as it comes down and leaves, 1 in the middle of its stand."""
    count = contacts.heel.shape[1]
    ends = np.minimum(np.arange(count), np.arange(count)[::-1]) + 1.0
    away = np.minimum(distance(~contacts.standing), ends)
    return np.where(contacts.standing, soft_step(away, 0.0, max(1.0, SUPPORT * fps)), 0.0)


def _upright(feet: Feet, ground: Ground) -> Array:
    """(T,) 1 where the body stands or squats, 0 where it lies: then ankles may be lower than those of flat feet."""
    length = norm(feet.legs.thigh) + norm(feet.legs.shin)
    upright: Array = soft_step((feet.hip[..., 1] - ground.floor) / length, *UPRIGHT).max(axis=0)
    return upright


def _depth(ankle: Array, ground: Ground) -> Array:
    """(2, T) by how much ankles are lower than those of flat feet on the floor."""
    return np.maximum(ground.floor + ground.ankle[:, None] - ankle[..., 1], 0.0)


def _off_floor(feet: Feet, contacts: Contacts, ground: Ground, upright: Array, fps: float) -> Array:
    """(T,) by how much the body must be raised where no foot stands and one would be in the floor."""
    low = raised(_depth(feet.ankle, ground).max(axis=0) * upright, FADE / 3, fps)
    say = (_say(contacts, fps) * contacts.floor).max(axis=0)
    return low * (1.0 - average(say, FADE / 3 * fps))


def _lowered(feet: Feet, ankle: Array, contacts: Contacts, fps: float) -> Feet:
    """The feet of a body that is lowered, smoothly, as far as standing feet would be out of reach."""
    way = feet.hip - ankle
    far = norm(feet.legs.thigh) + norm(feet.legs.shin)
    now = norm(feet.legs.thigh + feet.legs.shin)
    limit = np.maximum(STRETCH * far, now)
    level = np.hypot(way[..., 0], way[..., 2])
    down = way[..., 1] - np.sqrt(np.maximum(limit**2 - level**2, 0.0))
    needed = np.where(contacts.standing & (level < limit), np.maximum(down, 0.0), 0.0).max(axis=0)
    return feet.moved(-raised(needed, LOWERED, fps)[:, None] * Y)


def _smooth_steps(ankle: Array, contacts: Contacts, smooth: float, fps: float) -> Array:
    """(2, T, 3) ``ankle`` whose steps are as smooth as can be without leaving their way by much.

    A foot that stands still has further to go in the same time than one that slides: its step must not be
    jerkier for that.  What lies further than ``FADE`` from any stand keeps its way.
    """
    count = ankle.shape[1]
    keeps = contacts.standing | (distance(contacts.standing) > frames(FADE, fps))
    weight = np.where(keeps, STAYS, 1.0).T
    bands = [np.repeat(smooth * fps**6 * band[:, None], 2, axis=1) for band in difference_bands(count, 3)]
    diagonal = np.zeros((count, 2, 2))
    diagonal[:, [0, 1], [0, 1]] = bands[0] + weight
    found = Banded(bands[1:], block=16).solve(diagonal, weight[..., None] * np.swapaxes(ankle, 0, 1))
    return np.ascontiguousarray(np.swapaxes(found, 0, 1))


def _still(slow: Flags, contacts: Contacts, fps: float) -> Contacts:
    """The contacts of feet whose places are ``slow`` (2, T - 1) to and from a frame."""
    everywhere = np.ones((2, 1), bool)
    either = contacts.standing[:, 1:] & contacts.standing[:, :-1]
    slow = slow | ~either
    still = np.concatenate([everywhere, slow], axis=1) & np.concatenate([slow, everywhere], axis=1)
    return contacts.only(still, fps)


def _within(limit: float, ankle: Array, feet: Feet, contacts: Contacts, fps: float) -> Array:
    """``ankle`` as far as legs do not turn by more than ``limit`` degrees for it.

    Height is given up before place: a foot that floats a little is seen less than one that slides.  Where place
    must be given up, too, it is by as little from frame to frame as can be.
    """
    wanted = _turned(feet, ankle)
    if np.mean(contacts.standing & (wanted > limit)) < FEW:
        share = np.where(contacts.standing, 1.0, np.minimum(1.0, limit / np.maximum(wanted, 1e-9)))
        return feet.ankle + share[..., None] * (ankle - feet.ankle)
    ankle = _lower(limit, ankle, feet, fps)
    stays = np.where(contacts.standing[:, 1:] & contacts.standing[:, :-1], 1.0, FREE)[..., None]
    found = ahead = _reachable(limit, ankle, feet)
    none, pace = np.zeros((2, 1, 3)), 1.0
    for _ in range(TAUT):  # projected gradients, accelerated (Beck and Teboulle 2009)
        change = DESCENT * stays * np.diff(ahead - ankle, axis=1)
        step = np.concatenate([change, none], axis=1) - np.concatenate([none, change], axis=1)
        last, found = found, _reachable(limit, ahead + step, feet)
        pace, faster = (1.0 + np.sqrt(1.0 + 4.0 * pace**2)) / 2.0, pace - 1.0
        ahead = found + faster / pace * (found - last)
    as_high = _lower(limit, np.where([False, True, False], ankle, found), feet, fps)
    return np.where((_turned(feet, as_high) > limit)[..., None], found, as_high)


def _reachable(limit: float, ankle: Array, feet: Feet) -> Array:
    """``ankle`` (2, T, 3), moved towards where legs have it as far as they would turn by more than ``limit``."""
    share = np.minimum(1.0, limit / np.maximum(_turned(feet, ankle), 1e-9))
    reachable: Array = feet.ankle + share[..., None] * (ankle - feet.ankle)
    return reachable


def _lower(limit: float, ankle: Array, feet: Feet, fps: float) -> Array:
    """``ankle`` with as much of its change of height given up as lets legs turn by ``limit`` degrees."""
    way, shares = ankle - feet.ankle, np.linspace(1.0, 0.0, HEIGHTS)[:, None, None, None]
    turned = _turned(feet, feet.ankle + way * np.where([False, True, False], shares, 1.0))
    enough = turned <= limit
    least = np.where(enough.any(axis=0), np.argmax(enough, axis=0), np.argmin(turned, axis=0))
    given = raised(least / (HEIGHTS - 1.0), YIELDS, fps)
    lower: Array = ankle - (np.minimum(given, 1.0) * way[..., 1])[..., None] * Y
    return lower


def _turned(feet: Feet, ankle: Array) -> Array:
    """(2, T) degrees, nearly, by which thigh or shin must turn for the ankle to be at ``ankle`` (2, T, 3)."""
    thigh, shin = (norm(bone) for bone in (feet.legs.thigh, feet.legs.shin))
    before, after = feet.ankle - feet.hip, ankle - feet.hip
    lengths = [norm(way) for way in (before, after)]
    far = [np.clip((length**2 - thigh**2 - shin**2) / (2.0 * thigh * shin), -1.0, 1.0) for length in lengths]
    swung = norm(cross(before, after)) / np.maximum(lengths[0] * lengths[1], 1e-12)
    bent = np.abs(np.arccos(far[0]) - np.arccos(far[1])) / 2.0
    turned: Array = np.degrees(bent + np.arcsin(np.minimum(swung, 1.0)))
    return turned


def _reached(
    pose: Pose,
    feet: Feet,
    ankle: Array,
    turn: Array,
    contacts: Contacts,
    stance: Stance,
    ground: Ground,
) -> Pose:
    """The pose whose legs reach for ``ankle`` (2, T, 3) and whose feet turn as ``turn`` (2, T, 4)."""
    legs = feet.legs
    far = norm(legs.thigh) + norm(legs.shin)
    now = norm(legs.thigh + legs.shin)
    way = ankle - feet.hip
    distance_ = norm(way)
    kept = np.where(contacts.standing, np.maximum(now, STRETCH * far), now)
    way = way * (softened(distance_, far, kept) / np.maximum(distance_, 1e-12))[..., None]
    thigh, shin = reach(legs.thigh, legs.shin, leg_hinges(stance, pose), way)
    turns = dict(pose.turns)
    toes = rolled_toes(feet, ankle, turn, stance, ground)
    for number, side in enumerate(SIDES):
        chain = stance.mapping.chain
        turns |= {bone: compose(thigh[number], turns[bone]) for bone in chain(f"{side}_thigh")}
        turns |= {bone: compose(shin[number], turns[bone]) for bone in chain(f"{side}_shin")}
        turns |= dict.fromkeys(chain(f"{side}_foot"), turn[number])
        turns |= dict.fromkeys(chain(f"{side}_toe"), toes[number])
    return Pose(turns, pose.path)
