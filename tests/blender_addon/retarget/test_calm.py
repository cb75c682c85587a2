# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions that are smoother than people's: planted feet make them a little less smooth, and that is no objection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from videomdm_blender.retarget.cleanup import CALM, JERKY, _objection
from videomdm_blender.retarget.measures import Measures

GLIDING = Measures(slide=16.0, gap=9.0, penetration=6.0, jerk=80.0)
PLANTED = Measures(slide=0.1, gap=0.1, penetration=0.4, jerk=86.0)


@pytest.mark.parametrize(
    ("before", "after", "objection"),
    [
        (80.0, 86.0, ""),
        (80.0, CALM + 10, JERKY),  # less smooth than certificates allow
        (10.0, 40.0, JERKY),  # somebody who sits still must not tremble
        (300.0, 320.0, JERKY),  # what is as jerky as people are must not become more so
        (300.0, 290.0, ""),
    ],
)
def test_only_a_motion_that_is_smoother_than_people_may_become_less_smooth(before, after, objection):
    without, planted = replace(GLIDING, jerk=before), replace(PLANTED, jerk=after)
    assert _objection(without, planted, (0.1, 1.0), 0.1) == objection
