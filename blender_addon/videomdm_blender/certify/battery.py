# SPDX-License-Identifier: GPL-3.0-or-later
"""The battery: eight motions of plain formulas, at 20 fps, whose foot contacts are known.

Together they show what retargeting gets wrong on one rig or another: planted feet, many turns about the
vertical, deep bends, arms overhead and behind, far reaches, flight, hands that hold on to something, and a body
that does not stand upright.
Every bone keeps its length, and a planted joint does not move at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from videomdm.motion import Motion

from ..retarget.frames import rotate
from ..retarget.rig import Array
from .figure import FPS, Script, X, Y, Z, act, turn
from .tracks import TOE_HEIGHT, Foot, Place, Step, foot, poses, ramp, standing, stepping, through

HIP_WIDTH = 0.1  # metres from the middle to each foot
TOES_OUT = np.radians(7.0)
TALL = 0.93  # height of the pelvis of one who stands with easy knees
SIGNS = (1.0, -1.0)


def walk() -> Motion:
    """Seven steps straight ahead at 1 m/s, arms swinging."""
    time = _time(4.4)
    step, length = 0.55, 0.55  # seconds, metres
    feet: list[Foot] = []
    for number, sign in enumerate(SIGNS):
        place = Place(sign * 0.08, 0.09, sign * TOES_OUT)
        steps: list[Step] = []
        for k in range(number, 7, 2):
            toe_off = 0.1 + step * k
            ahead = length * min(k + 0.5, 5.5)
            steps.append(
                Step(toe_off - 0.2, toe_off, toe_off + 0.42, Place(place.x, place.z + ahead, place.yaw))
            )
        feet.append(stepping(time, place, steps))
    # The body is always between its feet.
    z = np.mean([f.toe[:, 2] for f in feet], axis=0) - 0.09
    phase = np.pi * (time - 0.1) / step
    going = ramp(time, 0.0, 0.6) - ramp(time, 3.7, 4.3)
    y = 0.90 - 0.008 * going * np.cos(2 * phase)
    pelvis = np.stack([0.015 * going * np.sin(phase), y, _smooth(z)], axis=-1)
    script = Script(time, pelvis, turn(time, (Y, -5 * going * np.cos(phase))), (feet[0], feet[1]))
    script.bend = turn(time, (X, 2.0), (Y, 4 * going * np.cos(phase)))
    for number, sign in enumerate(SIGNS):
        swing = -sign * 0.5 * going * np.cos(phase)
        hand = np.stack([np.full(len(time), 0.08), -0.49 * np.cos(swing), 0.49 * np.sin(swing) + 0.03], -1)
        script.hands[number] = script.of_side(hand, number)
    return act(script, "walk", "a person walks forward")


def turn_in_place() -> Motion:
    """Two full turns to the left on the spot, in small steps."""
    time = _time(7.0)
    rate, every = 720.0 / 6.0, 60.0  # degrees a second; degrees from one step of a foot to its next
    yaw = np.radians(rate) * np.clip(time - 0.5, 0.0, 6.0)
    period = every / rate
    feet = []
    for number, sign in enumerate(SIGNS):

        def at(angle: float, sign: float = sign) -> Place:
            sine, cosine = np.sin(angle), np.cos(angle)
            x, z = sign * HIP_WIDTH, 0.09
            return Place(x * cosine + z * sine, z * cosine - x * sine, angle + sign * TOES_OUT)

        steps: list[Step] = []
        start = 0.5 + 0.5 * period * number
        while start < 6.6 and len(steps) < 13:
            landed = min(np.radians(rate) * (start + 0.22 + period / 2 - 0.5), 4 * np.pi)
            steps.append(Step(start - 0.05, start, start + 0.22, at(landed), roll=np.radians(12.0)))
            start += period
        feet.append(stepping(time, at(0.0), steps))
    pelvis = np.stack([0 * time, np.full(len(time), 0.91), 0 * time], axis=-1)
    script = Script(time, pelvis, turn(time, (Y, np.degrees(yaw))), (feet[0], feet[1]))
    script.knees = [_between(foot.forward, rotate(script.facing, Z)) for foot in feet]
    return act(script, "turn", "a person turns around twice on the spot")


def squat() -> Motion:
    """Down until the thighs are level and deeper, arms ahead, and up again."""
    time = _time(3.0)
    down = ramp(time, 0.3, 1.3) - ramp(time, 1.7, 2.7)
    feet = _stand(time, width=0.16, out=np.radians(25.0))
    pelvis = np.stack([0 * time, TALL - 0.02 - 0.47 * down, -0.14 * down], axis=-1)
    script = Script(time, pelvis, turn(time, (X, 28 * down)), feet)
    script.bend = turn(time, (X, 5 * down))
    script.neck = turn(time, (X, -25 * down))
    for number in range(2):
        hand = poses(down, [(0.0, (0.06, -0.505, 0.02)), (1.0, (0.02, 0.12, 0.49))])
        script.hands[number] = script.of_side(hand, number)
        script.elbows[number] = script.of_side((0.45, -1.0, -0.6), number)
    return act(script, "squat", "a person squats deeply and stands up")


def arms() -> Motion:
    """Both arms go all the way round: ahead, overhead, behind, down."""
    time = _time(3.6)
    angle = 2 * np.pi * ramp(time, 0.3, 3.3)
    script = Script(time, _still(time, TALL), turn(time, (Y, 0.0)), _stand(time))
    out = np.radians(12 + 18 * np.sin(angle / 2) ** 2 + 18 * np.maximum(-np.sin(angle), 0) ** 2)
    hand = np.stack([np.sin(out), -np.cos(out) * np.cos(angle), np.cos(out) * np.sin(angle)], axis=-1)
    for number in range(2):
        script.hands[number] = script.of_side(0.505 * hand, number)
        script.elbows[number] = script.of_side((0.2, -0.7, -0.65), number)
    return act(script, "arms", "a person swings both arms in a full circle")


def reach() -> Motion:
    """One hand high to the side, across the body, down to the floor ahead, and back."""
    time = _time(5.0)
    script = Script(time, _still(time, TALL), turn(time, (Y, 0.0)), _stand(time, width=0.13))
    bent = ramp(time, 2.2, 3.2) - ramp(time, 3.6, 4.6)
    script.pelvis = np.stack([0 * time, TALL - 0.14 * bent, -0.10 * bent], axis=-1)
    script.facing = turn(time, (X, 45 * bent))
    twist = poses(time, [(0.2, (0.0,)), (1.0, (10.0,)), (2.0, (-12.0,)), (2.8, (0.0,))])[:, 0]
    script.bend = turn(time, (Y, twist), (X, 15 * bent))
    script.neck = turn(time, (Y, twist), (X, -20 * bent))
    left = [(0.1, (0.06, -0.505, 0.02)), (0.6, (0.38, -0.1, 0.2)), (1.1, (0.33, 0.39, 0.04)),
            (2.0, (-0.26, 0.10, 0.38)),
            (3.2, (-0.05, 0.05, 0.51)), (3.7, (-0.05, 0.05, 0.51)), (4.7, (0.06, -0.505, 0.02))]  # fmt: skip
    right = [(0.2, (0.06, -0.505, 0.02)), (1.0, (0.18, -0.47, -0.05)), (2.0, (0.42, -0.25, 0.12)),
             (3.2, (-0.05, 0.05, 0.51)), (3.7, (-0.05, 0.05, 0.51)), (4.7, (0.06, -0.505, 0.02))]  # fmt: skip
    for number, keys in enumerate((left, right)):
        script.hands[number] = script.of_side(poses(time, keys), number)
        script.elbows[number] = script.of_side((0.5, -0.7, -0.5), number)
    return act(script, "reach", "a person reaches up, across and to the floor")


def jump() -> Motion:
    """A standing jump, 0.2 m high, arms thrown up."""
    time = _time(2.6)
    off, land, tip = 0.9, 1.3, 0.955  # seconds; height of the pelvis when the toes leave
    fall = 9.81 * (land - off) / 2
    keys = [(0.2, TALL, 0.0), (0.6, 0.68, 0.0), (off, tip, fall)]
    after = [(land, tip, -fall), (1.62, 0.70, 0.0), (2.3, TALL, 0.0)]
    air = time - off
    flying = (time > off) & (time < land)
    y = np.where(time <= off, through(time, keys), through(time, after))
    y = np.where(flying, tip + fall * air - 9.81 / 2 * air**2, y)
    back = through(time, [(0.2, 0.0, 0.0), (0.6, -0.12, 0.0), (off, 0.03, 0.0)]) + through(
        time, [(land, 0.0, 0.0), (1.62, -0.13, 0.0), (2.3, -0.03, 0.0)]
    )
    heel = np.radians(45.0) * ramp(time, 0.72, off) - np.radians(25.0) * ramp(time, off, land)
    heel = heel - np.radians(20.0) * ramp(time, land, land + 0.1)
    tuck = np.where(flying, 0.08 * np.sin(np.pi * np.clip(air / (land - off), 0, 1)) ** 2, 0.0)
    rise = np.where(flying, y - tip, 0.0) + tuck
    feet = []
    for sign in SIGNS:
        toe = np.stack(
            [np.full(len(time), sign * HIP_WIDTH), TOE_HEIGHT + rise, np.full(len(time), 0.09)], -1
        )
        flat = (time <= 0.72) | (time >= land + 0.1)
        planted = np.stack([flat, ~flying], axis=-1)
        feet.append(foot(toe, np.full(len(time), sign * TOES_OUT), heel, planted))
    crouch = np.clip((TALL - y) / 0.25, 0.0, 1.0)
    script = Script(
        time, np.stack([0 * time, y, back], axis=-1), turn(time, (X, 25 * crouch)), (feet[0], feet[1])
    )
    script.bend = turn(time, (X, 4 * crouch))
    thrown = poses(
        time,
        [(0.1, (0.06, -0.505, 0.02)), (0.5, (0.1, -0.43, -0.2)), (0.8, (0.15, -0.28, 0.39)),
         (1.05, (0.12, 0.36, 0.33)),
         (1.3, (0.22, 0.05, 0.42)), (2.3, (0.06, -0.505, 0.02))],
    )  # fmt: skip
    for number in range(2):
        script.hands[number] = script.of_side(thrown, number)
        script.elbows[number] = script.of_side((0.8, -0.2, -0.7), number)
    return act(script, "jump", "a person jumps up")


def roll() -> Motion:
    """On the back on the floor, once round about the body's length to the left, arms over the head."""
    time = _time(4.0)
    angle = 2 * np.pi * ramp(time, 0.4, 3.6)
    facing = turn(time, (X, -90.0), (Y, np.degrees(angle)))
    height = 0.19 + 0.10 * np.sin(angle) ** 2
    pelvis = np.stack([0.16 * angle, height, 0 * time], axis=-1)
    feet = []
    for sign in SIGNS:
        ankle = pelvis + rotate(facing, np.array([sign * 0.10, -0.895, 0.0]))
        toe_forward = np.array([sign * 0.1, -0.66, 0.74])
        toe = ankle + 0.1464 * rotate(facing, toe_forward / np.linalg.norm(toe_forward))
        feet.append(Foot(ankle, toe, rotate(facing, Z), np.zeros((len(time), 2), bool)))
    script = Script(time, pelvis, facing, (feet[0], feet[1]))
    for number in range(2):
        script.hands[number] = script.of_side((0.02, 0.51, 0.06), number)
        script.elbows[number] = script.of_side((1.0, 0.0, 0.5), number)
    return act(script, "roll", "a person rolls over on the floor")


