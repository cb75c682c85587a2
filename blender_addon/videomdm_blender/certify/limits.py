# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig must keep to be certified.  One table for the command, the report and the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A measure and the most that it may be.

    key:    of the measure.
    title:  as the table calls it.
    most:   largest value that passes, or None where the measure is only told.
    digits: after the point.
    """

    key: str
    title: str
    most: float | None
    digits: int
    meaning: str


LIMITS = (
    Limit("limb_median_deg", "limbs ~°", 0.5, 2, "direction of arms and legs, median"),
    Limit("limb_direction_deg", "limbs °", 2.0, 2, "direction of arms and legs, 99 of 100 values"),
    Limit("held_place_mm", "held mm", 10.0, 2, "standing feet and held hands from their places, 95 of 100"),
    Limit("held_turn_deg", "held °", 2.0, 2, "flat feet and held hands from their turns, 95 of 100"),
    Limit("end_position_percent", "ends %", 20.0, 1, "wrists and ankles, in percent of the limb, 99 of 100"),
    Limit("end_angle_deg", "ends °", 20.0, 1, "the same as an angle from shoulder or hip"),
    Limit("stretch_percent", "stretch %", 0.01, 4, "largest change of a bone's length"),
    Limit("twist_beyond_deg", "twist °", 0.0, 1, "twist beyond what a body can"),
    Limit("twist_jump_deg", "jump °", 60.0, 1, "largest change of a twist from frame to frame"),
    Limit("slide_mm", "slide mm", 2.0, 2, "planted feet, millimetres a frame, 95 of 100"),
    Limit("penetration_mm", "floor mm", 15.0, 1, "soles and joints under the floor, the worst"),
    Limit("root_path_mm", "path mm", 60.0, 1, "the hips' way over the floor, the worst"),
    Limit("collision_mm", "torso mm", 30.0, 1, "arms, hands and legs in the torso, the worst"),
    Limit("limbs_crossing_mm", "limbs mm", 50.0, 1, "arms, hands and legs in each other, the worst"),
    Limit("jitter_ratio", "jitter", 1.3, 2, "jerk against that of the motion"),
)
ROUND_TRIP = (
    Limit("angle_deg", "°", 0.1, 4, "largest difference of a bone's turn after export and import"),
    Limit("distance_mm", "mm", 0.1, 4, "largest difference of a bone's place after export and import"),
)


def broken(measures: AnyMapping[str, float], limits: Iterable[Limit] = LIMITS) -> list[Limit]:
    """The limits that are not kept."""
    return [limit for limit in limits if limit.most is not None and not measures[limit.key] <= limit.most]
