# SPDX-License-Identifier: Apache-2.0
"""Figures with their uncertainty, and the report that states them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.stats import t as student

from videomdm.motion.clip import write_atomically

MARKDOWN, JSON = "evaluation.md", "evaluation.json"


@dataclass(frozen=True)
class Figure:
    """A mean over clips, or over replications.

    interval: half the width of its 95 % interval, by Student's t; 0 where there is but one independent value.
    count:    how many clips or replications gave a value.
    """

    mean: float
    interval: float
    count: int


@dataclass(frozen=True)
class Measure:
    """How a measure is printed: its name in words, unit or "", the factor from SI, and digits after the point."""

    words: str
    unit: str
    factor: float = 1.0
    digits: int = 1


MEASURES = {
    "fid": Measure("FID", "", 1, 4),
    "fid_unbiased": Measure("FID of endless samples", "", 1, 4),
    "r_precision_1": Measure("R-precision, top 1", "%", 100),
    "r_precision_2": Measure("R-precision, top 2", "%", 100),
    "r_precision_3": Measure("R-precision, top 3", "%", 100),
    "multimodal_distance": Measure("multimodal distance", "", 1, 3),
    "diversity": Measure("diversity", "", 1, 3),
    "multimodality": Measure("multimodality", "", 1, 3),
    "precision": Measure("precision", "%", 100),
    "recall": Measure("recall", "%", 100),
    "mpjpe": Measure("MPJPE", "mm", 1000),
    "pa_mpjpe": Measure("PA-MPJPE", "mm", 1000),
    "pck_50": Measure("PCK@50 mm", "%", 100),
    "pck_100": Measure("PCK@100 mm", "%", 100),
    "acceleration": Measure("acceleration error", "m/s²", 1, 2),
    "gravity": Measure("gravity error", "degrees", 180 / math.pi, 2),
    "depth": Measure("root depth error", "%", 100),
    "path": Measure("root path error", "mm", 1000),
    "foot_skate": Measure("foot skate", "m/s", 1, 3),
    "sliding": Measure("standing frames that slide", "%", 100),
    "contact": Measure("frames with a standing toe", "%", 100),
    "penetration": Measure("floor penetration", "mm", 1000),
    "below": Measure("frames below the floor", "%", 100),
    "height": Measure("height above the floor", "mm", 1000),
    "speed": Measure("joint speed", "m/s", 1, 2),
    "jerk": Measure("jerk", "m/s³", 1, 0),
    "bone_drift": Measure("bone length drift", "mm", 1000, 2),
}


@dataclass(frozen=True)
class Section:
    """One part of a report: columns of figures by measure, how they came about, and what they are means over."""

    title: str
    notes: str
    columns: Mapping[str, Mapping[str, Figure]]
    over: str = "clips"


@dataclass(frozen=True)
class Report:
    """An evaluation of a model: settings that reproduce it, and its sections."""

    settings: Mapping[str, Any]
    sections: Sequence[Section] = field(default_factory=tuple)

    def markdown(self) -> str:
        """The whole report for people."""
        parts = ["# Evaluation", "Means, ± half the 95 % interval.", *map(_table, self.sections)]
        parts.append("\n".join(f"* {name}: {value}" for name, value in self.settings.items()))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``evaluation.md`` and ``evaluation.json``, in SI units, into ``folder``."""
        data = json.dumps(msgspec.to_builtins(self), indent=1, allow_nan=False).encode()
        return (
            write_atomically(folder / MARKDOWN, self.markdown().encode()),
            write_atomically(folder / JSON, data),
        )


def summarise(rows: Sequence[Mapping[str, float]], together: int = 1) -> dict[str, Figure]:
    """Figures by measure of rows, one for each clip or replication.

    So many rows in a row as ``together`` says have drawn something in common: only their means are independent.
    Values that are nan do not count, nor do measures without any other.
    """
    figures = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        known = [
            (number // together, row[name])
            for number, row in enumerate(rows)
            if name in row and not math.isnan(row[name])
        ]
        if known:
            blocks, values = np.array([block for block, _ in known]), np.array([value for _, value in known])
            means = np.array([values[blocks == block].mean() for block in np.unique(blocks)])
            figures[name] = Figure(float(values.mean()), _half_interval(means), len(values))
    return figures


def _half_interval(values: np.ndarray) -> float:
    """Half the width of the 95 % interval of the mean of independent ``values``."""
    if len(values) < 2 or np.ptp(values) == 0:  # the rounding of their mean is no spread
        return 0.0
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))


def _table(section: Section) -> str:
    columns = list(section.columns)
    measured = {name for column in section.columns.values() for name in column}
    names = [name for name in MEASURES if name in measured]
    lines = [
        f"## {section.title}",
        "",
        section.notes,
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    counts = {c: max((f.count for f in section.columns[c].values()), default=0) for c in columns}
    for name in names:
        measure = MEASURES[name]
        cells = [_cell(section.columns[c].get(name), measure, counts[c], section.over) for c in columns]
        told = f"{measure.words}, {measure.unit}" if measure.unit else measure.words
        lines.append(f"| {told} | {' | '.join(cells)} |")
    lines.append(f"| {section.over} | {' | '.join(map(str, counts.values()))} |")
    return "\n".join(lines)


def _cell(figure: Figure | None, measure: Measure, count: int, over: str) -> str:
    if figure is None:
        return "-"
    mean, interval = (
        f"{measure.factor * value:.{measure.digits}f}" for value in (figure.mean, figure.interval)
    )
    told = f"{mean} ± {interval}" if figure.interval else mean
    return told + ("" if figure.count == count else f" ({figure.count} {over})")