def hold() -> Motion:
    """Both hands ahead on a rail while the body sways, turns and sinks; for ``GRIPS``."""
    time = _time(4.6)
    going = ramp(time, 0.9, 1.5) - ramp(time, 3.4, 4.0)
    phase = 2 * np.pi * (time - 0.9) / 1.6
    sway, sink = going * np.sin(phase), going * (1 - np.cos(2 * phase)) / 2
    pelvis = np.stack([0.04 * sway, TALL - 0.02 - 0.05 * sink, -0.02 * sink], axis=-1)
    script = Script(time, pelvis, turn(time, (Y, 6 * sway), (X, 6 * sink)), _stand(time, width=0.13))
    script.bend = turn(time, (Y, 2 * sway))
    for number in range(2):
        hand = poses(
            time, [(0.1, (0.06, -0.505, 0.02)), (0.8, (0.06, -0.2, 0.36)), (3.8, (0.06, -0.2, 0.36)),
                   (4.5, (0.06, -0.505, 0.02))]
        )  # fmt: skip
        script.hands[number] = script.of_side(hand, number)
        script.elbows[number] = script.of_side((0.5, -0.8, -0.6), number)
    return act(script, "hold", "a person holds on to a rail")


@dataclass(frozen=True)
class Grip:
    """A hand that holds on to something from ``start`` to ``end``, seconds.

    offset: (x, y, z) from where the motion has it at the start, metres of the motion; None: it is kept there.
    """

    side: Literal["left", "right"]
    start: float
    end: float
    offset: tuple[float, float, float] | None = None


GRIPS = {"hold": (Grip("left", 1.2, 3.6), Grip("right", 1.4, 3.4, offset=(0.02, 0.03, -0.02)))}
BATTERY: dict[str, Callable[[], Motion]] = {
    "walk": walk,
    "turn": turn_in_place,
    "squat": squat,
    "arms": arms,
    "reach": reach,
    "jump": jump,
    "hold": hold,
    "roll": roll,
}


def _time(seconds: float) -> Array:
    return np.arange(round(seconds * FPS)) / FPS


def _still(time: Array, height: float) -> Array:
    return np.broadcast_to(np.array([0.0, height, 0.0]), (len(time), 3))


def _stand(time: Array, width: float = HIP_WIDTH, out: float = TOES_OUT) -> tuple[Foot, Foot]:
    left, right = (standing(time, Place(sign * width, 0.09, sign * out)) for sign in SIGNS)
    return left, right


def _between(a: Array, b: Array) -> Array:
    """(T, 3) a direction half way."""
    return (a + b) / 2


def _smooth(values: Array) -> Array:
    """(T,) without the bumps of single steps, the ends held."""
    kernel = np.hanning(13)
    padded = np.pad(values, 6, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
