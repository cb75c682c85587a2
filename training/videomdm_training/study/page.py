# SPDX-License-Identifier: Apache-2.0
"""The page of a study: one HTML file with motions, players and nothing that says which is whose."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.body import floor_height
from videomdm.motion.representation import canonicalise
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

QUESTION = "Which motion looks more natural and does better what the words say?"
_HERE = Path(__file__).parent
_FINEST = 0.001  # metres that one step of a stored number stands for, unless a motion goes too far for that
_MOST = np.iinfo(np.int16).max


@dataclass(frozen=True)
class Shown:
    """One pair as the page holds it: a caption, and two motions (T, 22, 3) of equal length, metres, Y up."""

    caption: str
    motions: tuple[np.ndarray, np.ndarray]


def pack(motions: Sequence[np.ndarray], fps: float) -> tuple[float, list[str]]:
    """The unit in metres, and each motion (T, 22, 3) as base64 of little-endian int16 in that unit.

    From the origin, facing +Z, with the floor at 0: places, headings and heights would tell made motions from
    recorded ones, so all are brought to one.  The unit is a millimetre, or as much more as the farthest joint
    of any of the motions needs.
    """
    placed = [_placed(motion, fps) for motion in motions]
    unit = max(_FINEST, max(float(np.abs(motion).max()) for motion in placed) / _MOST)
    return unit, [base64.b64encode(np.rint(m / unit).astype("<i2").tobytes()).decode() for m in placed]


def _placed(positions: np.ndarray, fps: float) -> np.ndarray:
    placed, _ = canonicalise(np.asarray(positions, np.float64))
    return placed - floor_height(placed, fps) * np.array([0.0, 1.0, 0.0])


def page_data(pairs: Sequence[Shown], fps: float) -> dict[str, Any]:
    """All that the page shows; UserError for motions that are not finite.

    ValueError where the motions of a pair differ in length, which would tell them apart.
    """
    shown = []
    for pair in pairs:
        if len(pair.motions[0]) != len(pair.motions[1]):
            raise ValueError("the motions of a pair must be of equal length")
        if not all(np.isfinite(motion).all() for motion in pair.motions):
            raise UserError(
                f"A motion for {pair.caption!r} has places that are no numbers.",
                "Look at what the models make, or try another --seed.",
            )
        unit, motions = pack(pair.motions, fps)
        shown.append({"caption": pair.caption, "unit": unit, "motions": motions})
    sides = [name.partition("_")[0] for name in JOINT_NAMES]
    body = {
        "parents": list(PARENTS),
        "sides": [side if side in ("left", "right") else "middle" for side in sides],
        "head": JOINT_NAMES.index("head"),
    }
    return {"question": QUESTION, "fps": fps, "body": body, "pairs": shown}


def study_id(data: Mapping[str, Any], sources: Sequence[str]) -> str:
    """Twelve hexadecimal digits of a SHA-256 of what is shown and whose it is: other studies have other ones."""
    told = json.dumps([data, list(sources)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def build_page(study: str, data: Mapping[str, Any]) -> str:
    """The whole page of :func:`page_data`."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    page = (_HERE / "page.html").read_text(encoding="utf-8")
    # "<" only occurs within strings, where the escape means the same
    text = json.dumps({"study": study, **data}, separators=(",", ":")).replace("<", "\\u003c")
    return page.replace("{{script}}", script).replace("{{data}}", text)
