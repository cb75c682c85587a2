# SPDX-License-Identifier: Apache-2.0
"""How often the tests of a study see a preference where there is none, and where they see one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from videomdm_training.study import statistics
from videomdm_training.study.statistics import agreement, preference_interval, sign_flip_p_value

STUDIES = 200


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statistics, "DRAWS", 999)


def studies(by_pair: float, by_person: float, mean: float = 0.0) -> list[np.ndarray]:
    """(10, 24) answers of which 15 % are ties, with normal effects in logits of the given deviations."""
    rng = np.random.default_rng(7)
    made = []
    for _ in range(STUDIES):
        logit = mean + rng.normal(0, by_pair, 24) + rng.normal(0, by_person, 10)[:, None]
        answers = np.where(rng.random((10, 24)) < 1 / (1 + np.exp(-logit)), 1, -1)
        made.append(np.where(rng.random((10, 24)) < 0.15, 0, answers))
    return made


def test_pairs_that_differ_are_no_preference():
    """A binomial test, which takes answers for independent, sees one in a fifth of these studies."""
    drawn = studies(by_pair=1.0, by_person=0.0)
    naive = [binomtest(int((x > 0).sum()), int((x != 0).sum())).pvalue < 0.05 for x in drawn]
    found = [sign_flip_p_value(x.sum(0)) < 0.05 for x in drawn]
    covered = [low <= 0.5 <= high for low, high in map(preference_interval, drawn)]
    assert np.mean(naive) > 0.15
    assert 0.01 < np.mean(found) < 0.09  # 0.05, give or take what 200 studies leave open
    assert np.mean(covered) > 0.93


def test_people_who_differ_are_no_preference_either():
    drawn = studies(by_pair=0.0, by_person=1.0)
    assert np.mean([sign_flip_p_value(x.sum(0)) < 0.05 for x in drawn]) > 0.2  # pairs alone do not tell
    assert 0.01 < np.mean([sign_flip_p_value(x.sum(1)) < 0.05 for x in drawn]) < 0.09
    assert np.mean([low <= 0.5 <= high for low, high in map(preference_interval, drawn)]) > 0.93


def test_a_preference_is_found():
    assert np.mean([sign_flip_p_value(x.sum(0)) < 0.05 for x in studies(1.0, 0.0, mean=1.0)]) > 0.9


def test_few_pairs_cannot_be_sure():
    """Of four pairs an eighth of all signs agree."""
    assert sign_flip_p_value(np.array([3, 3, 3, 3])) == pytest.approx(0.125, abs=0.04)
    assert sign_flip_p_value(np.array([5])) == 1.0
    assert sign_flip_p_value(np.zeros(6, int)) == 1.0


def test_where_all_agree_the_pairs_are_what_is_counted():
    """10 of 10: Wilson's interval begins at 0.7225, as published tables have it."""
    assert preference_interval(np.ones((3, 10), int)) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert preference_interval(-np.ones((3, 10), int)) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_agreement_counts_couples_who_decided():
    assert agreement(np.array([[1, 1, 0], [1, -1, 1]])) == 0.5
    assert agreement(np.array([[1, 1], [1, 1], [-1, 1]])) == pytest.approx(4 / 6)
    assert np.isnan(agreement(np.array([[1, -1]])))
