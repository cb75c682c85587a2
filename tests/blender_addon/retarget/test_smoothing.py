# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves through uncertain measurements, over gaps, and above needs."""

from __future__ import annotations

import numpy as np

from videomdm_blender.retarget.smoothing import bridged, envelope, fit


def test_a_fit_lies_where_its_sum_of_squares_is_least() -> None:
    rng = np.random.default_rng(0)
    measured, weights = rng.normal(size=(2, 3, 30)), rng.uniform(size=(2, 3, 30))

    def cost(x: np.ndarray) -> np.ndarray:
        return (weights * (x - measured) ** 2).sum(axis=(0, 2)) + 0.7 * (np.diff(x) ** 2).sum(axis=-1)

    best = fit(measured, weights, 0.7)
    for _ in range(20):
        assert (cost(best + rng.normal(scale=1e-3, size=best.shape)) > cost(best)).all()
    np.testing.assert_array_equal(best[1], fit(measured[:, 1], weights[:, 1], 0.7))


def test_gaps_are_bridged_without_a_jump_of_place_or_slope() -> None:
    time = np.linspace(0, 6, 600)
    values = np.stack([np.sin(3 * time), np.cos(2 * time)], axis=-1)
    known = (time % 2.0 < 0.7) | ((time > 3.0) & (time < 3.2))
    curve = bridged(values, known, 60)
    np.testing.assert_array_equal(curve[known], values[known])
    slopes = np.diff(curve, axis=0)
    assert np.abs(np.diff(slopes, axis=0)).max() < 0.12 * np.abs(slopes).max()
    away = np.min(np.abs(np.flatnonzero(known)[:, None] - np.arange(600)), axis=0)
    assert np.abs(curve[away >= 60]).max() < 1e-12


def test_nothing_known_is_nothing() -> None:
    assert not bridged(np.ones((20, 3)), np.zeros(20, bool), 5).any()
    np.testing.assert_array_equal(bridged(np.ones((20, 3)), np.ones(20, bool), 5), np.ones((20, 3)))


def test_an_envelope_lies_above_and_rises_slowly() -> None:
    values = np.zeros(100)
    values[[40, 70]] = 1.0, 0.4
    curve = envelope(values, 6)
    assert (curve >= values - 1e-12).all()
    assert np.abs(np.diff(curve)).max() < 0.25 and curve[20] == 0
