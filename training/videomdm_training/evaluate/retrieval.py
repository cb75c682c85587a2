# SPDX-License-Identifier: Apache-2.0
"""Do motions and captions find each other?  R-precision and the multimodal distance (Guo et al., CVPR 2022).

Embeddings are arrays (N, E) in which row i of the motions belongs to row i of the captions.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

BATCH = 32
TOP = (1, 2, 3)


def r_precision(
    texts: np.ndarray, motions: np.ndarray, generator: np.random.Generator, batch: int = BATCH
) -> tuple[float, ...]:
    """How often a motion is among the 1, 2, 3 nearest to its caption, of ``batch`` motions drawn together.

    Every row is used in one batch of a random division; the rows left over are filled up with others, drawn
    without repetition, and only they count.  Fewer rows than ``batch`` make one smaller batch.  A tie counts by
    its chance, so equal embeddings are found as often as by chance.
    """
    order = generator.permutation(len(texts))
    hits = np.zeros(len(TOP))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        counted = len(rows)
        if counted < batch:
            others = order[:start]
            rows = np.concatenate([rows, generator.permutation(others)[: batch - counted]])
        between = cdist(texts[rows[:counted]], motions[rows])
        own = np.diagonal(between)[:, None]
        nearer, equal = (between < own).sum(1), (between == own).sum(1)
        for i, top in enumerate(TOP):
            hits[i] += (np.clip(top - nearer, 0, equal) / equal).sum()
    return tuple(float(hit) / len(order) for hit in hits)


def multimodal_distance(texts: np.ndarray, motions: np.ndarray) -> float:
    """Mean distance of a motion to its caption."""
    return float(np.linalg.norm(texts.astype(np.float64) - motions, axis=1).mean())
