# SPDX-License-Identifier: GPL-3.0-or-later
"""Where body and feet go so that standing feet stay in place and legs turn as little as possible for it.

While one foot stands, moving the whole body against its slide turns no limb at all.  Where two feet stand they may
disagree, and the body can neither jerk nor leave its way: then the least that legs must turn is a least squares
problem over the whole clip.  Unknown are the way of the body and the place of every stand; known is how far thigh
and shin turn when an ankle is moved, little across the leg and much along a leg that is nearly straight.  A foot
whose heel is up may besides be pitched otherwise, or leave the floor a little early, which turns no limb.  Stands
that turn legs too far all the same take a few quick steps.  The problem is solved several times around what was
found, the worst angles weighing more each time.

Lengths in here are metres of the motion, angles of legs degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .banded import Banded, difference_bands
from .contacts import Contacts
from .frames import Y, about, cross, dot, inverse, norm, rotate, soft_step, unit
from .pose import Feet, Ground
from .rig import Array, Flags
from .stance import Stance
from .toes import rolled

ROUNDS = 4
MUCH, MANY = (
    1.8,
    0.01,
)  # degrees of a leg, and frames with more of them, from which on the body goes another way
JERK = 3e-4  # what a metre a second cubed of the body's shift costs, against a degree of a leg, both squared
SWAY, FAR = 400.0, 0.04  # the same of a metre off the motion's way, and from how many metres on it costs more
SINK = 20.0  # the same of a metre in height
WORST, CAP = 1.2, 50.0  # degrees from which on an angle weighs more, and how much more at most
PITCH, PITCHED = (
    6.0,
    np.radians(20.0),
)  # degrees of a foot that are worth one of a leg, and the most (radians)
GAP, FLOATING = 0.004, 0.06  # metres above the floor that are worth a degree of a leg, and the most
RAISED = np.radians(15.0)  # a heel that is up as far as this lets its foot be pitched and leave the floor
SMALL = 0.003  # metres: shorter changes of a leg's length are weighed like this one
HELD = 5e7  # how stiffly the place of a stand is one place
LOOSE = 1e-6  # of that: how it is held where body and motion have it, lest a place that nothing holds be undefined
STEPS = 6  # rounds in which stands that turn legs too far find other places
COARSE, FINE = 0.2, 0.04  # metres a second at which such stands creep, in the first of them and the last
PRICE = 2.0  # of a step of such a stand, against degrees of a leg squared in a second; more, the longer it is
OWN = 0.25  # metres a second by which the motion's own foot is faster than on average where steps cost half
FASTEST = 1.2  # metres a second of a step
FLOAT = 0.0008  # metres above the floor that are worth a degree where a stand turns legs too far
LEAST = 1e-6  # of a tolerance


@dataclass(frozen=True)
class Footing:
    """What makes standing feet stand.

    shift:  (T, 3) moves the body, in the rig's unit.
    pitch:  (2, T) radians by which heels of feet on their balls are raised further.
    ankle:  (2, T, 3) where ankles of standing feet belong, in the rig's unit.
    moved:  (2, T - 1, 2) by how much the places of stands move from frame to frame, in the rig's unit.
    """

    shift: Array
    pitch: Array
    ankle: Array
    moved: Array


def find_footing(
    feet: Feet,
    turn: Array,
    contacts: Contacts,
    stance: Stance,
    ground: Ground,
    own: Sequence[Array],
    upright: Array,
    fps: float,
    smoother: float = 1.0,
    limit: float = np.inf,
    steps: bool = True,
) -> Footing:
    """The footing of feet that turn as ``turn`` (2, T, 4).

    own:      (T, 3) each: ways by which the body can go otherwise because the motion's own feet slide; the next one
              is taken where legs would turn too far.
    upright:  (T,) 1 where the body stands, 0 where it lies.
    smoother: how much more than usual jerks of the body count.
    limit:    degrees by which legs may turn: stands that need more step elsewhere, creep and float a little, if
              ``steps``.
    """
    search = _Search(
        feet, turn, contacts, stance, ground, own[0] / ground.scale, upright, 1.0 / fps, JERK * smoother
    )
    search.again(np.ones_like(search.pitch), known=False)
    rounds = ROUNDS - 1
    for other in own[1:]:
        search.again(search.convex())
        rounds -= 1
        if search.too_far(MUCH).mean() > MANY:
            search.own = other / ground.scale
    for _ in range(rounds):
        search.again(search.convex())
    if steps and search.gentle(limit):
        for slow in np.geomspace(COARSE, FINE, STEPS):
            search.step(slow)
            search.again(search.convex())
    return search.footing()


class _Search:
    """The state of the iteration; see the module."""

    def __init__(
        self,
        feet: Feet,
        turn: Array,
        contacts: Contacts,
        stance: Stance,
        ground: Ground,
        own: Array,
        upright: Array,
        second: float,
        jerk: float,
    ) -> None:
        metre = 1.0 / ground.scale
        self.metre, self.second, self.own = metre, second, own
        self.contacts, self.ground = contacts, ground
        self.standing = contacts.standing
        self.legs = _Legs(feet, metre)
        self.sole = rotate(turn, rotate(inverse(feet.turn), feet.legs.sole)) * metre
        self.side = unit(cross(Y, rotate(turn, stance.feet_forward[:, None])))
        self.raised = _raised(turn, ground)
        self.rolls = contacts.ball & ~contacts.heel
        free = soft_step(self.raised, 0.0, RAISED) * self.rolls
        self.tolerance, self.gap = PITCH * free, GAP * free
        same = self.standing[:, 1:] & self.standing[:, :-1]
        self.held, self.loose = np.where(same, HELD, 0.0), np.zeros_like(self.standing)
        self.hurry = _hurry(contacts)
        self.jerk = jerk
        frames = len(own)
        self.shift = np.zeros((frames, 3))
        self.pitch, self.floating = np.zeros((2, 2, frames))
        self.weight = np.ones((2, frames))
        self._put()
        self.place = self.point[..., [0, 2]]
        self.floor = self._floor()
        self.ahead = cross(self.side, Y)
        self.tip = stance.toe_tips[:, None] * metre
        self.rolled = np.zeros_like(self.point)
        self.low = (ground.floor + ground.ankle[:, None]) * metre - self.legs.ankle[..., 1]
        self.lifted = upright * ~self.standing / self.legs.upward()
        self.equations, self.diagonal = self._fixed()

    def _put(self) -> None:
        """Feet as they are pitched: from the ankle to the point that stands, and where that is in the motion."""
        sole = rotate(about(self.side, self.pitch), self.sole)
        contacts = self.contacts
        self.pitched = sole
        self.offset = sole
        if contacts.count:
            # A heel that stands alone stands where it does later, when the foot is flat.
            flats, number = contacts.means(sole, contacts.heel & contacts.ball)
            heel = np.where(number[:, None] > 0, flats, 0.0)[contacts.stands]
            self.offset = np.where(contacts.ball[..., None], sole, heel)
        self.point = self.legs.ankle + self.offset

    def _floor(self) -> Array:
        """(2, T) how high the points stand: on the floor, or as high as they are in the motion."""
        contacts, ground = self.contacts, self.ground
        height = np.where(
            contacts.ball,
            ground.ball[:, None] * self.metre,
            ground.ankle[:, None] * self.metre + self.offset[..., 1],
        )
        height = height + ground.floor * self.metre
        if not contacts.count:
            return height
        stands = contacts.stands
        values = np.stack([contacts.floor.astype(float), self.point[..., 1]], axis=-1)
        means = contacts.means(values, self.standing)[0][stands]
        return np.where(means[..., 0] > 0.5, height, means[..., 1])

    def _fixed(self) -> tuple[Banded, Array]:
        """What does not change from round to round: the body is smooth, and places of stands are places."""
        frames, jerk = len(self.own), self.jerk
        bands = [np.zeros((max(frames - k, 0), 7)) for k in (1, 2, 3)]
        diagonal = np.zeros((frames, 7, 7))
        third = difference_bands(frames, 3)
        for axis in range(3):
            diagonal[:, axis, axis] += jerk * self.second**-5 * third[0]
            for k in (1, 2, 3):
                bands[k - 1][:, axis] += jerk * self.second**-5 * third[k]
        diagonal[:, 1, 1] += SINK * self.second
        for foot in range(2):
            held = self.held[foot] * self.second
            for i in (3 + 2 * foot, 4 + 2 * foot):
                diagonal[:-1, i, i] += held
                diagonal[1:, i, i] += held
                bands[0][:, i] -= held
                diagonal[:, i, i] += np.where(self.standing[foot], LOOSE * HELD * self.second, 1.0)
        return Banded(bands), diagonal

    def error(self) -> Array:
        """(2, T, 3) by how much ankles must be moved."""
        target = np.stack([self.place[..., 0], self.floor + self.floating, self.place[..., 1]], axis=-1)
        return target + self.rolled - self.point - self.shift

    def error_angle(self) -> Array:
        """(2, T) degrees by which legs must turn for it."""
        return self.legs.angle(self.error())

    def convex(self) -> Array:
        """(2, T) weights that make the worst angles smaller."""
        weight = 1.0 + np.minimum((self.error_angle() / WORST) ** 2, CAP)
        self.weight = np.sqrt(weight * self.weight)  # half way, else it swings
        return self.weight

    def too_far(self, limit: float) -> Flags:
        """(2, T) where standing feet turn legs by more than ``limit`` degrees."""
        return self.standing & (self.error_angle() > limit)

    def gentle(self, limit: float) -> bool:
        """Whether stands turn legs by more than ``limit`` degrees in many frames; these become loose."""
        far = self.too_far(limit)
        if far.mean() <= MANY:
            return False
        stands = self.contacts.stands
        self.loose = np.isin(stands, stands[far])
        self.gap = np.where(self.loose, np.maximum(self.gap, FLOAT), self.gap)
        return True

    def step(self, slow: float) -> None:
        """Loose stands may go elsewhere at once, where that saves legs more than it costs.

        A step costs hardly more the longer it is, so there are few; most of them are where the motion's own feet
        move, which makes them cheaper.  What is below ``slow`` (metres a second) is no step but creeping.
        """
        loose = self.loose[:, 1:] & (self.held > 0.0)
        way = norm(np.diff(self.place, axis=1))
        price = PRICE / (1.0 + self.hurry / (OWN * self.second))
        stiff = price / (((slow * self.second) ** 2 + way**2) * self.second)
        self.held = np.where(loose, stiff, self.held)
        self.equations, self.diagonal = self._fixed()

    def again(self, rho: Array, known: bool = True) -> None:
        """One round: the problem around what was found so far, each frame weighed by ``rho`` (2, T)."""
        error = self.error() if known else np.zeros_like(self.point)
        metric, missing = self.legs.metric(error)
        # How far a foot rises for a degree, and what the pitch of a foot moves: both are taken out of the metric.
        rising = metric[..., 1]
        rise_given = rising[..., 1] + _stiffness(self.gap) / rho**2
        metric = metric - rising[..., :, None] * rising[..., None, :] / rise_given[..., None, None]
        lever = np.radians(1.0) * cross(self.side, -self.pitched)
        pitching = (metric @ lever[..., None])[..., 0]
        pitch_given = dot(lever, pitching) + _stiffness(self.tolerance) / rho
        weight = metric - pitching[..., :, None] * pitching[..., None, :] / pitch_given[..., None, None]
        weight = (rho * self.standing * self.second)[..., None, None] * weight
        flat = np.zeros_like(self.floor)
        base = np.stack([flat, self.floor, flat], axis=-1) + self.rolled - self.point + missing
        base = base - lever * np.degrees(self.pitch)[..., None]  # both are counted from none
        found = self.equations.solve(*self._weighed(weight, base))
        self.shift, self.place = found[:, :3], np.stack([found[:, 3:5], found[:, 5:]])
        left = base + np.stack([self.place[..., 0], flat, self.place[..., 1]], axis=-1) - self.shift
        pitch = -dot(pitching, left) / pitch_given
        self.pitch = np.where(self.rolls, np.clip(np.radians(pitch), -self.raised, PITCHED), 0.0)
        left = left + lever * np.degrees(self.pitch)[..., None]
        self.floating = np.clip(-dot(rising, left) / rise_given, 0.0, FLOATING) * self.standing
        self.rolled = (rolled(self.floating, self.tip) * self.rolls)[..., None] * self.ahead
        self._put()

    def _weighed(self, weight: Array, base: Array) -> tuple[Array, Array]:
        """Diagonal (T, 7, 7) and right side (T, 7) of the equations."""
        diagonal, right = self.diagonal.copy(), np.zeros((len(self.own), 7))
        pulled = (weight @ base[..., None])[..., 0]
        diagonal[:, :3, :3] += weight.sum(axis=0)
        right[:, :3] += pulled.sum(axis=0)
        for foot in range(2):
            at = slice(3 + 2 * foot, 5 + 2 * foot)
            diagonal[:, :3, at] -= weight[foot][:, :, ::2]
            diagonal[:, at, :3] -= weight[foot][:, ::2]
            diagonal[:, at, at] += weight[foot][:, ::2, ::2]
            anchor = np.where(self.standing[foot], LOOSE * HELD * self.second, 1.0)
            right[:, at] += anchor[:, None] * (self.point[foot] + self.own)[:, ::2] - pulled[foot][:, ::2]
        away = norm((self.shift - self.own)[:, ::2])
        sway = SWAY * self.second * (1.0 + np.minimum((away / FAR) ** 4, CAP))
        diagonal[:, 0, 0] += sway
        diagonal[:, 2, 2] += sway
        right[:, :3:2] += sway[:, None] * self.own[:, ::2]
        # Feet in the air that would be in the floor are lifted by body and leg together.
        deep = np.maximum(self.low - self.shift[:, 1], 0.0)
        lifted = np.where(deep > 0.0, self.lifted * self.lifted, 0.0)
        lifted *= self.second * (1.0 + np.minimum((deep * self.lifted / WORST) ** 2, CAP))
        diagonal[:, 1, 1] += lifted.sum(axis=0)
        right[:, 1] += (lifted * self.low).sum(axis=0)
        return diagonal, right

    def footing(self) -> Footing:
        """What was found."""
        if self.contacts.count:
            means, _ = self.contacts.means(self.place, self.standing)
            self.place = np.where(self.loose[..., None], self.place, means[self.contacts.stands])
            self._paced()
        error = np.where(self.standing[..., None], self.error(), 0.0)
        return Footing(
            shift=self.shift / self.metre,
            pitch=self.pitch,
            ankle=(self.legs.ankle + self.shift + error) / self.metre,
            moved=np.where((self.held > 0.0)[..., None], np.diff(self.place, axis=1), 0.0) / self.metre,
        )

    def _paced(self) -> None:
        """Steps that would be faster than feet go take a little longer."""
        for foot, t in np.argwhere((self._speed() > FASTEST) & (self.held > 0.0)):
            count = int(
                np.ceil(norm(self.place[foot, t + 1] - self.place[foot, t]) / (FASTEST * self.second))
            )
            start, end = t - (count - 1) // 2, t + 1 + count // 2
            if (self.held[foot, max(start, 0) : end] > 0.0).all() and end < len(self.shift):
                share = np.linspace(0.0, 1.0, count + 1)[:, None]
                self.place[foot, start : end + 1] = (1.0 - share) * self.place[
                    foot, start
                ] + share * self.place[foot, end]

    def _speed(self) -> Array:
        """(2, T - 1) metres a second at which places move."""
        return norm(np.diff(self.place, axis=1)) / self.second


class _Legs:
    """How far legs turn when ankles are moved."""

    def __init__(self, feet: Feet, metre: float) -> None:
        self.thigh, self.shin = (norm(bone) * metre for bone in (feet.legs.thigh, feet.legs.shin))
        self.ankle = feet.ankle * metre
        self.way = (feet.legs.thigh + feet.legs.shin) * metre
        self.length = norm(self.way)
        self.straight = 0.9999 * (self.thigh + self.shin)
        self.bent = self._bend(self.length)
        self.across = np.degrees(1.0 / self.length)

    def _bend(self, length: Array) -> Array:
        """(2, T) degrees by which knees of legs of that ``length`` are bent."""
        cosine = (length**2 - self.thigh**2 - self.shin**2) / (2.0 * self.thigh * self.shin)
        bend: Array = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        return bend

    def _along(self, error: Array) -> tuple[Array, Array, Array]:
        """Where legs point (2, T, 3), how much longer they are, and the degrees that a metre of it costs."""
        way = self.way + error
        far = norm(way)
        step = np.maximum(np.abs(far - self.length), SMALL)
        out = self._bend(np.minimum(self.length + step, self.straight))
        in_ = self._bend(self.length - step)
        slope = np.maximum(np.abs(out - self.bent), np.abs(in_ - self.bent)) / step
        return way / far[..., None], far - self.length, slope / 2.0  # thigh and shin share the bend

    def metric(self, error: Array) -> tuple[Array, Array]:
        """(2, T, 3, 3) squared degrees for squared metres, around ankles moved by ``error`` (2, T, 3).

        And (2, T, 3) what a leg is longer than the product of error and direction says.
        """
        along, longer, slope = self._along(error)
        square = (slope**2 - self.across**2)[..., None, None] * (along[..., :, None] * along[..., None, :])
        square[..., [0, 1, 2], [0, 1, 2]] += (self.across**2)[..., None]
        return square, (longer - dot(error, along))[..., None] * along

    def angle(self, error: Array) -> Array:
        """(2, T) degrees by which legs turn for ankles that are moved by ``error`` (2, T, 3)."""
        along, longer, slope = self._along(error)
        swung = error - dot(error, along)[..., None] * along
        angle: Array = np.hypot(self.across * norm(swung), slope * longer)
        return angle

    def upward(self) -> Array:
        """(2, T) metres by which an ankle rises for a degree."""
        along, _, slope = self._along(np.zeros_like(self.way))
        up = along[..., 1] ** 2
        rises: Array = np.sqrt((1.0 - up) / self.across**2 + up / slope**2)
        return rises


def _raised(turn: Array, ground: Ground) -> Array:
    """(2, T) radians by which heels are up."""
    back = unit(ground.heel * (1.0, 0.0, 1.0))[:, None]
    angle: Array = np.arcsin(np.clip(rotate(turn, back)[..., 1], -1.0, 1.0))
    return np.maximum(angle, 0.0)


def _hurry(contacts: Contacts) -> Array:
    """(2, T - 1) metres by which the motion's own standing feet move more from frame to frame than on average."""
    if not contacts.count:
        return np.zeros(contacts.moved.shape[:2])
    own = norm(contacts.moved)[..., None]
    along = contacts.standing & np.concatenate([contacts.standing[:, 1:], np.zeros((2, 1), bool)], axis=1)
    mean, _ = contacts.means(np.concatenate([own, own[:, -1:]], axis=1), along)
    hurry: Array = np.maximum(own - mean[contacts.stands[:, :-1]], 0.0)[..., 0]
    return hurry


def _stiffness(tolerance: Array) -> Array:
    """Cost of what is worth a degree at ``tolerance``."""
    stiffness: Array = 1.0 / np.maximum(tolerance, LEAST) ** 2
    return stiffness
