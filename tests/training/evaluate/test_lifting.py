# SPDX-License-Identifier: Apache-2.0
"""Errors of lifted motions whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm_training.evaluate import lifting

from ..motions import FPS, person


@pytest.fixture
def truth() -> np.ndarray:
    return person(40, walking=1.0, waving=0.4)


def turned(motion: np.ndarray, angle: float) -> np.ndarray:
    return rotations.rotate(rotations.about_y(np.full((1, 1), angle)), motion.astype(np.float64))


def test_the_truth_has_no_error(truth):
    measured = lifting.measure(truth, truth, FPS)
    assert measured["pck_50"] == measured["pck_100"] == 1
    assert all(measured[name] == pytest.approx(0, abs=1e-5) for name in ("mpjpe", "pa_mpjpe", "acceleration"))


def test_one_joint_off_by_a_known_way(truth):
    lifted = truth.copy()
    lifted[:, 20] += [0.0, 0.06, 0.08]  # 10 cm and a hair
    measured = lifting.measure(lifted, truth, FPS)
    assert measured["mpjpe"] == pytest.approx(0.1 / 21, rel=1e-4)
    assert measured["pck_50"] == pytest.approx(20 / 21)
    lifted[:, 20] = truth[:, 20] + np.array([0.0, 0.042, 0.056])
    measured = lifting.measure(lifted, truth, FPS)
    assert (measured["pck_50"], measured["pck_100"]) == (pytest.approx(20 / 21), 1.0)


def test_the_place_of_the_root_does_not_count(truth):
    lifted = truth + np.random.default_rng(0).normal(size=(40, 1, 3))
    measured = lifting.measure(lifted, truth, FPS)
    assert measured["mpjpe"] == pytest.approx(0, abs=1e-5)
    assert measured["acceleration"] == pytest.approx(0, abs=1e-3)


def test_procrustes_takes_away_turn_scale_and_place(truth):
    angles = np.linspace(0, 3, 40)[:, None]
    spun = rotations.rotate(rotations.about_y(angles), truth.astype(np.float64))
    lifted = 1.3 * spun + 0.7
    assert lifting.measure(lifted, truth, FPS)["mpjpe"] > 0.1
    assert lifting.measure(lifted, truth, FPS)["pa_mpjpe"] == pytest.approx(0, abs=1e-5)


def test_procrustes_does_not_mirror(truth):
    mirrored = truth * np.array([-1.0, 1.0, 1.0])
    mirrored[:, 20] += 0.3
    aligned = lifting.procrustes(mirrored, truth)
    handed = [np.linalg.det(m[:, [16, 12, 4]] - m[:, :1]) for m in (mirrored, aligned)]
    assert (np.sign(handed[0]) == np.sign(handed[1])).all()


def test_acceleration_is_in_metres_a_second_squared(truth):
    time = np.arange(40) / FPS
    lifted = truth.astype(np.float64)
    lifted[:, 1:, 0] += (0.5 * 3.0 * time**2)[:, None]
    assert lifting.acceleration_error(lifted, truth, FPS) == pytest.approx(3.0, rel=1e-3)
    assert np.isnan(lifting.acceleration_error(lifted[:2], truth[:2], FPS))


@pytest.mark.parametrize("angle", [0.4, -2.0, 3.1])
def test_a_heading_of_its_own_is_taken_away(truth, angle):
    lifted = turned(truth, angle) + np.array([3.0, 0.5, -2.0])
    assert np.allclose(lifting.turn_onto(lifted, truth), truth, atol=1e-5)


def test_the_path_counts_what_the_root_does(truth):
    lifted = truth.copy()
    lifted[:, :, 2] += 0.01 * np.arange(40)[:, None]
    assert lifting.path_error(lifted, truth) == pytest.approx(0.01 * 19.5, rel=1e-4)
