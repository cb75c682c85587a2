# SPDX-License-Identifier: Apache-2.0
"""The card of an exported model: what it is, from what, and that nobody has measured it yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videomdm.model.registry import CARD
from videomdm.motion.clip import write_atomically

from .fit import FitConfig

MARK = "<!-- Written by `videomdm train export`, which writes it again; remove this line to keep your own words. -->"


def write_card(folder: Path, facts: Mapping[str, Any], config: FitConfig, step: int, seconds: float) -> None:
    """Write ``CARD.md`` beside a model's files, unless one lies there that somebody wrote.

    facts: of the run; step, seconds: how long it was trained.
    """
    path = folder / CARD
    if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        return
    commercial = "" if facts.get("commercial") else "not "
    files = ", ".join(
        f"`{file.name}` ({file.stat().st_size / 2**20:.1f} MiB)"
        for file in sorted(folder.glob("*.safetensors"))
    )
    teacher, engine = f"a {config.known.teacher} teacher", config.engine
    taught = {"2d": f"2D keypoints, with {teacher}", "teacher": teacher, "3d": "motion capture in 3D"}
    trained = f"step {step} of {engine.steps}, {seconds:.0f} s, batch {config.batch}, seed {engine.seed}"
    lines = [
        f"# {folder.resolve().name}",
        "",
        "Text to motion, and footage to motion, for one person.  Trained with `videomdm train fit`.",
        "",
        "| | |",
        "|---|---|",
        f"| files | {files} |",
        f"| licence | {facts.get('licence') or 'unknown'}; commercial use is {commercial}permitted |",
        f"| data | {' '.join(str(facts.get('data') or 'not said').split())} |",
        f"| supervision | {taught[config.loss.supervision]} |",
        f"| training | {trained}; all settings are in `config.json` |",
        "| measured | not yet: `videomdm train evaluate` does |",
        "",
        MARK,
        "",
    ]
    write_atomically(path, "\n".join(lines).encode())
