# SPDX-License-Identifier: Apache-2.0
"""The loss curves of a run, in one picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import write_atomically

from .engine import LOG

VALIDATION = "validation/"
NO_LOSSES = {"step", "seconds", "gradient"}
SMOOTHED = 0.03  # part of the curve, to each side, whose geometric mean the bold line shows


def read_log(run: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and values of everything that a run logged, by name.

    A half-written last line is passed over; UserError where there is no log or it holds something else.
    """
    path = run / LOG if run.is_dir() else run
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The log {path} cannot be read.", "Give the folder of a training run.") from error
    series: dict[str, dict[int, float]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            step = int(row.pop("step"))
            values = {str(name): float(value) for name, value in row.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break
            raise UserError(f"Line {number} of {path} is no log entry.", "Remove that line.") from error
        for name, value in values.items():
            series.setdefault(name, {})[step] = value
    if not series:
        raise UserError(f"The log {path} is empty.", "Wait until the run has made its first steps.")
    return {name: _arrays(points) for name, points in series.items()}


def _arrays(points: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    steps = np.array(sorted(points))
    return steps, np.array([points[step] for step in steps.tolist()])


def smooth(values: np.ndarray) -> np.ndarray:
    """The geometric mean of each value's neighbours."""
    reach = round(len(values) * SMOOTHED)
    logs = np.log(np.maximum(values, 1e-12))
    return np.exp([logs[max(0, i - reach) : i + reach + 1].mean() for i in range(len(values))])


def duration(seconds: float) -> str:
    """A time in the unit in which it is a number between about 2 and 120."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    if seconds < 119.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def draw_curve(run: Path, path: Path) -> Path:
    """Write a PNG of a run's training losses (left) and validation errors (right), logarithmic."""
    from matplotlib.figure import Figure

    series = read_log(run)
    training = {n: s for n, s in series.items() if n not in NO_LOSSES and not n.startswith(VALIDATION)}
    validation = {n.removeprefix(VALIDATION): s for n, s in series.items() if n.startswith(VALIDATION)}
    figure = Figure(figsize=(13, 5), layout="constrained")
    columns = figure.subplots(1, 2 if validation else 1, squeeze=False)[0]
    for number, (name, (steps, values)) in enumerate(training.items()):
        columns[0].plot(steps, values, color=f"C{number}", alpha=0.25, linewidth=0.8)
        columns[0].plot(steps, smooth(values), color=f"C{number}", linewidth=1.8, label=name)
    _label(columns[0], "training", "loss")
    if validation:
        for name, (steps, values) in validation.items():
            where = f"from diffusion step {name}" if name.isdigit() else name
            style = "-o" if name.isdigit() else "--s"
            columns[1].plot(steps, 1000 * values, style, markersize=3, label=where)
        _label(columns[1], "held-out clips, denoised in one step", "error of joints about the root, mm")
    seconds = series.get("seconds")
    spent = "" if seconds is None else f", {duration(float(seconds[1][-1]))}"
    last = max(int(steps[-1]) for steps, _ in series.values())
    name = (run if run.is_dir() else run.parent).resolve().name
    figure.suptitle(f"{name}: {last} steps{spent}", parse_math=False)  # a name is no formula
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return write_atomically(path, buffer.getvalue())


def _label(axes: Any, title: str, unit: str) -> None:
    from matplotlib.ticker import LogFormatter

    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.grid(True, which="both", color="#e6e6e6", linewidth=0.6)
    if axes.lines:
        for text in axes.legend(fontsize=8).get_texts():
            text.set_parse_math(False)
