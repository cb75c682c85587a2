# SPDX-License-Identifier: Apache-2.0
"""The key and the answers of a study: two JSON files that only together say what was preferred.

The key says which source is on which side of each pair, and never is in the page.  The answers say left, right or
same, and carry a CRC-32 of what they say.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from videomdm.errors import UserError
from videomdm.motion.clip import write_atomically

Choice = Literal["left", "same", "right"]


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pair of a key: its caption, and the index in ``Key.sources`` of what is on the left."""

    caption: str
    left: Literal[0, 1]


class Key(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="videomdm-study-key"
):
    """What the page does not say: the two sources, their places, and how the motions were made."""

    study: str
    sources: tuple[str, str]
    pairs: tuple[Pair, ...]
    settings: Mapping[str, Any]
    version: Literal[1] = 1


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer: the pair's number, the choice, and the seconds that it took."""

    pair: int
    choice: Choice
    seconds: float


class Answers(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="videomdm-study-answers"
):
    """All answers of one participant."""

    study: str
    participant: str
    answers: tuple[Answer, ...]
    checksum: str
    version: Literal[1] = 1

    def expected_checksum(self) -> str:
        """CRC-32 of study, participant and choices."""
        told = ",".join(f"{answer.pair}:{answer.choice}" for answer in self.answers)
        return f"{zlib.crc32(f'{self.study}|{self.participant}|{told}'.encode()):08x}"


def write_key(path: Path, key: Key) -> Path:
    """Write a key."""
    return write_atomically(path, msgspec.json.format(msgspec.json.encode(key), indent=1))


def read_key(path: Path) -> Key:
    """Read a key; UserError where it is missing or damaged."""
    try:
        key = msgspec.json.decode(_bytes(path, "key"), type=Key)
    except msgspec.DecodeError as error:
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
        answers = msgspec.json.decode(_bytes(path, "answers"), type=Answers)
    except msgspec.DecodeError as error:
        raise UserError(f"{path} holds no answers of a study, or is damaged: {error}.", again) from error
    if answers.study != key.study:
        raise UserError(
            f"{path} answers the study {_short(answers.study)}, the key is of {key.study}.",
            "Give the key that was made with that page.",
        )
    if [answer.pair for answer in answers.answers] != list(range(len(key.pairs))):
        raise UserError(
            f"{path} does not answer each of the {len(key.pairs)} pairs once, in their order.", again
        )
    if (
        not re.fullmatch("[0-9a-f]{1,64}", answers.participant)
        or answers.checksum != answers.expected_checksum()
    ):
        raise UserError(f"{path} was changed after it was saved: its checksum does not fit.", again)
    return answers


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"The {what} {path} cannot be read ({error.strerror}).", "Check the path.") from error
