# SPDX-License-Identifier: Apache-2.0
"""What a study's answers say: how often each source was preferred, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest

from videomdm.errors import UserError

from .files import Answers, Key, read_answers, read_key


@dataclass(frozen=True)
class Score:
    """Counts over all answers.

    wins:       of the two sources, in the key's order.
    preference: part of the decided answers that prefer the first source; nan where none is decided.
    interval:   its 95 % interval (Wilson, 1927), which takes all answers for independent.
    p_value:    of both being equally good (exact binomial test, two-sided).
    left:       part of the decided answers that prefer the left side; far from a half it is a habit.
    """

    sources: tuple[str, str]
    participants: int
    pairs: int
    wins: tuple[int, int]
    ties: int
    preference: float
    interval: tuple[float, float]
    p_value: float
    left: float

    def markdown(self) -> str:
        """For people."""
        answers = sum(self.wins) + self.ties
        rows = [
            f"| preferred | answers of {answers} | |",
            "|---|---|---|",
            *(
                f"| {name} | {n} | {n / answers:.1%} |"
                for name, n in zip(self.sources, self.wins, strict=True)
            ),
            f"| no difference | {self.ties} | {self.ties / answers:.1%} |",
        ]
        first, second = self.sources
        told = f"{self.participants} participants, {self.pairs} pairs."
        if sum(self.wins):
            low, high = self.interval
            told += (
                f"  Of {sum(self.wins)} decided answers, {self.preference:.1%} prefer {first} to {second} "
                f"(95 % interval {low:.1%} to {high:.1%}, Wilson; p = {self.p_value:.2g}); "
                f"{self.left:.1%} prefer the left side."
            )
        return "\n".join([*rows, "", told])


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
    wins, ties, left = [0, 0], 0, 0
    for answers in several:
        for pair, answer in zip(key.pairs, answers.answers, strict=True):
            if answer.choice == "same":
                ties += 1
            else:
                on_left = answer.choice == "left"
                wins[pair.left if on_left else 1 - pair.left] += 1
                left += on_left
    decided = sum(wins)
    preference, interval, p_value = float("nan"), (0.0, 1.0), 1.0
    if decided:
        test = binomtest(wins[0], decided)
        wilson = test.proportion_ci(0.95, method="wilson")
        preference, interval = wins[0] / decided, (float(wilson.low), float(wilson.high))
        p_value = float(test.pvalue)
    return Score(
        key.sources,
        len(several),
        len(key.pairs),
        (wins[0], wins[1]),
        ties,
        preference,
        interval,
        p_value,
        left / decided if decided else float("nan"),
    )
