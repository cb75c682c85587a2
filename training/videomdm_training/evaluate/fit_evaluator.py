# SPDX-License-Identifier: Apache-2.0
"""Train the evaluator: captions and motions of the training split, pulled together in pairs.

InfoNCE (van den Oord et al., 2018) in both directions.  As in TMR (Petrovich et al., 2023), captions that say
nearly the same are not taken for wrong answers to each other; unless they name opposite sides.

Shape letters: B batch, T frames, N tokens, E embedding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videomdm.errors import UserError
from videomdm.model.text import text_encoder
from videomdm.progress import progress_bar

from .. import engine
from ..captions import CaptionTable
from ..clips import FRAME_MULTIPLE, Batch, Clips
from ..datasets.pack import Pack, Segment
from ..normalisation import Normalisation
from ..sources import joints, source_clips
from ..teacher.supervision import SourceClip
from .captioned import captioned
from .evaluator import FrozenEvaluator, features_of, save_evaluator
from .network import Evaluator, EvaluatorSizes
from .retrieval import r_precision

NAME = "evaluator.safetensors"
_SIDES = re.compile(r"\b(left|right|counter-?clockwise|clockwise)", re.IGNORECASE)


@dataclass(frozen=True)
class EvaluatorConfig:
    """Everything that decides an evaluator's training.

    temperature: of the softmax over the batch.
    same:        captions whose sentence vectors have at least this cosine are no wrong answers to each other.
    shortest_crop: clips are cut to a random part of at least this fraction of their batch's longest.
    noise:       greatest standard deviation of the noise on normalised features.
    drop_motion, drop_text: part of the tokens that are not looked at.
    """

    engine: engine.EngineConfig = field(
        default_factory=lambda: engine.EngineConfig(
            steps=320, learning_rate=5e-4, matrix_learning_rate=2.5e-3, weight_decay=0.05, cooldown=0.375,
            ema=0.99, save_every=100, validate_every=40,
        )
    )  # fmt: skip
    sizes: EvaluatorSizes = field(default_factory=EvaluatorSizes)
    batch: int = 128
    temperature: float = 0.07
    same: float = 0.85
    shortest_crop: float = 0.7
    noise: float = 0.1
    drop_motion: float = 0.5
    drop_text: float = 0.1

    def __post_init__(self) -> None:
        if self.batch < 2 or not 0 < self.temperature < math.inf or not 0 < self.shortest_crop <= 1:
            raise UserError(
                "batch must be at least 2, temperature above 0, shortest_crop between 0 and 1.",
                "Change the configuration.",
            )
        if not (0 <= self.drop_motion < 1 and 0 <= self.drop_text <= 1 and 0 <= self.noise < math.inf):
            raise UserError(
                "drop_motion and drop_text must lie between 0 and 1, and noise must not be negative.",
                "0 turns each of them off.",
            )
        if math.isnan(self.same):
            raise UserError("same must be a number, a cosine.", "Above 1 no two captions are the same.")
        if FRAME_MULTIPLE % self.sizes.patch:
            raise UserError(
                f"sizes.patch must divide {FRAME_MULTIPLE}, to which clips are cut.", "Choose 1, 2 or 4."
            )


def side(caption: str) -> int:
    """1 where a caption says more of left and counterclockwise, -1 of right and clockwise, 0 where neither."""
    words = [word.lower() for word in _SIDES.findall(caption)]
    left = sum(word == "left" or word.startswith("counter") for word in words)
    return (2 * left > len(words)) - (2 * left < len(words))


class Words:
    """What a caption table says of pairs of captions."""

    def __init__(self, table: CaptionTable, device: torch.device) -> None:
        """``table`` is encoded."""
        self.table = table
        self.sides = torch.tensor([side(text) for text in table.texts], device=device)
        vectors = []
        for index in torch.arange(len(table.texts), device=device).split(512):
            states, mask = table.states(index)
            vectors.append((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        self.sentences = F.normalize(torch.cat(vectors), dim=-1)

    def same(self, ids: Tensor, threshold: float) -> Tensor:
        """(B, B) true where captions ``ids`` (B,) say nearly the same and name no opposite sides."""
        sentences, sides = self.sentences[ids], self.sides[ids]
        return (sentences @ sentences.T >= threshold) & (sides[:, None] * sides[None] >= 0)


def contrastive_loss(motions: Tensor, texts: Tensor, same: Tensor, temperature: float) -> Tensor:
    """InfoNCE of unit vectors (B, E) in both directions; pairs that are ``same`` (B, B) are left out, but its own."""
    own = torch.eye(len(motions), dtype=torch.bool, device=motions.device)
    logits = (motions @ texts.T / temperature).masked_fill(same & ~own, -torch.inf)
    target = torch.arange(len(motions), device=motions.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def feature_clips(sources: Sequence[SourceClip], device: torch.device) -> tuple[Clips, Tensor]:
    """Clips with frames "features" (F, 263) float16, and their caption ids (M, K), repeated to K."""
    with progress_bar(total=len(sources), desc="features", unit="clip") as bar:
        frames = [f.half() for f in features_of([s.positions.numpy() for s in sources], device, bar.update)]
    width = max(len(s.captions) for s in sources)
    ids = [[s.captions[i % len(s.captions)] for i in range(width)] for s in sources]
    lengths = torch.tensor([len(f) for f in frames], device=device)
    weights = torch.tensor([s.weight for s in sources], device=device)
    return Clips({"features": torch.cat(frames)}, lengths, weights), torch.tensor(ids, device=device)


class Contrast:
    """The losses of one training step."""

    def __init__(
        self,
        clips: Clips,
        captions: Tensor,
        words: Words,
        normalisation: Normalisation,
        config: EvaluatorConfig,
    ) -> None:
        self.clips = clips
        self.captions = captions
        self.words = words
        self.normalisation = normalisation
        self.config = config

    def __call__(self, network: nn.Module, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of training step ``step``, all its random numbers from ``generator``."""
        config, device = self.config, generator.device
        # dropout draws from the global generator, which a run that goes on must find as it was
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator, device=device)))

        def random(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        index = self.clips.draw(config.batch, generator)
        longest = int(self.clips.lengths[index].max())
        part = config.shortest_crop + (1 - config.shortest_crop) * float(random(1))
        batch = self.clips.batch(index, max(FRAME_MULTIPLE, round(part * longest)), generator)
        tokens, mask, places = self._looked_at(batch, random)
        noise = torch.randn(tokens.shape, generator=generator, device=device)
        tokens = tokens + config.noise * random(len(tokens), 1, 1) * noise
        column = (random(len(index), 1) * self.captions.shape[1]).long()
        ids = self.captions[index].gather(1, column)[:, 0]
        states, real = self.words.table.states(ids)
        seen = real & (random(*real.shape) >= config.drop_text)
        seen[:, 0] = True
        motions, texts = network(tokens, mask, places, states, seen)
        loss = contrastive_loss(motions, texts, self.words.same(ids, config.same), config.temperature)
        found = (motions @ texts.T).argmax(0) == torch.arange(len(ids), device=device)
        return {"loss": loss, "found": found.float().mean()}

    def _looked_at(self, batch: Batch, random: Callable[..., Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Some tokens of each clip: normalised features (B, N, P), which are real (B, N), and their places (B, N).

        Tokens that are not looked at cost nothing (Li et al., FLIP, 2023).
        """
        mask = batch.mask[:, :: self.config.sizes.patch]
        count = max(1, round(mask.shape[1] * (1 - self.config.drop_motion)))
        # real tokens in random order, then the padding
        places = torch.where(mask, random(*mask.shape), 2.0).argsort(1)[:, :count]
        frames = batch.frames["features"].unflatten(1, (mask.shape[1], -1))
        rows = torch.arange(len(mask), device=mask.device)[:, None]
        tokens = self.normalisation.apply(frames[rows, places]).flatten(2)
        return tokens, mask.gather(1, places), places


def real_r_precision(
    embed: FrozenEvaluator, features: Sequence[Tensor], captions: Sequence[Sequence[str]], repeats: int = 10
) -> dict[str, float]:
    """R-precision of captioned motions under an evaluator, a caption of each drawn at random, over ``repeats``."""
    generator = np.random.default_rng(0)
    motions = embed.embed(features)
    flat = [caption for several in captions for caption in several]
    texts = embed.texts(flat)
    first = np.cumsum([0, *map(len, captions)])[:-1]
    counts = np.array([len(several) for several in captions])
    found = []
    for _ in range(repeats):
        rows = first + (generator.random(len(counts)) * counts).astype(int)
        found.append(r_precision(texts[rows], motions, generator))
    return {f"top_{k}": float(v) for k, v in zip((1, 2, 3), np.mean(found, axis=0), strict=True)}


def _described(segment: Segment) -> Segment:
    """The segment with the database's own words as one more caption: other people put things otherwise."""
    return replace(segment, captions=(*segment.captions, *filter(None, [segment.description.strip()])))


def fit_evaluator(
    pack: Pack, config: EvaluatorConfig, folder: Path, facts: dict[str, object]
) -> engine.Outcome:
    """Train an evaluator on a pack's "train"; ``folder/evaluator.safetensors`` is the one that does best on "val".

    UserError where the pack has nothing to train or to choose by.
    """
    training = captioned([_described(segment) for segment in pack.select("train")])
    held_out = captioned(pack.select("val"))
    if len(training) < 2 or not held_out:
        raise UserError(
            "The pack needs captioned segments to train on and captioned segments for validation.",
            'Give captioned segments the splits "train" and "val".',
        )
    fabric = engine.fabric_for(config.engine)
    torch.manual_seed(config.engine.seed)
    table = CaptionTable()
    sources = source_clips(pack, training, table, mirror=True)
    table.encode(text_encoder(), fabric.device)
    clips, captions = feature_clips(sources, fabric.device)
    normalisation = Normalisation.of(clips.frames["features"])
    losses = Contrast(clips, captions, Words(table, fabric.device), normalisation, config)
    best = folder / NAME
    score = float(FrozenEvaluator.load(best).facts["score"]) if best.is_file() else -1.0
    features = features_of([joints(pack, s).numpy() for s in held_out])

    def validate(network: nn.Module, step: int) -> dict[str, float]:
        nonlocal score
        assert isinstance(network, Evaluator)
        own = FrozenEvaluator(network, normalisation, {}, "")
        found = real_r_precision(own, features, [s.captions for s in held_out])
        mean = sum(found.values()) / len(found)
        if mean > score:
            score = mean
            save_evaluator(best, network, normalisation, {**facts, "step": step, "score": mean})
        return {f"validation/{name}": value for name, value in found.items()}

    outcome = engine.run(Evaluator(config.sizes), losses, config.engine, folder, fabric, validate)
    validate(outcome.network, outcome.step)
    return outcome


def held_out_r_precision(pack: Pack, evaluator: FrozenEvaluator) -> dict[str, dict[str, float]]:
    """R-precision of the real motions of a pack's "val" and "test", as far as it has them."""
    found = {}
    for split in ("val", "test"):
        if segments := captioned(pack.select(split)):
            features = features_of([joints(pack, s).numpy() for s in segments])
            found[split] = real_r_precision(evaluator, features, [s.captions for s in segments])
    return found
