# SPDX-License-Identifier: Apache-2.0
"""Physical measures on motions whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videomdm_training.evaluate import physical

from ..motions import FPS, person


def standing(frames: int = 40) -> np.ndarray:
    return np.repeat(person(1), frames, axis=0)


def test_a_statue_neither_slides_nor_moves():
    measured = physical.measure(standing(), FPS)
    assert measured["foot_skate"] == 0 and measured["sliding"] == 0 and measured["contact"] == 1
    assert measured["speed"] == 0 and measured["jerk"] == 0
    assert measured["penetration"] == pytest.approx(0, abs=1e-6) and measured["below"] == 0
    assert measured["bone_drift"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("speed", "slides"), [(0.3, 0.0), (0.7, 1.0)])
@pytest.mark.parametrize("fps", [20.0, 60.0])
def test_a_statue_pushed_over_the_floor_slides_at_its_speed(speed, slides, fps):
    motion = standing()
    motion[..., 0] += 0.6 * speed * np.arange(40)[:, None] / fps
    motion[..., 2] += 0.8 * speed * np.arange(40)[:, None] / fps
    measured = physical.measure(motion, fps)
    assert measured["foot_skate"] == pytest.approx(speed, rel=1e-3)
    assert measured["sliding"] == slides
    assert measured["speed"] == pytest.approx(speed, rel=1e-3)
    assert measured["jerk"] < 0.02 * fps**3 * 1e-3


def test_feet_in_the_air_do_not_count():
    motion = standing()
    motion[..., 0] += 0.1 * np.arange(40)[:, None]
    motion[20:, :, 1] += 0.2
    measured = physical.foot_skate(motion, FPS)
    assert measured["contact"] == pytest.approx(19 / 39)
    motion[..., 1] += 1.0
    measured = physical.foot_skate(motion, FPS)
    assert math.isnan(measured["foot_skate"]) and measured["contact"] == 0


def test_sinking_is_penetration_and_hovering_is_height():
    motion = standing()
    motion[:20, :, 1] -= 0.05
    motion[20:, :, 1] += 0.1
    measured = physical.floor(motion)
    assert measured["penetration"] == pytest.approx(0.025, abs=1e-5)
    assert measured["below"] == 0.5
    assert measured["height"] == pytest.approx(0.05, abs=1e-5)


def test_jerk_is_the_third_derivative():
    time = np.arange(60) / FPS
    motion = standing(60)
    motion[..., 1] += (0.5 * time**3)[:, None]
    assert physical.smoothness(motion, FPS)["jerk"] == pytest.approx(3.0, rel=1e-2)


def test_bones_that_stretch_drift():
    motion = standing()
    scale = np.where(np.arange(40) % 2, 1.01, 0.99)[:, None, None]
    drift = physical.bone_drift(motion * scale)
    lengths = np.linalg.norm(motion[0, 4] - motion[0, 1])
    assert 0.001 < drift < 0.02 * lengths


def test_clips_too_short_for_a_measure_say_so():
    measured = physical.measure(standing(1), FPS)
    assert all(math.isnan(measured[name]) for name in ("speed", "jerk", "foot_skate", "contact"))
    assert measured["penetration"] == pytest.approx(0, abs=1e-6)
