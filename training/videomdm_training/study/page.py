# SPDX-License-Identifier: Apache-2.0
"""The page of a study: one HTML file with motions, players and nothing that says which is whose."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videomdm.motion.representation import canonicalise
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

QUESTION = "Which motion looks more natural and does better what the words say?"
_HERE = Path(__file__).parent
_LIMIT = 32.767  # metres: what int16 millimetres can hold


@dataclass(frozen=True)
class Shown:
    """One pair as the page shows it: a caption, and two motions (T, 22, 3) of equal length."""

    caption: str
    left: np.ndarray
    right: np.ndarray


def pack(positions: np.ndarray) -> str:
    """Positions (T, 22, 3) as base64 of little-endian int16 millimetres, from the origin, facing +Z.

    Places and headings at the start would tell made motions from recorded ones, so all are brought to one.
    """
    placed, _ = canonicalise(np.asarray(positions, np.float32))
    return base64.b64encode(np.rint(np.clip(placed, -_LIMIT, _LIMIT) * 1000).astype("<i2").tobytes()).decode()


def build_page(study: str, pairs: Sequence[Shown], fps: float) -> str:
    """The whole page; ValueError where the motions of a pair differ in length, which would tell them apart."""
    for pair in pairs:
        if len(pair.left) != len(pair.right):
            raise ValueError("the motions of a pair must be of equal length")
    sides = [name.partition("_")[0] for name in JOINT_NAMES]
    data = {
        "study": study,
        "question": QUESTION,
        "fps": fps,
        "body": {
            "parents": list(PARENTS),
            "sides": [side if side in ("left", "right") else "middle" for side in sides],
            "head": JOINT_NAMES.index("head"),
        },
        "pairs": [{"caption": p.caption, "left": pack(p.left), "right": pack(p.right)} for p in pairs],
    }
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    page = (_HERE / "page.html").read_text(encoding="utf-8")
    # "<" only occurs within strings, where the escape means the same
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return page.replace("{{script}}", script).replace("{{data}}", text)
