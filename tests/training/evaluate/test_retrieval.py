# SPDX-License-Identifier: Apache-2.0
"""R-precision and the multimodal distance against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm_training.evaluate.retrieval import multimodal_distance, r_precision


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_perfect_embeddings_are_always_found(rng):
    x = rng.normal(size=(70, 8))
    assert r_precision(x, x, rng) == (1.0, 1.0, 1.0)


def test_random_embeddings_are_found_by_chance(rng):
    found = np.mean([r_precision(*rng.normal(size=(2, 320, 8)), rng) for _ in range(20)], axis=0)
    np.testing.assert_allclose(found, np.array([1, 2, 3]) / 32, rtol=0.15)


def test_equal_embeddings_are_found_by_chance_and_no_more(rng):
    same = np.ones((64, 8))
    np.testing.assert_allclose(r_precision(same, same, rng), np.array([1, 2, 3]) / 32)


def test_the_second_nearest_counts_from_the_second_place_on(rng):
    """Texts at whole numbers; each motion is nearest to its right neighbour's text, and second to its own."""
    places = np.arange(32.0)
    texts = np.stack([places, np.zeros(32)], 1)
    motions = np.stack([places + 0.6, np.zeros(32)], 1)
    first, second, third = r_precision(texts, motions, rng)
    # the first text has no motion on its left
    assert first == pytest.approx(1 / 32) and second == third == 1.0


def test_rows_that_do_not_fill_a_batch_are_measured_among_as_many(rng):
    x = rng.normal(size=(33, 8))
    texts = x.copy()
    assert r_precision(texts, x, rng)[0] == 1.0
    found = np.mean([r_precision(*rng.normal(size=(2, 33, 4)), rng)[0] for _ in range(300)])
    assert found == pytest.approx(1 / 32, rel=0.25)
    assert np.mean([r_precision(*rng.normal(size=(2, 8, 4)), rng)[0] for _ in range(300)]) == pytest.approx(
        1 / 8, rel=0.2
    )


def test_the_multimodal_distance_is_the_mean_distance_to_the_own_caption():
    texts, motions = np.zeros((2, 3)), np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    assert multimodal_distance(texts, motions) == pytest.approx(3.0)
