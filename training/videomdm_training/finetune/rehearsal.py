# SPDX-License-Identifier: Apache-2.0
"""Keeping what the base can do: it makes motions of everyday prompts, and the new model must denoise them alike.

A handful of clips pulls every prompt towards itself.  So the base first generates motions of ``PROMPTS``; in each
step the new model denoises some of them at a random noise, and what it predicts is drawn to what the base predicts
there (rehearsal: Robins, 1995; with distillation: Li and Hoiem, "Learning without Forgetting", 2016).  It needs none
of the data that the base was trained on.
"""

from __future__ import annotations

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
HELD_PROMPTS = (
    "a person walks forward", "a person jumps in place", "a man is boxing", "a person raises the right hand",
    "somebody limps", "a person steps to the side",
)  # fmt: skip
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
    ) -> None:
        """``words`` must hold ``PROMPTS``, encoded; the motions are made at once, on the captions' device."""
        self.base = base
        self.words = words
        self.schedule = schedule
        self.config = config
        self.drop_text = drop_text
        device = words.flat.device
        prompts = torch.tensor([words.add(p) for p in PROMPTS], device=device)
        self.captions = prompts.repeat(-(-config.clips // len(prompts)))[: config.clips]
        made, lengths = [], []
        for number, ids in enumerate(self.captions.split(len(prompts))):
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
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            target = self.base(x_t, t, *text, batch.mask).float()
        return feature_loss(network(x_t, t, *text, batch.mask).float(), target, batch.mask)


def forgetting(
    base: nn.Module, network: nn.Module, words: CaptionTable, normalisation: Normalisation, schedule: Schedule
) -> float:
    """How far the joints of both networks' motions of ``HELD_PROMPTS`` lie apart about the root, metres.

    Both start from the same noise; the mean over 4 s, all joints and prompts.  None of the prompts is rehearsed.
    """
    ids = torch.tensor([words.add(p) for p in HELD_PROMPTS], device=words.flat.device)
    joints = []
    for one in (base, network):
        made = dream(one, words.states(ids), round(4 * FPS), schedule, seed=1)
        positions = decode(normalisation.undo(made))
        joints.append(positions - positions[:, :, :1])
    return float((joints[0] - joints[1]).norm(dim=-1).mean())
