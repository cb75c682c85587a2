# SPDX-License-Identifier: Apache-2.0
"""Resampling: exact times, no drift, no flattened swings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videomdm.errors import UserError
from videomdm.motion import Motion, rotations
from videomdm.motion.resample import resample, resample_positions, resample_rotations, source_times

from .bodies import dancer


@given(
    st.integers(1, 2000), st.sampled_from([20, 24, 25, 29.97, 30, 60, 120]), st.sampled_from([20, 24, 30, 60])
)
def test_new_frames_lie_at_exact_times_up_to_the_end(frames: int, fps_in: float, fps_out: float) -> None:
    times = source_times(frames, fps_in, fps_out)
    np.testing.assert_allclose(times / fps_in, np.arange(len(times)) / fps_out, atol=1e-4 / fps_in)
    assert times[-1] <= frames - 1
    assert times[-1] + fps_in / fps_out > frames - 1  # one more would lie beyond the end


def test_ten_minutes_do_not_drift() -> None:
    line = np.arange(24 * 600 + 1, dtype=float)[:, None] / 24
    result = resample_positions(line, 24, 20)
    assert len(result) == 20 * 600 + 1
    np.testing.assert_allclose(result[:, 0], np.arange(len(result)) / 20, atol=1e-9)


def test_positions_follow_the_curve_better_than_straight_lines() -> None:
    def swing(fps: float) -> np.ndarray:
        return np.sin(2 * np.pi * 1.5 * np.arange(int(4 * fps) + 1) / fps)[:, None]

    result, truth = resample_positions(swing(24), 24, 20), swing(20)
    times = source_times(97, 24, 20)
    straight = np.interp(times, np.arange(97), swing(24)[:, 0])[:, None]
    inner = slice(2, -2)
    error, straight_error = (np.abs(x - truth)[inner].max() for x in (result, straight))
    assert error < 0.005 < 0.015 < straight_error


def test_a_steady_turn_stays_steady() -> None:
    angle = 3.0 * np.arange(49) / 24
    axis = np.array([0.0, 0.6, 0.8])
    turns = rotations.from_axis_angle(np.broadcast_to(axis, (49, 3)), angle)
    turns[::2] *= -1  # the sign of a quaternion means nothing
    result = resample_rotations(turns[:, None], 24, 20)[:, 0]
    expected = rotations.from_axis_angle(np.broadcast_to(axis, (41, 3)), 3.0 * np.arange(41) / 20)
    assert rotations.angle_between(result[1:-1], expected[1:-1]).max() < 1e-6
    assert rotations.angle_between(result, expected).max() < 0.02  # no neighbours beyond the ends


def test_large_turns_between_frames_take_the_short_way() -> None:
    turns = rotations.about_y(np.array([0.0, 2.5, 5.0]))
    middle = resample_rotations(turns, 1, 2)[1::2]
    assert np.all(rotations.angle_between(middle, turns[:2]) < 1.6)


def test_old_frames_are_kept_where_old_and_new_ones_meet() -> None:
    positions = dancer(61, fps=30)
    result = resample_positions(positions, 30, 60)
    np.testing.assert_allclose(result[::2], positions, atol=1e-12)
    np.testing.assert_allclose(resample_positions(result, 60, 30), positions, atol=1e-12)


def test_a_motion_keeps_its_length_words_and_contacts() -> None:
    contacts = np.zeros((49, 4), bool)
    contacts[24:, 2] = True
    motion = Motion(dancer(49, fps=24), 24.0, contacts, None, "someone dances", {"seed": 3})
    result = resample(motion, 20)
    assert (len(result), result.fps, result.caption, result.provenance) == (
        41,
        20,
        "someone dances",
        {"seed": 3},
    )
    assert result.seconds == pytest.approx(motion.seconds, abs=0.05)
    np.testing.assert_array_equal(result.contacts[:, 2], np.arange(41) >= 20)
    assert result.positions.dtype == np.float32
    assert resample(motion, 24.0) is motion


def test_a_clip_of_one_frame_stays_one_frame() -> None:
    motion = Motion(dancer(1), 24.0, np.ones((1, 4), bool))
    np.testing.assert_array_equal(resample(motion, 60).positions, motion.positions)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 1e9])
def test_useless_rates_are_refused(fps: float) -> None:
    with pytest.raises(UserError, match="frame rate"):
        resample(Motion(dancer(3), 24.0, np.ones((3, 4), bool)), fps)
