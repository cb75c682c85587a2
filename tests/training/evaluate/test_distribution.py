# SPDX-License-Identifier: Apache-2.0
"""The Fréchet distance against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from videomdm_training.evaluate.distribution import fid, frechet, moments, root, unbiased_fid


def covariance(width: int, seed: int) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(width, width))
    return factor @ factor.T / width


def test_gaussians_that_share_their_axes():
    """Then it is |m_a - m_b|^2 + the squared differences of the standard deviations."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    a, b = (turn @ np.diag(np.square(s)) @ turn.T for s in ([1.0, 2.0, 0.5], [1.5, 0.0, 3.0]))
    mean_a, mean_b = np.array([1.0, 0.0, 2.0]), np.array([0.0, 0.0, 4.0])
    assert frechet((mean_a, a), (mean_b, b)) == pytest.approx(5 + 0.25 + 4 + 6.25, abs=1e-7)


def test_any_gaussians_agree_with_the_general_matrix_root():
    a, b = covariance(16, 1), covariance(16, 2)
    zero = np.zeros(16)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b)).real
    assert frechet((zero, a), (zero, b)) == pytest.approx(expected, abs=1e-8)
    assert frechet((zero, a), (zero, b)) == pytest.approx(frechet((zero, b), (zero, a)), abs=1e-10)
    np.testing.assert_allclose(root(a) @ root(a), a, atol=1e-12)


def test_few_samples_of_many_numbers_do_no_harm():
    """Ten rows of 64 numbers have covariances of rank 9, on which the general root may fail."""
    x = np.random.default_rng(3).normal(size=(10, 64))
    assert fid(x, x) == pytest.approx(0.0, abs=1e-6)
    assert fid(x, x + 2.0) == pytest.approx(64 * 4.0, abs=1e-6)


def test_samples_come_near_to_their_gaussians_and_the_extrapolation_nearer():
    rng = np.random.default_rng(4)
    true, biased, unbiased = 16 * 0.1**2 + 16 * 0.2**2, [], []
    for _ in range(6):
        a, b = rng.normal(0, 1, (300, 16)), rng.normal(0.1, 1.2, (300, 16))
        biased.append(fid(a, b))
        unbiased.append(unbiased_fid(a, b, rng))
    assert np.mean(biased) > 1.2 * true
    assert np.mean(unbiased) == pytest.approx(true, rel=0.12)


def test_equal_distributions_have_no_distance_after_extrapolation():
    rng = np.random.default_rng(5)
    found = [unbiased_fid(*rng.normal(size=(2, 200, 16)), rng) for _ in range(6)]
    plain = fid(*rng.normal(size=(2, 200, 16)))
    assert plain > 0.5 and abs(np.mean(found)) < 0.1 * plain


def test_a_covariance_needs_two_rows():
    with pytest.raises(ValueError, match="two rows"):
        moments(np.zeros((1, 4)))
