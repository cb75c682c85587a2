# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides whether a take is better with its feet planted than without; a bad foot fix is worse than none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import numpy as np

from .contacts import Contacts
from .measures import HEIGHT, Measures, body_height, direction_errors, measure, quantile, slide
from .planting import plant
from .pose import Feet, Ground, Pose
from .stance import Stance

MEDIAN, P99 = 0.5, 2.0  # degrees that limbs may point away from where the motion's do
TURN = 1.9  # degrees by which legs may turn to keep feet in place where the take decides
SLIDE = 2.0  # millimetres a frame that feet which are kept in place may slide
QUIET = 5.0  # metres per second cubed that nobody sees: joints that tremble by 0.1 mm at 20 fps
# Feet that stand and step begin and stop, which gliding ones do not: a motion that is smoother than captured ones of
# calm people (80 to 160 metres per second cubed) may become a little less smooth, as certificates allow.
CALM, LESS_SMOOTH = 100.0, 1.3
JERKY, FLOATING = "the motion would be less smooth", "feet would float as before"
SLIDING = "feet would slide as before"
LIFT = 0.85  # of the depth in the floor by which the body is raised


class HowToPlant(TypedDict, total=False):
    """Arguments of ``plant``."""

    smoother: float
    lift: float
    steps: bool


# Where the take is no better by these, body and steps are made smoother, the body is raised less, or feet that
# cannot be kept in place take no steps but slide.
AGAIN: dict[str, HowToPlant] = {JERKY: {"smoother": 4.0}, FLOATING: {"lift": 0.4}, SLIDING: {"steps": False}}
TRIES = 2
TELLING = 0.1  # metres of travel, lost or won, that the user should know of
WORTH = 0.5  # millimetres of slide, gap or depth below which there is nothing to clean up


@dataclass(frozen=True)
class ContactReport:
    """What became of the clean-up of contacts.

    kept:      whether the take has it.
    reason:    why not, or an empty text.
    before, after: the take without and with it.
    direction: degrees by which it turns limbs: the median of all arms and legs, and the 99th percentile.
    stands:    how many times feet stand, and are kept in place.
    travel:    metres from the first to the last place of the body, without and with it: where the motion's own
               feet slide, the body goes as far as its steps do.
    """

    kept: bool
    reason: str = ""
    before: Measures | None = None
    after: Measures | None = None
    direction: tuple[float, float] = (0.0, 0.0)
    stands: int = 0
    travel: tuple[float, float] = (0.0, 0.0)

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"Contacts were not cleaned up: {self.reason}."
        figures = (
            f"slide of standing feet {self.before.slide:.1f} to {self.after.slide:.1f} mm a frame, "
            f"depth in the floor {self.before.penetration:.1f} to {self.after.penetration:.1f} mm"
        )
        if self.kept:
            if abs(self.travel[1] - self.travel[0]) > TELLING:
                figures += f", way of the body {self.travel[0]:.1f} to {self.travel[1]:.1f} m"
            return f"Contacts were cleaned up: {figures}."
        return f"Contacts were not cleaned up, because {self.reason} ({figures})."


def clean_up(
    pose: Pose,
    contacts: Contacts,
    stance: Stance,
    ground: Ground,
    fps: float,
    *,
    always: bool,
) -> tuple[Pose, ContactReport]:
    """``pose`` with its feet planted, if ``always`` or if that is better by every measure, and an account of it."""
    if len(pose.path) < 4:
        return pose, ContactReport(False, "the clip is too short")
    feet = Feet.of(stance, pose)
    before = measure(feet, pose.path, contacts, stance, ground, fps)
    if not always and max(before.slide, before.gap, before.penetration) < WORTH:
        return pose, ContactReport(False, "there is nothing to clean up")
    planted = partial(_planted, pose, feet, before, contacts, stance, ground, fps, always)
    how: HowToPlant = {"lift": LIFT}
    found, report = planted(how)
    for _ in range(TRIES):
        again: HowToPlant = {**how, **AGAIN.get(report.reason, {})}
        if again == how:
            break
        how = again
        found, report = planted(how)
    return (found if report.kept else pose), report


def _planted(
    pose: Pose,
    feet: Feet,
    before: Measures,
    contacts: Contacts,
    stance: Stance,
    ground: Ground,
    fps: float,
    always: bool,
    how: HowToPlant,
) -> tuple[Pose, ContactReport]:
    """``pose`` with its feet planted, and what speaks against it."""
    planted, kept = plant(pose, feet, contacts, stance, ground, fps, np.inf if always else TURN, **how)
    planted_feet = Feet.of(stance, planted)
    after = measure(planted_feet, planted.path, contacts, stance, ground, fps)
    legs = direction_errors(feet, planted_feet).ravel()
    limbs = np.concatenate([legs, np.zeros_like(legs)])  # the arms, which stay as they are
    direction = quantile(limbs, 0.5), quantile(limbs, 0.99)
    reason = ""
    if not always:
        left = slide(planted_feet, kept) * HEIGHT / body_height(stance, ground)
        reason = _objection(before, after, direction, left if kept.count else np.inf)
    ways = [(path[-1] - path[0]) * (1.0, 0.0, 1.0) / ground.scale for path in (pose.path, planted.path)]
    return planted, ContactReport(
        kept=not reason,
        reason=reason,
        before=before,
        after=after,
        direction=direction,
        stands=kept.count,
        travel=(float(np.linalg.norm(ways[0])), float(np.linalg.norm(ways[1]))),
    )


def _objection(before: Measures, after: Measures, direction: tuple[float, float], left: float) -> str:
    """The first measure by which the take is no better with its feet planted; empty where there is none."""
    if after.slide > before.slide or left > SLIDE:
        return SLIDING
    if after.gap > before.gap:
        return FLOATING
    if after.penetration > max(before.penetration, WORTH):
        return "feet would sink into the floor"
    if after.jerk > max(np.hypot(before.jerk, QUIET), min(LESS_SMOOTH * before.jerk, CALM)):
        return JERKY
    if direction[0] >= MEDIAN or direction[1] >= P99:
        return "limbs would turn too far"
    return ""
