# SPDX-License-Identifier: Apache-2.0
"""What a study's answers say: how often each source was preferred, and how sure that is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videomdm.errors import UserError

from .files import Answers, Key, read_answers, read_key
from .statistics import agreement, preference_interval, sign_flip_p_value


@dataclass(frozen=True)
class PairScore:
    """Answers to one pair: its caption, how many prefer each source, and how many neither."""

    caption: str
    wins: tuple[int, int]
    ties: int


@dataclass(frozen=True)
class Score:
    """What all answers say.

    pairs:      answers to each pair, in the page's order.
    wins:       of the two sources, in the key's order.
    preference: part of the decided answers that prefer the first source; nan where none is decided.
    interval:   its 95 % interval, for other pairs and other participants of the same kinds.
    p_value:    of both being equally good, by flipping the signs of whole pairs.
    p_people:   the same by flipping those of whole participants.
    agreement:  how often two participants who both decided on a pair preferred the same; nan where no two did.
    left:       part of the decided answers that prefer the left side; far from a half it is a habit.
    seconds:    median time of an answer.
    """

    sources: tuple[str, str]
    participants: int
    pairs: tuple[PairScore, ...]
    wins: tuple[int, int]
    ties: int
    preference: float
    interval: tuple[float, float]
    p_value: float
    p_people: float
    agreement: float
    left: float
    seconds: float

    def markdown(self) -> str:
        """For people."""
        first, second = map(_escaped, self.sources)
        answers = sum(self.wins) + self.ties
        parts = zip((first, second, "no difference"), (*self.wins, self.ties), strict=True)
        lines = [
            f"| preferred | answers of {answers} | |",
            "|---|---|---|",
            *(f"| {name} | {n} | {n / answers:.1%} |" for name, n in parts),
            "",
            f"{self.participants} participants, {len(self.pairs)} pairs; half of the answers took "
            f"{self.seconds:.1f} s or less.",
        ]
        if sum(self.wins):
            low, high = self.interval
            lines.append(
                f"Of {sum(self.wins)} decided answers, {self.preference:.1%} prefer {first} to {second} "
                f"(95 % interval {low:.1%} to {high:.1%}, over pairs and participants)."
            )
            lines.append(
                f"Sign-flip test: p = {self.p_value:.2g} over pairs, {self.p_people:.2g} over participants.  "
                f"{self.left:.1%} prefer the left side."
            )
        if not np.isnan(self.agreement):
            lines.append(
                f"Two participants who both decided on a pair agree in {self.agreement:.1%} "
                "(half, were all answers chance)."
            )
        lines += ["", f"| pair | {first} | {second} | no difference |", "|---|---|---|---|"]
        lines += [f"| {_escaped(p.caption)} | {p.wins[0]} | {p.wins[1]} | {p.ties} |" for p in self.pairs]
        return "\n".join(lines)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|$~])", r"\\\1", " ".join(text.split()))


def score(key_file: Path, answer_files: Sequence[Path]) -> Score:
    """The score of several participants' answers; UserError where one of the files is not what it should be."""
    key = read_key(key_file)
    several = [read_answers(path, key) for path in answer_files]
    counts = Counter(answers.participant for answers in several)
    for path, answers in zip(answer_files, several, strict=True):
        if counts[answers.participant] > 1:
            raise UserError(
                f"{path} is from a participant whose answers were given more than once.",
                "Give one file for each participant.",
            )
    return count(key, several)


def count(key: Key, several: Sequence[Answers]) -> Score:
    """The score of answers that fit the key; at least one participant."""
    prefers = np.zeros((len(several), len(key.pairs)), int)  # 1 for the first source, -1 for the second
    left = 0
    for row, answers in zip(prefers, several, strict=True):
        for answer in answers.answers:
            if answer.choice != "same":
                row[answer.pair] = 1 if answer.place() == key.pairs[answer.pair].first else -1
                left += answer.choice == "left"
    pairs = tuple(
        PairScore(pair.caption, _wins(column), int((column == 0).sum()))
        for pair, column in zip(key.pairs, prefers.T, strict=True)
    )
    wins, decided = _wins(prefers), int((prefers != 0).sum())
    return Score(
        key.sources,
        len(several),
        pairs,
        wins,
        prefers.size - decided,
        wins[0] / decided if decided else float("nan"),
        preference_interval(prefers) if decided else (0.0, 1.0),
        sign_flip_p_value(prefers.sum(0)),
        sign_flip_p_value(prefers.sum(1)),
        agreement(prefers),
        left / decided if decided else float("nan"),
        float(np.median([a.milliseconds / 1000 for answers in several for a in answers.answers])),
    )


def _wins(prefers: np.ndarray) -> tuple[int, int]:
    return int((prefers > 0).sum()), int((prefers < 0).sum())
