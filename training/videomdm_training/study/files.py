# SPDX-License-Identifier: Apache-2.0
"""The key and the answers of a study: two JSON files that only together say what was preferred.

The key says which of the two motions of each pair is whose, and never is in the page.  The answers say in which
order and on which sides one participant saw them, and left, right or same of each; they carry a CRC-32 of it all.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from videomdm.errors import UserError
from videomdm.motion.clip import write_atomically
from videomdm.motion.files import read_bytes

Choice = Literal["left", "same", "right"]
_DAMAGE = (msgspec.DecodeError, RecursionError)  # msgspec gives up on what is nested too deeply
_MOST_BYTES = 4 * 2**20  # 500 pairs with long captions take a tenth of it


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of a key: its caption, and the index in ``Key.sources`` of the first of its motions in the page."""

    caption: str
    first: Literal[0, 1]


class Key(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="videomdm-study-key"
):
    """What the page does not say: the two sources, which motion is whose, and how the motions were made."""

    study: str
    sources: tuple[str, str]
    pairs: tuple[Pair, ...]
    settings: Mapping[str, str | int | float]
    version: Literal[2] = 2


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer.

    pair:         the pair's number in the page.
    flipped:      whether the first of its motions was on the right, and the second on the left.
    milliseconds: how long the pair was shown.
    """

    pair: int
    flipped: bool
    choice: Choice
    milliseconds: Annotated[int, msgspec.Meta(ge=0)]

    def place(self) -> int:
        """Which of the pair's motions was preferred, 0 or 1; ValueError where neither was."""
        if self.choice == "same":
            raise ValueError("neither was preferred")
        return int((self.choice == "right") != self.flipped)


class Answers(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="videomdm-study-answers"
):
    """All answers of one participant, in the order in which the pairs were shown."""

    study: str
    participant: str
    answers: tuple[Answer, ...]
    checksum: str
    version: Literal[2] = 2

    def expected_checksum(self) -> str:
        """CRC-32 of study, participant and all that the answers say."""
        told = ",".join(f"{a.pair}:{int(a.flipped)}:{a.choice}:{a.milliseconds}" for a in self.answers)
        return f"{zlib.crc32(f'{self.study}|{self.participant}|{told}'.encode()):08x}"


def write_key(path: Path, key: Key) -> Path:
    """Write a key."""
    return write_atomically(path, msgspec.json.format(msgspec.json.encode(key), indent=1))


def read_key(path: Path) -> Key:
    """Read a key; UserError where it is missing or damaged."""
    try:
        key = msgspec.json.decode(read_bytes(path, _MOST_BYTES), type=Key)
    except _DAMAGE as error:
        raise UserError(
            f"{path} is no key of a study, or is damaged: {error}.",
            "Give the .key.json that `videomdm train study make` wrote.",
        ) from error
    if not key.pairs or key.sources[0] == key.sources[1]:
        raise UserError(f"The key {path} has no pairs of two sources.", "Make the study again.")
    return key


def read_answers(path: Path, key: Key) -> Answers:
    """Read one participant's answers; UserError where they are not whole, or not to the study of ``key``."""
    again = "Ask the participant to save the answers again, or leave this file out."
    try:
        answers = msgspec.json.decode(read_bytes(path, _MOST_BYTES), type=Answers)
    except _DAMAGE as error:
        raise UserError(f"{path} holds no answers of a study, or is damaged: {error}.", again) from error
    if answers.study != key.study:
        raise UserError(
            f"{path} answers the study {_short(answers.study)}, the key is of {key.study}.",
            "Give the key that was made with that page.",
        )
    if sorted(answer.pair for answer in answers.answers) != list(range(len(key.pairs))):
        raise UserError(f"{path} does not answer each of the {len(key.pairs)} pairs once.", again)
    if (
        not re.fullmatch("[0-9a-f]{1,64}", answers.participant)
        or answers.checksum != answers.expected_checksum()
    ):
        raise UserError(f"{path} was changed after it was saved: its checksum does not fit.", again)
    return answers


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
