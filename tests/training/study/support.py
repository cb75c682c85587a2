# SPDX-License-Identifier: Apache-2.0
"""Answers made by hand, and the page in the hands of a made browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from videomdm_training.study.files import Answer, Answers, Key


def browse(page: Path, *deeds: str) -> dict[str, Any]:
    """What browser.js saw while it did ``deeds``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, Path(__file__).with_name("browser.js"), page, ",".join(deeds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def answers_for(
    key: Key, choices: Sequence[str], participant: str = "0a", flips: Sequence[bool] | None = None
) -> Answers:
    """One participant's answers to the pairs in the key's order, first motions on the left unless flipped."""
    sides = flips or [False] * len(choices)
    told = tuple(Answer(i, bool(f), c, 1500) for i, (c, f) in enumerate(zip(choices, sides, strict=True)))
    return signed(Answers(key.study, participant, told, ""))


def signed(answers: Answers) -> Answers:
    """With the checksum of what they say."""
    return msgspec.structs.replace(answers, checksum=answers.expected_checksum())


def preferring(key: Key, prefers: np.ndarray) -> list[Answers]:
    """Answers of P people to N pairs: (P, N) 1 for the key's first source, -1 for the second, 0 for neither."""
    side = np.array([1 if pair.first == 0 else -1 for pair in key.pairs])
    words = {1: "left", 0: "same", -1: "right"}
    return [
        answers_for(key, [words[int(value)] for value in row * side], f"{number:x}")
        for number, row in enumerate(prefers)
    ]
