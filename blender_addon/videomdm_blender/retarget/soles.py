# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of feet and toes that stand: flat and in one direction while both ends stand, level out of the floor."""

from __future__ import annotations

import numpy as np

from .contacts import Contacts, runs
from .fading import FADE, distance, faded, raised
from .frames import Y, about, compose, cross, dot, frame, inverse, mixed, rotate, soft_step, swing, unit
from .pose import Feet, Ground
from .rig import Array, Flags
from .smoothing import fit
from .stance import Stance
from .toes import bent_toes

TOLERANCE = 0.0005  # of the leg's length: a foot this deep in the floor is on it
STEADY = 2.0  # seconds for which a flat foot points one way; if it stands longer it may turn, more slowly
HALVINGS = 6  # of the range in which the least correction is searched


def standing_turn(feet: Feet, contacts: Contacts, stance: Stance, fps: float) -> Array:
    """(2, T, 4) feet of which those that stand flat lie flat, and each time that one stands it points one way."""
    at_rest = stance.feet_forward[:, None]
    forward = rotate(feet.turn, at_rest)
    flat = contacts.heel & contacts.ball & contacts.floor
    level = forward.copy()
    for foot in range(2):
        for start, end in runs(flat[foot]):
            there = forward[foot, start:end].T
            if end - start > STEADY * fps:
                there = fit(there[None], np.ones((1, *there.shape)), (STEADY * fps) ** 2)
            else:
                there = there.mean(axis=1, keepdims=True)
            level[foot, start:end] = there.T
    flat |= contacts.ball & contacts.floor & (forward[..., 1] > 0)  # else the heel would be in the floor
    level = np.where(flat[..., None], level, at_rest) * (1.0, 0.0, 1.0)
    planted = compose(frame(level, cross(Y, level)), inverse(frame(at_rest, cross(Y, at_rest))))
    change = _vector(compose(planted, inverse(feet.turn)))
    return compose(_rotation(faded(change, flat, fps)), feet.turn)


def pitched(turn: Array, pitch: Array, contacts: Contacts, stance: Stance, fps: float) -> Array:
    """(2, T, 4) feet whose heels are raised by ``pitch`` (2, T) radians while they stand."""
    side = unit(cross(Y, rotate(turn, stance.feet_forward[:, None])))
    return compose(about(side, faded(pitch[..., None], contacts.standing, fps)[..., 0]), turn)


def levelled(
    turn: Array, ankle: Array, feet: Feet, contacts: Contacts, stance: Stance, ground: Ground, fps: float
) -> Array:
    """(2, T, 4) feet turned towards flat as far as heel or ball would be in the floor."""
    sole = rotate(inverse(feet.turn), feet.legs.sole)
    heel = np.broadcast_to(ground.heel[:, None], sole.shape)
    ball = np.broadcast_to(ground.ball[:, None], sole.shape[:2])
    height = ankle[..., 1] - ground.floor
    forward = np.broadcast_to(stance.feet_forward[:, None], sole.shape)

    def depth(turn: Array, where: Flags) -> Array:
        """(K,) how deep heels or balls of the K feet in ``where`` are in the floor, turned as ``turn`` (K, 4)."""
        lowest = np.minimum(
            rotate(turn, heel[where])[..., 1], rotate(turn, sole[where])[..., 1] - ball[where]
        )
        deepest: Array = -(height[where] + lowest)
        return deepest

    tolerance = TOLERANCE * stance.leg_length
    everywhere = np.ones(turn.shape[:2], bool)
    deep = (depth(turn[everywhere], everywhere) > tolerance).reshape(everywhere.shape)
    if not deep.any():
        return turn
    start, end = turn[deep], _flat(turn[deep], forward[deep])
    least = np.maximum(depth(end, deep), 0.0) + tolerance
    low, high = np.zeros(len(start)), (depth(start, deep) > least).astype(float)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        inside = depth(mixed(start, end, middle), deep) > least
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    share = np.zeros(turn.shape[:2])
    share[deep] = high
    share = around(share, contacts, fps)
    some = share > 0.0
    result = turn.copy()
    result[some] = mixed(turn[some], _flat(turn[some], forward[some]), share[some])
    return result


def _flat(turn: Array, forward: Array) -> Array:
    """(K, 4) the feet ``turn`` (K, 4) turned the shortest way to lie flat; ``forward`` (K, 3) is level at rest."""
    pointing = rotate(turn, forward)
    flat = compose(swing(pointing, unit(pointing * (1.0, 0.0, 1.0))), turn)
    return compose(swing(rotate(flat, np.broadcast_to(Y, pointing.shape)), Y), flat)


def around(needed: Array, contacts: Contacts, fps: float) -> Array:
    """(2, T) ``needed``, rising and falling smoothly, and nothing while the ball of the foot stands."""
    fade = soft_step(distance(contacts.ball), 0.0, FADE * fps / 2)
    return np.where(contacts.ball, 0.0, np.maximum(raised(needed, FADE / 3, fps) * fade, needed))


def rolled_toes(feet: Feet, ankle: Array, turn: Array, stance: Stance, ground: Ground) -> Array:
    """(2, T, 4) toes that go with the foot, but stay out of the floor while the heel is up."""
    forward = stance.feet_forward[:, None]
    sole = rotate(compose(turn, inverse(feet.turn)), feet.legs.sole)
    height = (ankle + sole)[..., 1] - ground.floor - ground.ball[:, None]
    lifted = np.arcsin(np.clip(-rotate(turn, forward)[..., 1], -1.0, 1.0))
    side = rotate(turn, unit(cross(Y, forward)))
    return compose(about(side, -bent_toes(lifted, height, stance.toe_tips, stance.leg_length)), turn)


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
