# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, diversity and multimodality at their extremes."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm_training.evaluate.manifold import precision_recall, radii
from videomdm_training.evaluate.variety import diversity, multimodality


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_same_and_the_far_away(rng):
    x = rng.normal(size=(200, 8))
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, x + 100.0) == (0.0, 0.0)


def test_the_same_distribution_covers_most_of_itself(rng):
    precision, recall = precision_recall(*rng.normal(size=(2, 500, 4)))
    assert precision > 0.75 and recall > 0.75


def test_one_good_motion_again_and_again_is_precise_and_recalls_little(rng):
    real = rng.normal(size=(300, 4))
    made = real[:1] + 1e-3 * rng.normal(size=(300, 4))
    precision, recall = precision_recall(real, made)
    assert precision == 1.0 and recall < 0.05


def test_noise_around_the_real_recalls_and_is_not_precise(rng):
    real = 0.1 * rng.normal(size=(300, 4))
    precision, recall = precision_recall(real, rng.normal(size=(3000, 4)))
    assert precision < 0.1 and recall > 0.9


def test_radii_reach_to_the_third_neighbour():
    line = np.array([[0.0], [1.0], [3.0], [7.0], [15.0]])
    assert radii(line).tolist() == [7.0, 6.0, 4.0, 7.0, 14.0]
    assert radii(line[:2]).tolist() == [1.0, 1.0]


def test_diversity_is_the_mean_distance_of_pairs(rng):
    assert diversity(np.ones((20, 3)), rng) == 0.0
    x = rng.normal(size=(4000, 1))
    assert diversity(x, rng, pairs=2000) == pytest.approx(2 / np.sqrt(np.pi), rel=0.05)
    two = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert diversity(two, rng) == 5.0
    assert np.isnan(diversity(two[:1], rng))


def test_multimodality_pairs_answers_to_the_same_caption():
    assert multimodality(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])) == 2.5
