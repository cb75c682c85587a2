# SPDX-License-Identifier: Apache-2.0
"""Make a study: motions of two sources for the same words, put side by side in an order that only the key knows."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import FPS, write_atomically
from videomdm.pipeline import Pipeline
from videomdm.progress import progress_bar

from ..datasets.pack import Pack, Segment
from ..evaluate.sampling import ModelSampler, SamplingSettings
from ..sheet import PROMPTS
from ..sources import joints, usable
from .files import Key, Pair, write_key
from .page import Shown, build_page

REAL = "real"
SPLIT = "test"


@dataclass(frozen=True)
class StudySettings:
    """What is shown.

    pack:    data set whose held-out captions are asked for, each as long as its motion; None takes ``prompts``.
    prompts: words to ask for; none takes those of the contact sheet.
    pairs:   how many pairs.
    seconds: length of each motion, without a pack.
    seed:    of captions and motions; the order is drawn from it as well, so who knows it knows the key.  None
             takes a secret one, which the key keeps.
    """

    pack: Path | None = None
    prompts: Sequence[str] = ()
    pairs: int = 24
    seconds: float = 5.0
    seed: int | None = None


@dataclass(frozen=True)
class _Task:
    """What is asked of both sources: words, frames, and the recorded motion (T, 22, 3) where there is one."""

    caption: str
    frames: int
    real: np.ndarray | None


def make_study(first: str, second: str, page: Path, settings: StudySettings) -> tuple[Path, Path]:
    """Write the page and, beside it, the key; returns both paths.

    ``first`` and ``second`` are models (name or folder), or "real" for the recorded motions of the pack.
    """
    if settings.pack is None and REAL in (first, second):
        raise UserError("Recorded motions come from a packed data set.", "Give it with --pack.")
    if first == second:
        raise UserError("Both sources are the same.", "Compare a model with another, or with real.")
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    generator = np.random.default_rng(seed)
    models = {name: Pipeline.load(name) for name in (first, second) if name != REAL}
    longest = min([10.0, *(model.info.max_seconds for model in models.values())])
    tasks = _tasks(settings, generator, round(longest * FPS))
    motions = [
        _recorded(tasks) if name == REAL else _made(models[name], tasks, seed + number)
        for number, name in enumerate((first, second))
    ]
    left = generator.permutation(np.arange(len(tasks)) % 2)
    shown = [
        Shown(task.caption, motions[side][i], motions[1 - side][i])
        for i, (task, side) in enumerate(zip(tasks, left, strict=True))
    ]
    study = generator.bytes(6).hex()
    facts = {"seed": seed, "pack": settings.pack.name if settings.pack else "", "split": SPLIT}
    sampling = SamplingSettings()
    facts |= {"denoising steps": sampling.steps, "guidance": sampling.guidance}
    key = Key(
        study,
        (first, second),
        tuple(Pair(t.caption, 1 if s else 0) for t, s in zip(tasks, left, strict=True)),
        facts,
    )
    key_file = page.with_suffix(".key.json")
    write_key(key_file, key)
    write_atomically(page, build_page(study, shown, FPS).encode())
    return page, key_file


def _tasks(settings: StudySettings, generator: np.random.Generator, longest: int) -> list[_Task]:
    if settings.pack is None:
        prompts = list(settings.prompts) or list(PROMPTS)
        frames = min(round(settings.seconds * FPS), longest)
        return [_Task(prompts[i % len(prompts)], frames, None) for i in range(settings.pairs)]
    data = Pack.load(settings.pack)
    segments: list[Segment] = usable(data.select(SPLIT))
    if len(segments) < settings.pairs:
        raise UserError(
            f"{settings.pack} has {len(segments)} segments of the split {SPLIT}, fewer than {settings.pairs} pairs.",
            "Ask for fewer with --pairs.",
        )
    tasks = []
    for i in generator.permutation(len(segments))[: settings.pairs]:
        segment = segments[i]
        real = joints(data, segment).numpy()[:longest]
        caption = segment.captions[int(generator.integers(len(segment.captions)))]
        tasks.append(_Task(caption, len(real), real))
    return tasks


def _recorded(tasks: Sequence[_Task]) -> list[np.ndarray]:
    return [task.real for task in tasks if task.real is not None]


def _made(pipeline: Pipeline, tasks: Sequence[_Task], seed: int) -> list[np.ndarray]:
    sampler = ModelSampler(pipeline, [task.caption for task in tasks], SamplingSettings())
    with progress_bar(total=len(tasks), desc=pipeline.info.name, unit="clip") as bar:
        return sampler([t.caption for t in tasks], [t.frames for t in tasks], seed, bar.update)
