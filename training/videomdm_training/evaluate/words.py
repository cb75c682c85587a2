# SPDX-License-Identifier: Apache-2.0
"""From words to motion: how good are a model's answers to held-out captions, beside the captioned motions?

The protocol of Guo et al. (CVPR 2022): a fixed evaluator embeds motions and captions, everything random is drawn
anew in each of some replications, and figures are means over these.  Two replications in a row ask for the same
captions, so that the difference between two answers to one caption can be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import FPS
from videomdm.pipeline import Pipeline
from videomdm.progress import progress_bar

from ..baselines.flat import FlatPrior
from ..datasets.pack import Pack, Segment
from ..sources import joints
from . import physical
from .distribution import fid, unbiased_fid
from .evaluator import FrozenEvaluator
from .figures import Figure, Section, summarise
from .manifold import NEIGHBOURS, precision_recall
from .retrieval import BATCH, TOP, multimodal_distance, r_precision
from .sampling import Sampler, SamplingSettings, sampler_for
from .variety import PAIRS, diversity, multimodality

TITLE = "Words to motion"
SAME_CAPTIONS = 2  # replications in a row ask for the same captions
FEWEST = 4  # clips, so that each half of the real ones has a covariance


@dataclass(frozen=True)
class WordsSettings:
    """How to measure; every random number comes from ``seed``."""

    replications: int = 20
    seed: int = 0
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


class HeldOut:
    """Real motions, each with a caption at least, embedded once.

    motions: (N, E) embeddings; positions: (T, 22, 3) of each clip; bodies: their physical measures, the same in
             every replication.
    """

    def __init__(self, data: Pack, segments: Sequence[Segment], evaluator: FrozenEvaluator) -> None:
        self.segments = segments
        self.positions = [joints(data, segment).numpy() for segment in segments]
        self.motions = evaluator.motions(self.positions)
        self.bodies = _physical(self.positions)
        self.captions = [caption for segment in segments for caption in segment.captions]
        self.texts = evaluator.texts(self.captions)
        self._counts = np.array([len(segment.captions) for segment in segments])
        self._first = np.cumsum(self._counts) - self._counts

    def asked(self, seed: int, replication: int) -> np.ndarray:
        """(N,) row in ``captions`` of the one caption of each clip that a replication asks for."""
        generator = np.random.default_rng([seed, replication // SAME_CAPTIONS, 0])
        return self._first + (generator.random(len(self._counts)) * self._counts).astype(int)

    def halves(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings of two random halves of the clips; no recording is in both."""
        groups = {name: generator.random() for name in sorted({s.group for s in self.segments})}
        order = np.argsort([groups[s.group] for s in self.segments], kind="stable")
        names = [self.segments[i].group for i in order]
        middle = len(order) // 2
        cuts = [i for i in range(2, len(order) - 1) if names[i] != names[i - 1]] or [middle]
        cut = min(cuts, key=lambda i: abs(i - middle))
        return self.motions[order[:cut]], self.motions[order[cut:]]


def refuse_few(segments: Sequence[Segment]) -> None:
    """UserError where there are too few captioned ``segments`` for figures."""
    if len(segments) < FEWEST:
        raise UserError(
            f"There are {len(segments)} captioned clips to measure on; figures need at least {FEWEST}.",
            "Choose another --split, or a larger --limit.",
        )


def words_section(
    models: Mapping[str, Pipeline | FlatPrior],
    data: Pack,
    segments: Sequence[Segment],
    evaluator: FrozenEvaluator,
    settings: WordsSettings,
) -> Section:
    """One table: real motions, halves of them against each other, and each of ``models`` by name."""
    refuse_few(segments)
    real = HeldOut(data, segments, evaluator)
    columns = {
        "real": _over(settings, lambda r: _real(real, settings.seed, r), SAME_CAPTIONS),
        "half of the real": _over(
            settings, lambda r: _between(*real.halves(_random(settings.seed, r)), settings.seed, r)
        ),
    }
    total = len(models) * settings.replications * len(segments)
    with progress_bar(total=total, desc="words to motion", unit="clip") as bar:
        for name, model in models.items():
            sampler = sampler_for(model, real.captions, settings.sampling)
            columns[name] = _model(sampler, real, evaluator, settings, bar.update)
    notes = (
        f"{len(segments)} real motions and as many made from their captions, each as long as the captioned one; "
        f"embeddings are unit vectors of {real.motions.shape[1]} numbers.  FID grows with the noise of so few "
        f"clips; the row beside it is extrapolated to endlessly many, and half of the real motions against the other "
        f"half shows what remains between equals.  R-precision in batches of {min(BATCH, len(segments))}; precision "
        f"and recall with {NEIGHBOURS} neighbours; diversity over at most {PAIRS} pairs; multimodality over two "
        f"answers to each caption.  A toe stands where it is lower than {physical.CONTACT_HEIGHT:g} m over two "
        f"frames, and slides above {physical.SLIDING_SPEED:g} m/s; below the floor means by more than "
        f"{physical.BELOW_FLOOR:g} m; Y is up."
    )
    return Section(TITLE, notes, columns, "replications")


def _random(seed: int, replication: int) -> np.random.Generator:
    return np.random.default_rng([seed, replication, 1])


def _over(
    settings: WordsSettings, measured: Callable[[int], dict[str, float]], together: int = 1
) -> dict[str, Figure]:
    return summarise([measured(replication) for replication in range(settings.replications)], together)


def _real(real: HeldOut, seed: int, replication: int) -> dict[str, float]:
    generator = _random(seed, replication)
    return _to_captions(real, real.motions, seed, replication, generator) | real.bodies


def _to_captions(
    real: HeldOut, motions: np.ndarray, seed: int, replication: int, generator: np.random.Generator
) -> dict[str, float]:
    texts = real.texts[real.asked(seed, replication)]
    found = r_precision(texts, motions, generator)
    return {
        **{f"r_precision_{top}": value for top, value in zip(TOP, found, strict=True)},
        "multimodal_distance": multimodal_distance(texts, motions),
        "diversity": diversity(motions, generator),
    }


def _between(real: np.ndarray, made: np.ndarray, seed: int, replication: int) -> dict[str, float]:
    precision, recall = precision_recall(real, made)
    return {
        "fid": fid(real, made),
        "fid_unbiased": unbiased_fid(real, made, np.random.default_rng([replication, 2, seed])),
        "precision": precision,
        "recall": recall,
    }


def _physical(positions: Sequence[np.ndarray]) -> dict[str, float]:
    figures = summarise([physical.measure(motion, FPS) for motion in positions])
    return {name: figure.mean for name, figure in figures.items()}


def _model(
    sampler: Sampler,
    real: HeldOut,
    evaluator: FrozenEvaluator,
    settings: WordsSettings,
    done: Callable[[int], object],
) -> dict[str, Figure]:
    lengths = [min(len(motion), sampler.longest) for motion in real.positions]
    rows: list[dict[str, float]] = []
    before: np.ndarray | None = None
    for replication in range(settings.replications):
        captions = [real.captions[i] for i in real.asked(settings.seed, replication)]
        made = sampler(captions, lengths, settings.seed * 1_000_003 + replication, done)
        motions = evaluator.motions(made)
        row = _between(real.motions, motions, settings.seed, replication)
        row |= _to_captions(real, motions, settings.seed, replication, _random(settings.seed, replication))
        if before is not None and replication % SAME_CAPTIONS:
            row["multimodality"] = multimodality(before, motions)
        before = motions
        rows.append(row | _physical(made))
    return summarise(rows, SAME_CAPTIONS)
