# SPDX-License-Identifier: Apache-2.0
"""Repairing and smoothing detected keypoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support import pose2sim
from tests.support.figure import walking_keypoints

from videomdm.keypoints import Keypoints
from videomdm.keypoints.clean import (
    body_size,
    clean,
    drop_faint,
    drop_outliers,
    fill_gaps,
    repair_sides,
    smooth,
)
from videomdm.keypoints.layout import INDEX, SWAP

LEGS = [
    INDEX[f"{side}_{name}"]
    for side in ("left", "right")
    for name in ("knee", "ankle", "big_toe", "small_toe", "heel")
]
LEG_SWAP = [SWAP[index] for index in LEGS]


def shaken(keypoints: Keypoints, pixels: float, seed: int = 0) -> Keypoints:
    noise = np.random.default_rng(seed).normal(0, pixels, keypoints.points.shape)
    return replace(keypoints, points=keypoints.points + noise)


def with_points(keypoints: Keypoints, change: Callable[[np.ndarray, np.ndarray], None]) -> Keypoints:
    points, confidence = keypoints.points.copy(), keypoints.confidence.copy()
    change(points, confidence)
    return replace(keypoints, points=points, confidence=confidence)


def test_body_size() -> None:
    keypoints = walking_keypoints(30)
    assert 200 < body_size(keypoints) < 450
    assert body_size(replace(keypoints, confidence=0 * keypoints.confidence)) == pytest.approx(
        1468.6, abs=0.1
    )


def test_faint_points_are_dropped() -> None:
    keypoints = with_points(walking_keypoints(3), lambda points, confidence: confidence[1].fill(0.05))
    dropped = drop_faint(keypoints)
    assert dropped.seen.tolist() == [True, False, True]


class TestSides:
    @pytest.mark.parametrize("azimuth", [0.0, 0.7, np.pi / 2])
    def test_correct_sides_are_left_alone(self, azimuth: float) -> None:
        """Seen from the side the legs pass each other in every step."""
        keypoints = shaken(walking_keypoints(90, azimuth=azimuth), 2.0)
        np.testing.assert_array_equal(repair_sides(keypoints).points, keypoints.points)

    @pytest.mark.parametrize("azimuth", [0.0, 0.7])
    def test_a_body_seen_the_wrong_way_round_is_turned_back(self, azimuth: float) -> None:
        keypoints = shaken(walking_keypoints(90, azimuth=azimuth), 2.0)

        def exchange(points: np.ndarray, confidence: np.ndarray) -> None:
            points[20:29] = points[20:29][:, list(SWAP)]
            points[60] = points[60, list(SWAP)]

        repaired = repair_sides(with_points(keypoints, exchange)).points
        np.testing.assert_array_equal(repaired[:60], keypoints.points[:60])
        # In a single frame legs that lie close together are not worth a change.
        trunk = [index for index in range(repaired.shape[1]) if index not in LEGS]
        np.testing.assert_array_equal(repaired[60, trunk], keypoints.points[60, trunk])
        assert np.abs(repaired[60] - keypoints.points[60]).max() < 60

    @pytest.mark.parametrize("azimuth", [0.0, 0.7, np.pi / 2])
    def test_exchanged_legs_are_put_back(self, azimuth: float) -> None:
        keypoints = shaken(walking_keypoints(90, azimuth=azimuth), 2.0)
        apart = keypoints.points[:, LEGS] - keypoints.points[:, LEG_SWAP]
        wide = int(np.linalg.norm(apart, axis=-1).mean(axis=1)[30:60].argmax()) + 30

        def exchange(points: np.ndarray, confidence: np.ndarray) -> None:
            points[wide : wide + 3, LEGS] = points[wide : wide + 3, LEG_SWAP]

        exchanged = with_points(keypoints, exchange)
        assert np.abs(exchanged.points - keypoints.points).max() > 30
        # Where the legs cover each other in the picture it does not matter which is which.
        assert np.abs(repair_sides(exchanged).points - keypoints.points).max() < 10

    def test_short_clips(self) -> None:
        for frames in (1, 2, 3):
            keypoints = walking_keypoints(frames)
            np.testing.assert_array_equal(repair_sides(keypoints).points, keypoints.points)


class TestOutliers:
    def test_leaps_are_dropped_and_movement_is_not(self) -> None:
        keypoints = shaken(walking_keypoints(90), 2.0)
        leaps = [(10, 9), (40, 15), (41, 15), (70, 0)]

        def leap(points: np.ndarray, confidence: np.ndarray) -> None:
            for frame, point in leaps:
                points[frame, point] += (120, -90)

        dropped = drop_outliers(with_points(keypoints, leap))
        assert [tuple(entry) for entry in np.argwhere(dropped.confidence == 0).tolist()] == leaps

    def test_points_hardly_ever_seen_are_left_alone(self) -> None:
        keypoints = with_points(walking_keypoints(30), lambda points, confidence: confidence[3:].fill(0))
        np.testing.assert_array_equal(drop_outliers(keypoints).confidence, keypoints.confidence)


class TestGaps:
    def test_short_gaps_are_bridged_with_less_confidence(self) -> None:
        keypoints = walking_keypoints(60)

        def hide(points: np.ndarray, confidence: np.ndarray) -> None:
            confidence[20:25, 15] = 0
            confidence[24 - 5, 15] = 0.6
            confidence[30:45, 16] = 0
            confidence[:3, 9] = 0

        filled = fill_gaps(with_points(keypoints, hide))
        np.testing.assert_allclose(filled.confidence[20:25, 15], 0.3, atol=1e-6)
        assert np.abs(filled.points[20:25, 15] - keypoints.points[20:25, 15]).max() < 10
        assert (filled.confidence[30:45, 16] == 0).all(), "half a second is too long to guess"
        assert (filled.confidence[:3, 9] == 0).all(), "nothing is known before the first sight"

    def test_a_longer_reach_can_be_asked_for(self) -> None:
        def hide(points: np.ndarray, confidence: np.ndarray) -> None:
            confidence[30:45, 16] = 0

        filled = fill_gaps(with_points(walking_keypoints(60), hide), longest=0.5)
        assert (filled.confidence > 0).all()


class TestSmoothing:
    def test_noise_falls_and_movement_stays_in_time(self) -> None:
        truth = walking_keypoints(120, fps=60.0)
        noisy = shaken(truth, 4.0)
        smoothed = smooth(noisy, cutoff=6.0)
        before, after = (np.abs(k.points - truth.points)[10:-10].mean() for k in (noisy, smoothed))
        assert after < 0.55 * before
        bare = smooth(truth, cutoff=6.0)
        assert np.abs(bare.points - truth.points)[10:-10].max() < 2.0, "no delay, no loss of reach"

    def test_stretches_do_not_bleed_into_each_other(self) -> None:
        def jump(points: np.ndarray, confidence: np.ndarray) -> None:
            points[30:] += 500
            confidence[29] = 0

        keypoints = with_points(walking_keypoints(60), jump)
        smoothed = smooth(keypoints)
        seen = keypoints.confidence > 0
        assert np.abs(smoothed.points - keypoints.points)[seen].max() < 12
        assert (smoothed.points[29] == 0).all()

    def test_low_rates_and_short_stretches_are_left_as_they_are(self) -> None:
        slow = walking_keypoints(20, fps=15.0)
        assert smooth(slow) is slow
        for frames in (1, 3, 5):
            assert np.isfinite(smooth(walking_keypoints(frames)).points).all()


def test_each_step_can_be_left_out() -> None:
    keypoints = shaken(walking_keypoints(40), 3.0)
    nothing = clean(keypoints, sides=False, outliers=False, gaps=False, jitter=False)
    np.testing.assert_array_equal(nothing.points, keypoints.points)
    assert nothing.provenance["cleaned"] == ["faint"]
    everything = clean(keypoints)
    assert everything.provenance["cleaned"] == ["faint", "sides", "outliers", "gaps", "jitter"]
    assert len(everything) == len(keypoints)


def test_nobody_is_cleaned_too() -> None:
    keypoints = walking_keypoints(10)
    assert clean(replace(keypoints, confidence=0 * keypoints.confidence)).coverage == 0


@pytest.mark.parametrize("name", ["cam01", "cam03"])
def test_real_detections_come_no_further_from_the_truth(shared_data: Path, name: str) -> None:
    folder = shared_data / "lifting" / "pose2sim_single"
    raw = pose2sim.read_keypoints(folder, name)
    markers, there = pose2sim.read_markers(folder)
    truth = pose2sim.read_camera(folder, name).project(markers)

    def distance(keypoints: Keypoints) -> float:
        use = (keypoints.confidence > 0.3) & there
        return float(np.median(np.linalg.norm(keypoints.points - truth, axis=-1)[use]))

    def jitter(keypoints: Keypoints) -> float:
        bend = np.linalg.norm(np.diff(keypoints.points, n=2, axis=0), axis=-1)
        return float(np.median(bend[:, there]))

    cleaned = clean(raw)
    assert distance(cleaned) < distance(raw)
    assert jitter(cleaned) < 0.3 * jitter(raw)
