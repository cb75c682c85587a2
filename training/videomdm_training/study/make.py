# SPDX-License-Identifier: Apache-2.0
"""Make a study: motions of two sources for the same words, and a key that alone knows whose they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from videomdm.errors import UserError
from videomdm.model.registry import find_model
from videomdm.motion.clip import FPS, write_atomically
from videomdm.progress import progress_bar

from ..datasets.pack import Pack
from ..evaluate.sampling import SamplingSettings, is_flat, load_maker, sampler_for
from ..sheet import PROMPTS
from ..sources import LONGEST, joints, usable
from .files import Key, Pair, write_key
from .page import Shown, build_page, page_data, study_id

REAL = "real"
SPLIT = "test"


@dataclass(frozen=True)
class StudySettings:
    """What is shown.

    pack:     data set whose held-out captions are asked for, each as long as its motion; None takes ``prompts``.
    prompts:  words to ask for; none takes those of the contact sheet.
    pairs:    how many pairs.
    seconds:  length of each motion, without a pack.
    seed:     of captions and motions; which motion is whose is drawn from it as well, so who knows it knows the
              key.  None takes a secret one, which the key keeps.
    sampling: how models are asked.
    """

    pack: Path | None = None
    prompts: Sequence[str] = ()
    pairs: int = 24
    seconds: float = 5.0
    seed: int | None = None
    sampling: SamplingSettings = field(default_factory=SamplingSettings)


@dataclass(frozen=True)
class _Task:
    """What is asked of both sources: words, frames, and the recorded motion (T, 22, 3) where there is one."""

    caption: str
    frames: int
    real: np.ndarray | None


def make_study(first: str, second: str, page: Path, settings: StudySettings) -> tuple[Path, Path]:
    """Write the page and, beside it, the key; returns both paths.

    ``first`` and ``second`` are models (name or folder), run folders of `train flat`, whose views are made to
    agree, or "real" for the recorded motions of the pack.  UserError where the page or its key is there already:
    answers to a page are worth nothing without its own key.
    """
    key_file, sources = page.with_suffix(".key.json"), (first, second)
    for path in (page, key_file):
        if path.exists():
            raise UserError(f"{path} is there already.", "Give another name, or move that study away first.")
    _check(sources, settings)
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    generator = np.random.default_rng(seed)
    tasks = _tasks(settings, generator)
    motions = _motions(sources, tasks, settings.sampling, seed)
    firsts = generator.permutation(np.arange(len(tasks)) % 2)  # the source of the first motion of each pair
    shown, pairs = [], []
    for task, both, one in zip(tasks, zip(*motions, strict=True), firsts, strict=True):
        shown.append(Shown(task.caption, (both[one], both[1 - one])))
        pairs.append(Pair(task.caption, 1 if one else 0))
    data = page_data(shown, FPS)
    facts: dict[str, str | int | float] = {"seed": seed, **asdict(settings.sampling)}
    if settings.pack is not None:
        facts |= {"pack": settings.pack.name, "split": SPLIT}
    key = Key(study_id(data, sources), sources, tuple(pairs), facts)
    text = build_page(key.study, data)
    write_key(key_file, key)
    try:
        write_atomically(page, text.encode())
    except UserError:
        key_file.unlink(missing_ok=True)  # of a page that there is not
        raise
    return page, key_file


def _check(sources: tuple[str, str], settings: StudySettings) -> None:
    """UserError where the sources cannot be had, or are one."""
    if settings.pack is None and REAL in sources:
        raise UserError("Recorded motions come from a packed data set.", "Give it with --pack.")
    first, second = (name if name == REAL else _home(name) for name in sources)
    if first == second:
        raise UserError("Both sources are the same.", "Compare a model with another, or with real.")


def _home(name: str) -> Path:
    """The folder of a model, however it is spelled; UserError where there is none."""
    return (Path(name) if is_flat(name) else find_model(name)).resolve()


def _tasks(settings: StudySettings, generator: np.random.Generator) -> list[_Task]:
    if settings.pack is None:
        prompts = list(settings.prompts) or list(PROMPTS)
        frames = round(settings.seconds * FPS)
        return [_Task(prompts[i % len(prompts)], frames, None) for i in range(settings.pairs)]
    data = Pack.load(settings.pack)
    segments = [segment for segment in usable(data.select(SPLIT)) if segment.captions]
    if len(segments) < settings.pairs:
        raise UserError(
            f"{settings.pack} has {len(segments)} segments of the split {SPLIT} with captions, "
            f"fewer than {settings.pairs} pairs.",
            "Ask for fewer with --pairs.",
        )
    tasks = []
    for i in generator.permutation(len(segments))[: settings.pairs]:
        segment = segments[i]
        real = joints(data, segment).numpy()
        caption = segment.captions[int(generator.integers(len(segment.captions)))]
        tasks.append(_Task(caption, len(real), real))
    return tasks


def _motions(
    sources: tuple[str, str], tasks: Sequence[_Task], sampling: SamplingSettings, seed: int
) -> list[list[np.ndarray]]:
    """The motions (T, 22, 3) of each source for each task, no longer than what both sources can make."""
    captions = [task.caption for task in tasks]
    samplers = [
        None if name == REAL else sampler_for(load_maker(name), captions, sampling) for name in sources
    ]
    longest = min([LONGEST, *(sampler.longest for sampler in samplers if sampler is not None)])
    lengths = [min(task.frames, longest) for task in tasks]
    motions = []
    for number, (name, sampler) in enumerate(zip(sources, samplers, strict=True)):
        if sampler is None:
            motions.append([task.real[:longest] for task in tasks if task.real is not None])
            continue
        with progress_bar(total=len(tasks), desc=Path(name).name, unit="clip") as bar:
            motions.append(sampler(captions, lengths, seed + number, bar.update))
    return motions
