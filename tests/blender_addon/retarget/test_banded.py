# SPDX-License-Identifier: GPL-3.0-or-later
"""Equations over all frames of a clip, against NumPy's solver for full matrices."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm_blender.retarget.banded import Banded, difference_bands


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("count", [2, 4, 11])
def test_the_bands_are_those_of_the_differences(order: int, count: int) -> None:
    differences = np.diff(np.eye(count), n=order, axis=0)
    wanted = differences.T @ differences
    for k, band in enumerate(difference_bands(count, order)):
        np.testing.assert_allclose(band, np.diagonal(wanted, k), atol=1e-12)


@pytest.mark.parametrize("frames", [4, 5, 16, 33])
@pytest.mark.parametrize("block", [3, 4, 16])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_the_solution_is_that_of_the_full_matrix(frames: int, block: int, columns: tuple[int, ...]) -> None:
    random = np.random.default_rng(frames)
    size = 3
    bands = [random.normal(size=(frames - k, size)) for k in (1, 2, 3)]
    square = random.normal(size=(frames, size, size))
    diagonal = square @ np.swapaxes(square, 1, 2) + 20.0 * np.eye(size)
    right = random.normal(size=(frames, size, *columns))
    full = np.zeros((frames, size, frames, size))
    for t in range(frames):
        full[t, :, t] = diagonal[t]
    for k, band in enumerate(bands, start=1):
        for t in range(frames - k):
            full[t, :, t + k] = full[t + k, :, t] = np.diag(band[t])
    wanted = np.linalg.solve(full.reshape(frames * size, -1), right.reshape(frames * size, -1))
    found = Banded(bands, block).solve(diagonal, right)
    np.testing.assert_allclose(found, wanted.reshape(right.shape), atol=1e-10)
