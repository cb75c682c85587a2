# SPDX-License-Identifier: Apache-2.0
"""Are made motions distributed like real ones?  The Fréchet distance of embeddings, and its bias.

Embeddings are arrays (N, E).  The distance is that of the two Gaussians with the embeddings' means and covariances
(Heusel et al., "FID", 2017).
"""

from __future__ import annotations

import numpy as np

FRACTIONS = np.linspace(0.5, 1.0, 6)  # of the samples, for the extrapolation
DRAWS = 8  # subsets of each fraction


def moments(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (E,) and covariance (E, E), in float64; ValueError for fewer than two rows."""
    if len(embeddings) < 2:
        raise ValueError("a covariance needs at least two rows")
    x = np.asarray(embeddings, np.float64)
    return x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))


def root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a symmetric matrix whose negative eigenvalues are rounding errors."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def frechet(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Squared Fréchet distance of two Gaussians, each a mean (E,) and a covariance (E, E).

    |m_a - m_b|^2 + tr(C_a + C_b) - 2 |C_a^1/2 C_b^1/2|_*, the nuclear norm, which is the trace of the root of
    C_a^1/2 C_b C_a^1/2.  Singular values are real and not negative, so covariances of low rank do no harm.
    """
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    overlap = np.linalg.svd(root(cov_a) @ root(cov_b), compute_uv=False).sum()
    distance = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap
    return float(max(distance, 0.0))


def fid(real: np.ndarray, made: np.ndarray) -> float:
    """The Fréchet distance of two sets of embeddings; it is too large by about a constant / N."""
    return frechet(moments(real), moments(made))


def unbiased_fid(real: np.ndarray, made: np.ndarray, generator: np.random.Generator) -> float:
    """The Fréchet distance extrapolated to endless samples (Chong and Forsyth, "FID infinity", 2020).

    The distance of subsets of both sets is fitted by a line in 1 / N, of which this is the intercept; it may be a
    little below 0 where the distributions are the same.
    """
    inverse, found = [], []
    for fraction in FRACTIONS:
        sizes = [max(2, round(fraction * len(x))) for x in (real, made)]
        for _ in range(DRAWS if fraction < 1 else 1):
            subsets = [x[generator.permutation(len(x))[:n]] for x, n in zip((real, made), sizes, strict=True)]
            inverse.append(np.mean([1 / n for n in sizes]))
            found.append(fid(*subsets))
    weights = np.sqrt([DRAWS if f == 1 else 1 for f in FRACTIONS for _ in range(DRAWS if f < 1 else 1)])
    return float(np.polyfit(inverse, found, 1, w=weights)[1])
