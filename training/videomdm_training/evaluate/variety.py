# SPDX-License-Identifier: Apache-2.0
"""How different are motions from each other?  Diversity and multimodality (Guo et al., CVPR 2022)."""

from __future__ import annotations

import numpy as np

PAIRS = 300


def diversity(embeddings: np.ndarray, generator: np.random.Generator, pairs: int = PAIRS) -> float:
    """Mean distance of ``pairs`` random pairs of rows (N, E), no row in two of them; nan for fewer than two rows."""
    order = generator.permutation(len(embeddings))
    count = min(pairs, len(order) // 2)
    if not count:
        return float("nan")
    first, second = (embeddings[order[i * count : (i + 1) * count]].astype(np.float64) for i in range(2))
    return float(np.linalg.norm(first - second, axis=1).mean())


def multimodality(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance of two motions of the same caption: rows of ``first`` and ``second`` (N, E)."""
    return float(np.linalg.norm(first.astype(np.float64) - second, axis=1).mean())
