# SPDX-License-Identifier: Apache-2.0
"""Keeping what the base can do: it makes motions of everyday prompts, and the new model must denoise them alike.

A handful of clips pulls every prompt towards itself.  So the base first generates motions of ``PROMPTS``; in each
step the new model denoises some of them at a random noise, and what it predicts is drawn to what the base predicts
there (rehearsal: Robins, 1995; with distillation: Li and Hoiem, "Learning without Forgetting", 2016).  It needs none
of the data that the base was trained on.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videomdm.diffusion.guidance import text_guided
from videomdm.diffusion.sampling import ddim
from videomdm.diffusion.schedule import Schedule
from videomdm.errors import UserError
from videomdm.model.denoiser import Denoiser
from videomdm.motion.clip import FPS
from videomdm.motion.representation import decode
from videomdm.progress import progress_bar

from ..captions import CaptionTable
from ..clips import Clips
from ..losses import feature_loss
from ..normalisation import Normalisation

PROMPTS = (
    "a person walks", "a person walks slowly in a circle", "someone walks backwards", "a person runs",
    "a person jogs and turns around", "a person jumps forward", "a person hops on one leg",
    "someone throws punches", "a person kicks", "a person waves", "a person claps their hands",
    "a person sits down on a chair", "someone gets up from the floor", "a person crouches and stands up again",
    "a person dances", "a person picks something up from the ground", "someone throws a ball",
    "a person climbs stairs", "a person stretches both arms", "a person stands still and looks around",
    "a person turns to the left", "a person turns to the right", "someone sneaks", "a person bends to the side",
)  # fmt: skip
# other actions, not other words for those above
HELD_PROMPTS = (
    "a man swings a golf club", "a person dribbles a basketball", "a person sweeps with a broom",
    "someone swims", "a person does a cartwheel", "someone crawls",
    "somebody drinks from a bottle", "a person washes a window",
)  # fmt: skip
# words that name no action
_SILENT = {
    "a", "an", "the", "person", "man", "woman", "somebody", "someone", "people", "is", "are", "in", "on",
    "of", "to", "at", "and", "with", "from", "while", "then", "as", "their", "his", "her", "its", "it",
    "he", "she", "they", "them", "him", "does", "do", "there", "for", "up", "down",
}  # fmt: skip
_STEPS, _GUIDANCE = 20, 2.5


@dataclass(frozen=True)
class RehearsalConfig:
    """How hard the new model is held to its base.

    weight: of this loss beside the one of the clips; 0 switches it off.
    clips:  motions that the base makes for it.
    batch:  of them in each step.
    """

    weight: float = 1.0
    clips: int = 72
    batch: int = 8

    def __post_init__(self) -> None:
        if self.weight < 0 or self.clips < 1 or self.batch < 1:
            raise UserError(
                "rehearsal.weight must not be negative, rehearsal.clips and rehearsal.batch must be at least 1.",
                "Change the configuration.",
            )


@torch.no_grad()
def dream(
    network: nn.Module, texts: tuple[Tensor, Tensor], frames: int, schedule: Schedule, seed: int
) -> Tensor:
    """Normalised features (B, T, D) that ``network`` makes of prompts, one for each row of ``texts``."""
    states, mask = texts
    noise = torch.randn(len(states), frames, 263, generator=torch.Generator().manual_seed(seed))
    guided = text_guided(network, states, mask, _GUIDANCE)
    # a clone leaves inference mode, in which nothing can be trained on
    return ddim(guided, noise.to(states.device), schedule, _STEPS).clone()


def rehearsed(captions: Collection[str]) -> tuple[str, ...]:
    """The prompts to keep: what a studio says itself is to change, and is not among them."""
    own = {caption.strip(" .").lower() for caption in captions}
    return tuple(prompt for prompt in PROMPTS if prompt not in own) or PROMPTS


def unrelated(captions: Collection[str]) -> tuple[str, ...]:
    """Of ``HELD_PROMPTS`` those that share no word of meaning with any caption, or else the fewest."""
    own = set().union(*map(_meaning, captions))
    shared = {prompt: len(_meaning(prompt) & own) for prompt in HELD_PROMPTS}
    return tuple(prompt for prompt, words in shared.items() if words == min(shared.values()))


def _meaning(text: str) -> set[str]:
    """The words of a text but those that name no action, without the endings of verbs and plurals."""
    words = set(re.findall(r"[a-z]+", text.lower())) - _SILENT
    return {re.sub(r"(?<=[a-z]{3})(ing|es|ed|s|e)$", "", word) for word in words}


class Rehearsal:
    """The base, the motions it made, and the loss of forgetting them."""

    def __init__(
        self,
        base: Denoiser,
        words: CaptionTable,
        schedule: Schedule,
        config: RehearsalConfig,
        drop_text: float,
        seed: int,
        precision: str,
        captions: Collection[str] = (),
    ) -> None:
        """``words`` must hold ``PROMPTS``, encoded; the motions are made at once, on the captions' device.

        ``precision`` is the engine's: both networks are to be off by the same.  ``captions`` are the studio's.
        """
        self.base = base
        self.words = words
        self.schedule = schedule
        self.config = config
        self.drop_text = drop_text
        self.half = precision == "bf16-mixed"
        device = words.flat.device
        prompts = torch.tensor([words.add(p) for p in rehearsed(captions)], device=device)
        self.captions = prompts.repeat(-(-config.clips // len(prompts)))[: config.clips]
        made, lengths = [], []
        parts = self.captions.split(len(prompts))
        for number, ids in enumerate(progress_bar(parts, desc="rehearsal", unit="batch")):
            frames = (60, 100, 160)[number % 3]
            made.append(dream(base, words.states(ids), frames, schedule, seed + number).flatten(0, 1))
            lengths += [frames] * len(ids)
        self.clips = Clips({"x0": torch.cat(made)}, torch.tensor(lengths, device=device))

    def loss(self, network: nn.Module, generator: torch.Generator) -> Tensor:
        """Mean squared difference of both networks' predictions, normalised features."""
        batch = self.clips.batch(self.clips.draw(self.config.batch, generator))
        x, device = batch.frames["x0"], generator.device
        t = torch.randint(0, len(self.schedule), (len(x),), generator=generator, device=device)
        keep = torch.rand(len(x), generator=generator, device=device) >= self.drop_text
        text = self.words.states(self.captions[batch.index], keep)
        noise = torch.randn(x.shape, generator=generator, device=device)
        x_t = self.schedule.diffuse(x, noise, t)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=self.half):
            target = self.base(x_t, t, *text, batch.mask).float()
        return feature_loss(network(x_t, t, *text, batch.mask).float(), target, batch.mask)


@dataclass(frozen=True)
class Forgetting:
    """How much of its base a model lost, in metres: means over 4 s, all joints about the root, and prompts.

    moved: between the motions of both for one prompt and one noise.
    seeds: between two motions of the base for one prompt: how far apart it deems right.
    """

    moved: float
    seeds: float


def forgetting(
    base: nn.Module,
    network: nn.Module,
    words: CaptionTable,
    normalisation: Normalisation,
    schedule: Schedule,
    captions: Collection[str] = (),
) -> Forgetting:
    """What ``network`` lost of ``base``, by prompts unrelated to those of the rehearsal and to ``captions``."""
    ids = torch.tensor([words.add(p) for p in unrelated(captions)], device=words.flat.device)

    def about_root(model: nn.Module, seed: int) -> Tensor:
        made = dream(model, words.states(ids), round(4 * FPS), schedule, seed)
        positions = decode(normalisation.undo(made))
        return positions - positions[:, :, :1]

    def apart(one: Tensor, other: Tensor) -> float:
        return float((one - other).norm(dim=-1).mean())

    was = about_root(base, 1)
    return Forgetting(apart(was, about_root(network, 1)), apart(was, about_root(base, 2)))
