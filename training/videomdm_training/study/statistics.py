# SPDX-License-Identifier: Apache-2.0
"""How sure a preference is, where several people answer for the same pairs.

Answers to one pair are alike, because one of its motions may simply have come out better, and so are answers of one
person.  Tests that take answers for independent find a preference where there is none: what is drawn at random here
is whole pairs and whole people.  Shape letters: P participants, N pairs.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

DRAWS = 9999
_SEED = 0  # the same answers always have the same score


def sign_flip_p_value(sums: np.ndarray) -> float:
    """Two-sided p-value that sums (N,), integers, are of a distribution symmetric about 0, by a permutation test.

    The signs of the sums are drawn anew ``DRAWS`` times; the p-value counts the draws whose total is as far from 0,
    the one at hand among them, and so is never 0 (Phipson and Smyth, 2010).
    """
    signs = np.random.default_rng(_SEED).choice(np.array([-1, 1]), (DRAWS, len(sums)))
    as_far = np.abs(signs @ sums) >= abs(int(sums.sum()))
    return (1 + int(as_far.sum())) / (1 + DRAWS)


def preference_interval(prefers: np.ndarray) -> tuple[float, float]:
    """95 % interval of the part of the decided answers that prefer the first source.

    prefers: (P, N) 1 for the first source, -1 for the second, 0 for neither; at least one is not 0.

    Percentiles of a bootstrap that draws participants and pairs alike (Owen, 2007, "The pigeonhole bootstrap").
    Where all decided answers agree nothing varies, and the interval is that of Wilson (1927) for one answer to each
    pair.
    """
    P, N = prefers.shape
    first, decided = (prefers > 0).astype(float), (prefers != 0).astype(float)
    if first.sum() in (0, decided.sum()):
        pairs = int(decided.any(0).sum())
        wilson = binomtest(pairs if first.any() else 0, pairs).proportion_ci(0.95, method="wilson")
        return float(wilson.low), float(wilson.high)
    rng = np.random.default_rng(_SEED)
    people = rng.multinomial(P, np.full(P, 1 / P), DRAWS)
    pairs_drawn = rng.multinomial(N, np.full(N, 1 / N), DRAWS)
    won, of = (((people @ counts) * pairs_drawn).sum(1) for counts in (first, decided))
    low, high = np.quantile(won[of > 0] / of[of > 0], (0.025, 0.975))
    return float(low), float(high)


def agreement(prefers: np.ndarray) -> float:
    """How often two participants who both decided on a pair (P, N) preferred the same; nan where no two did."""
    first, second = (prefers > 0).sum(0), (prefers < 0).sum(0)
    same = (first * (first - 1) + second * (second - 1)).sum()
    both = ((first + second) * (first + second - 1)).sum()
    return float(same / both) if both else float("nan")
