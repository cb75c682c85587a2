# SPDX-License-Identifier: Apache-2.0
"""Are made motions plausible, and are all kinds made?  Precision and recall (Kynkäänniemi et al., 2019)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

NEIGHBOURS = 3


def radii(embeddings: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """(N,) the distance of each row (N, E) to its ``neighbours``-th nearest other row."""
    between = cdist(embeddings, embeddings)
    nearest = min(neighbours, len(embeddings) - 1)
    return np.partition(between, nearest, axis=1)[:, nearest]


def precision_recall(real: np.ndarray, made: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Part of the made rows (M, E) on the manifold of the real ones (N, E), and of the real on that of the made.

    A manifold is the union of the balls around its rows that reach to the ``neighbours``-th nearest.
    """
    between = cdist(real, made)
    precision = (between <= radii(real, neighbours)[:, None]).any(0).mean()
    recall = (between <= radii(made, neighbours)[None]).any(1).mean()
    return float(precision), float(recall)
