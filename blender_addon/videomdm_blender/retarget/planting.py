# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps standing feet where they stand.

First the body follows the feet: where a standing foot slides, the whole body is moved against the slide, which
changes no limb.  What is left, because two feet disagree or a foot trembles, the legs take up.  A foot that stands
flat keeps its place and its turn; one on its toes rolls about them; one on its heel lands about the ankle.  At
both ends of a contact the correction fades with its own slope, so nothing pops.
"""

from __future__ import annotations

import numpy as np

from .contacts import Contacts
from .feet import TOE_BEND
from .frames import Y, about, compose, cross, dot, frame, inverse, mixed, rotate, soft_step, swing, unit
from .pose import Feet, Ground, Pose, leg_hinges
from .rig import Array, Flags
from .slots import SIDES
from .smoothing import average, bridged, envelope
from .stance import Stance
from .two_bone import reach, softened

LET_GO = (3.5, 2.2, 1.5, 1.25, 1.1, 1.0)  # of what a leg may turn for a foot, from round to round
FEW = 0.018  # of the frames, in which it may be more
FADE = 0.25  # seconds in which a correction begins and ends
SUPPORT = 0.12  # seconds in which a foot takes over the body
SWAY = 2.4  # seconds around in which the body may sway
FOLLOW = 0.02  # seconds over which the body's own correction is smoothed
FOLLOW_HEIGHT = 0.02
SAY_OF_NONE = 0.05  # of no foot on the height of the body, against a standing one
UPRIGHT = (0.25, 0.4)  # height of the hips, of the leg's length, up to which the body lies, and does not
LOWERED = 0.1  # seconds around in which the body sinks for a foot that it could not reach
STRETCH = 0.995  # share of the leg's length up to which a standing leg may be stretched
TOLERANCE = 0.0005  # of the leg's length: a foot this deep in the floor is on it
HALVINGS = 6  # of the range in which the least correction is searched
TOE_NEAR, TOE_FAR = 0.02, 0.08  # of the leg's length: ball of the foot on the ground, and off it


def plant(
    pose: Pose, contacts: Contacts, stance: Stance, ground: Ground, fps: float, limit: float = np.inf
) -> tuple[Pose, Contacts]:
    """``pose`` with its standing feet kept in place and out of the floor, and which contacts were kept.

    limit: degrees by which legs may turn for it, but for a few frames; feet that need most are let go until it
           is kept.
    """
    before = Feet.of(stance, pose)
    turn = compose(_roll(before, contacts, stance, fps), before.turn)
    sole = rotate(compose(turn, inverse(before.turn)), before.legs.sole)
    path = pose.path + _follow(before, sole, contacts, ground, fps)
    moved = Feet.of(stance, Pose(pose.turns, path))
    ankle = _stand(moved, sole, contacts, ground)
    for most in LET_GO:
        turned = _turned(moved, _faded(moved, ankle, contacts, fps))
        if np.mean(contacts.standing & (turned > limit)) < FEW:
            break
        contacts = contacts.only(turned < most * limit, fps)
        ankle = _stand(moved, sole, contacts, ground)
    path, moved = _lowered(path, moved, ankle, contacts, stance, fps)
    target = _faded(moved, ankle, contacts, fps)
    target[..., 1] += _lift(target, moved, contacts, ground, fps)
    if np.isfinite(limit):
        wanted = _turned(moved, target)
        share = np.where(contacts.standing, 1.0, np.minimum(1.0, limit / np.maximum(wanted, 1e-9)))
        target = moved.ankle + share[..., None] * (target - moved.ankle)
    turn = _levelled(turn, target, moved, contacts, stance, ground, fps)
    return _reached(Pose(pose.turns, path), moved, target, turn, contacts, stance, ground), contacts


def _frames(seconds: float, fps: float) -> int:
    return max(2, round(seconds * fps))


def _follow(feet: Feet, sole: Array, contacts: Contacts, ground: Ground, fps: float) -> Array:
    """(T, 3) what moves the body so that the standing feet slide less, and stand on the floor."""
    say = _say(contacts, fps)
    place = np.where(contacts.ball[..., None], feet.ankle + sole, feet.ankle)
    on_ball, on_heel = contacts.stays
    pair = on_ball | on_heel
    slide = np.where(on_ball[..., None], np.diff(feet.ankle + sole, axis=1), np.diff(feet.ankle, axis=1))
    weight = (np.minimum(say[:, 1:], say[:, :-1]) * pair)[..., None]
    total = np.maximum(weight.sum(axis=0), 1e-6)
    # Where the motion's own feet slide the body's way changes for good.  What comes from the rig's proportions
    # would lead ever further away from the motion's way: there the body only sways.
    own = ground.scale * contacts.moved
    level = _path(-(weight * own).sum(axis=0) / total)
    sway = _path(-(weight * (slide - own)).sum(axis=0) / total)
    level = average(level + sway - average(sway, SWAY * fps), FOLLOW * fps)
    flat = np.where(contacts.ball, ground.ball[:, None], ground.ankle[:, None]) + ground.floor
    say = say * contacts.floor
    height = (say * (flat - place[..., 1])).sum(axis=0) / (say.sum(axis=0) + SAY_OF_NONE)
    height = average(height, FOLLOW_HEIGHT * fps)
    # With no foot to stand on, a body that lands too low is raised as a whole; else the leg gives way.
    low = np.maximum(ground.floor + ground.ankle[:, None] - feet.ankle[..., 1] - height, 0.0).max(axis=0)
    low = low * _upright(feet, ground)
    height += envelope(low, _frames(FADE / 3, fps)) * (1.0 - average(say.max(axis=0), FADE / 3 * fps))
    result: Array = level * (1.0, 0.0, 1.0) + height[:, None] * Y
    return result


def _upright(feet: Feet, ground: Ground) -> Array:
    """(T,) 1 where the body stands or squats, 0 where it lies: then ankles may be lower than those of flat feet."""
    length = np.linalg.norm(feet.legs.thigh, axis=-1) + np.linalg.norm(feet.legs.shin, axis=-1)
    upright: Array = soft_step((feet.hip[..., 1] - ground.floor) / length, *UPRIGHT).max(axis=0)
    return upright


def _path(steps: Array) -> Array:
    """(T, 3) the places to which steps (T - 1, 3) lead."""
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def _say(contacts: Contacts, fps: float) -> Array:
    """(2, T) how much a foot rules the body: little as it comes down and leaves, 1 in the middle of its stand."""
    away = np.stack([_distance(~standing) for standing in contacts.standing])
    ends = np.minimum(np.arange(away.shape[1]), np.arange(away.shape[1])[::-1]) + 1.0
    return np.where(contacts.standing, soft_step(np.minimum(away, ends), 0.0, max(1.0, SUPPORT * fps)), 0.0)


def _roll(feet: Feet, contacts: Contacts, stance: Stance, fps: float) -> Array:
    """(2, T, 4) what turns feet that stand flat: each time that a foot stands it points one way."""
    at_rest = stance.feet_forward[:, None]
    forward = rotate(feet.turn, at_rest)
    flat = contacts.heel & contacts.ball & contacts.floor
    level = forward
    if contacts.count:
        means, number = contacts.means(forward, flat)
        level = np.where((number > 0)[contacts.stands][..., None], means[contacts.stands], forward)
    flat |= contacts.ball & contacts.floor & (forward[..., 1] > 0)  # else the heel would be in the floor
    level = np.where(flat[..., None], level, at_rest) * (1.0, 0.0, 1.0)
    planted = compose(frame(level, cross(Y, level)), inverse(frame(at_rest, cross(Y, at_rest))))
    roll = _vector(compose(planted, inverse(feet.turn)))
    return _rotation(np.stack([bridged(roll[foot], flat[foot], _frames(FADE, fps)) for foot in range(2)]))


def _stand(feet: Feet, sole: Array, contacts: Contacts, ground: Ground) -> Array:
    """(2, T, 3) where the ankles of standing feet belong, for feet turned so that their ``sole`` is (2, T, 3)."""
    if not contacts.count:
        return feet.ankle
    stands = contacts.stands
    on_floor = contacts.means(contacts.floor[..., None].astype(float), contacts.standing)[0][stands] > 0.5
    balls, _ = contacts.means(feet.ankle + sole, contacts.ball)
    on_ball = balls[stands]
    standing = ground.floor + ground.ball[:, None]
    on_ball[..., 1] = np.where(on_floor[..., 0], standing, on_ball[..., 1])
    on_ball = on_ball - sole
    # The heel stands where it is while the foot is flat, else where it is on its own.
    flats, number = contacts.means(on_ball, contacts.heel & contacts.ball)
    heels, _ = contacts.means(feet.ankle, contacts.heel)
    on_heel = np.where(number[:, None] > 0, flats, heels)[stands]
    standing = ground.floor + ground.ankle[:, None]
    on_heel[..., 1] = np.where(on_floor[..., 0], standing, on_heel[..., 1])
    ankle = np.where(contacts.ball[..., None], on_ball, on_heel)
    return np.where(contacts.standing[..., None], ankle, feet.ankle)


def _faded(feet: Feet, ankle: Array, contacts: Contacts, fps: float) -> Array:
    """(2, T, 3) where the ankles go: as ``ankle`` has it while they stand, to and from there smoothly."""
    change = ankle - feet.ankle
    return feet.ankle + np.stack(
        [bridged(change[foot], contacts.standing[foot], _frames(FADE, fps)) for foot in range(2)]
    )


def _turned(feet: Feet, ankle: Array) -> Array:
    """(2, T) degrees, nearly, by which thigh or shin must turn for the ankle to be at ``ankle`` (2, T, 3)."""
    thigh, shin = (np.linalg.norm(bone, axis=-1) for bone in (feet.legs.thigh, feet.legs.shin))
    before, after = feet.ankle - feet.hip, ankle - feet.hip
    lengths = [np.linalg.norm(way, axis=-1) for way in (before, after)]
    far = [np.clip((length**2 - thigh**2 - shin**2) / (2.0 * thigh * shin), -1.0, 1.0) for length in lengths]
    swung = np.linalg.norm(cross(before, after), axis=-1) / np.maximum(lengths[0] * lengths[1], 1e-12)
    bent = np.abs(np.arccos(far[0]) - np.arccos(far[1])) / 2.0
    turned: Array = np.degrees(bent + np.arcsin(np.minimum(swung, 1.0)))
    return turned


def _lowered(
    path: Array, feet: Feet, ankle: Array, contacts: Contacts, stance: Stance, fps: float
) -> tuple[Array, Feet]:
    """The body lowered, smoothly, as far as standing feet would be out of reach."""
    way = feet.hip - ankle
    far = np.linalg.norm(feet.legs.thigh, axis=-1) + np.linalg.norm(feet.legs.shin, axis=-1)
    now = np.linalg.norm(feet.legs.thigh + feet.legs.shin, axis=-1)
    limit = np.maximum(STRETCH * far, now)
    level = np.hypot(way[..., 0], way[..., 2])
    down = way[..., 1] - np.sqrt(np.maximum(limit**2 - level**2, 0.0))
    needed = np.where(contacts.standing & (level < limit), np.maximum(down, 0.0), 0.0).max(axis=0)
    path = path - envelope(needed, _frames(LOWERED, fps))[:, None] * Y
    shift = (path - (feet.hip[0] - feet.legs.hip[0])).astype(float)
    return path, Feet(feet.turn, feet.hip + shift, feet.ankle + shift, feet.ball + shift, feet.legs)


def _lift(ankle: Array, feet: Feet, contacts: Contacts, ground: Ground, fps: float) -> Array:
    """(2, T) by how much ankles must be raised that are lower than those of a flat foot on the floor."""
    needed = np.maximum(ground.floor + ground.ankle[:, None] - ankle[..., 1], 0.0) * _upright(feet, ground)
    return _around(np.where(contacts.ball, 0.0, needed), contacts, fps)


def _around(needed: Array, contacts: Contacts, fps: float) -> Array:
    """(2, T) ``needed``, rising and falling smoothly, and nothing while the ball of the foot stands."""
    smooth = np.stack([envelope(needed[foot], _frames(FADE / 3, fps)) for foot in range(2)])
    away = np.stack([_distance(contacts.ball[foot]) for foot in range(2)])
    return np.where(contacts.ball, 0.0, np.maximum(smooth * soft_step(away, 0.0, FADE * fps / 2), needed))


def _levelled(
    turn: Array, ankle: Array, feet: Feet, contacts: Contacts, stance: Stance, ground: Ground, fps: float
) -> Array:
    """(2, T, 4) feet turned towards flat as far as heel or ball would be in the floor."""
    forward = stance.feet_forward[:, None]
    pointing = rotate(turn, forward)
    level = unit(pointing * (1.0, 0.0, 1.0))
    flat = compose(swing(pointing, level), turn)
    flat = compose(swing(rotate(flat, np.broadcast_to(Y, pointing.shape)), Y), flat)
    at_rest = rotate(inverse(feet.turn), feet.legs.sole)
    low, high = np.zeros(turn.shape[:2]), np.ones(turn.shape[:2])

    def depth(turn: Array) -> Array:
        posed = Feet(turn, feet.hip, ankle, ankle + rotate(turn, at_rest), feet.legs)
        deepest: Array = -posed.clearance(ground).min(axis=-1)
        return deepest

    least = np.maximum(depth(flat), 0.0) + TOLERANCE * stance.leg_length
    deep = depth(turn) > least
    if not deep.any():
        return turn
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        inside = depth(mixed(turn, flat, middle)) > least
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return mixed(turn, flat, _around(np.where(deep, high, 0.0), contacts, fps))


def _distance(flags: Flags) -> Array:
    """(T,) frames to the nearest True; many where there is none."""
    places = np.flatnonzero(flags)
    if not len(places):
        return np.full(len(flags), 1e6)
    frames = np.arange(len(flags))
    after = np.searchsorted(places, frames).clip(0, len(places) - 1)
    before = (after - 1).clip(0)
    nearest: Array = np.minimum(np.abs(places[after] - frames), np.abs(places[before] - frames)).astype(float)
    return nearest


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
    far = np.linalg.norm(legs.thigh, axis=-1) + np.linalg.norm(legs.shin, axis=-1)
    now = np.linalg.norm(legs.thigh + legs.shin, axis=-1)
    way = ankle - feet.hip
    distance = np.linalg.norm(way, axis=-1)
    kept = np.where(contacts.standing, np.maximum(now, STRETCH * far), now)
    way = way * (softened(distance, far, kept) / np.maximum(distance, 1e-12))[..., None]
    thigh, shin = reach(legs.thigh, legs.shin, leg_hinges(stance, pose), way)
    turns = dict(pose.turns)
    toes = _toes(feet, ankle, turn, stance, ground)
    for number, side in enumerate(SIDES):
        chain = stance.mapping.chain
        turns |= {bone: compose(thigh[number], turns[bone]) for bone in chain(f"{side}_thigh")}
        turns |= {bone: compose(shin[number], turns[bone]) for bone in chain(f"{side}_shin")}
        turns |= dict.fromkeys(chain(f"{side}_foot"), turn[number])
        turns |= dict.fromkeys(chain(f"{side}_toe"), toes[number])
    return Pose(turns, pose.path)


def _toes(feet: Feet, ankle: Array, turn: Array, stance: Stance, ground: Ground) -> Array:
    """(2, T, 4) toes that go with the foot, but lie flat while the ball of the foot stands and the heel is up."""
    forward = stance.feet_forward[:, None]
    sole = rotate(compose(turn, inverse(feet.turn)), feet.legs.sole)
    height = (ankle + sole)[..., 1] - ground.floor - ground.ball[:, None]
    near = 1.0 - soft_step(height, TOE_NEAR * stance.leg_length, TOE_FAR * stance.leg_length)
    lifted = np.arcsin(np.clip(-rotate(turn, forward)[..., 1], -1.0, 1.0))
    side = rotate(turn, unit(cross(Y, forward)))
    return compose(about(side, -np.clip(lifted, 0.0, TOE_BEND) * near), turn)


def _vector(q: Array) -> Array:
    """Rotation vectors (..., 3) of rotations (..., 4), at most half a turn long."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    result: Array = q[..., 1:] * np.where(sine < 1e-9, 2.0, angle / np.maximum(sine, 1e-9))
    return result


def _rotation(vector: Array) -> Array:
    """Rotations (..., 4) of rotation vectors (..., 3)."""
    return about(unit(vector), np.sqrt(dot(vector, vector)))
