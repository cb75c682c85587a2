# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: what a model makes of prompts, as rows of stick figures in one picture."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.motion.clip import Motion, write_atomically
from videomdm.motion.representation import facing_direction
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

PROMPTS = (
    "a person walks forward",
    "a person jumps in place",
    "someone throws punches",
    "a person waves with the right hand",
    "a person sits down",
    "a person runs in a circle to the left",
)
FRAMES = 10  # figures in a row
PITCH = 1.2  # metres from one figure to the next
AZIMUTH, ELEVATION = math.radians(50.0), math.radians(8.0)  # of the viewer, from +Z towards +X, and upwards
HEAD = 0.1  # metres: the drawn head's radius
COLOURS = {"left": "#1b6ca8", "right": "#d1495b", "middle": "#3a3a3a"}
BEGIN, FACING = "#2a9d5c", "#e9a23b"  # colours of the path's marks
CHARACTERS, LINES = 105, 3  # of a caption: so many fit over the figures, and more lines are cut


def view(points: np.ndarray) -> np.ndarray:
    """Orthographic three-quarter view: (..., 3) metres to (..., 3) right, up and towards the viewer.

    A character that faces +Z looks to the lower left; its left limbs are the nearer ones.
    """
    toward = points[..., 0] * math.sin(AZIMUTH) + points[..., 2] * math.cos(AZIMUTH)
    right = points[..., 0] * math.cos(AZIMUTH) - points[..., 2] * math.sin(AZIMUTH)
    up = points[..., 1] * math.cos(ELEVATION) - toward * math.sin(ELEVATION)
    return np.stack([right, up, toward], axis=-1)


def draw_sheet(motions: Sequence[Motion], path: Path, title: str = "") -> Path:
    """Write a PNG with one row for each motion: its caption, ``FRAMES`` figures over time, its path from above."""
    from matplotlib.figure import Figure

    captions = [wrapped(motion.caption) for motion in motions]
    height = sum(2.8 + 0.18 * caption.count("\n") for caption in captions)  # inches
    figure = Figure(figsize=(13.5, height + 0.5), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08, hspace=0.02)
    # what users write is no formula, whatever dollars and backslashes are in it
    figure.suptitle(wrapped(title), x=0.01, ha="left", fontsize=11, color="#555555", parse_math=False)
    figure.legend(handles=_legend(), loc="outside lower right", ncols=5, fontsize=8, frameon=False)
    grid = figure.add_gridspec(len(motions), 2, width_ratios=(FRAMES * PITCH, 2.6))
    for row, (motion, caption) in enumerate(zip(motions, captions, strict=True)):
        _draw_figures(figure.add_subplot(grid[row, 0]), motion, caption)
        _draw_path(figure.add_subplot(grid[row, 1]), motion)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return write_atomically(path, buffer.getvalue())


def wrapped(text: str) -> str:
    """``text`` in lines that fit over the figures; what is longer than ``LINES`` ends in dots."""
    return textwrap.fill(text, CHARACTERS, max_lines=LINES, placeholder=" ...")


def _legend() -> list[Any]:
    """What the colours and marks mean."""
    from matplotlib.lines import Line2D

    limbs = [Line2D([], [], color=COLOURS[side], lw=2.4, label=f"{side} limbs") for side in ("left", "right")]
    marks = [
        Line2D([], [], color=BEGIN, marker="o", ls="", markersize=5, label="the path's start"),
        Line2D([], [], color=COLOURS["middle"], marker="s", ls="", markersize=4, label="its end"),
        Line2D([], [], color=FACING, lw=1.2, label="facing, once a second"),
    ]
    return limbs + marks


def _draw_figures(axes: Any, motion: Motion, caption: str) -> None:
    positions = motion.positions
    chosen = np.unique(np.linspace(0, len(positions) - 1, FRAMES).round().astype(int))
    top = 2.0
    axes.plot([-PITCH / 2, (FRAMES - 0.5) * PITCH], [0, 0], color="#b8b8b8", linewidth=1, zorder=0)
    for column, frame in enumerate(chosen):
        # the figure's own place on the floor is the path's business
        body = view(positions[frame] - positions[frame, 0] * [1, 0, 1])
        body[:, 0] += column * PITCH
        top = max(top, float(body[:, 1].max()) + 0.2)
        _draw_body(axes, body)
        axes.text(column * PITCH, -0.42, f"{frame / motion.fps:.1f} s", ha="center", va="top", fontsize=8)
    axes.set_title(caption, loc="left", fontsize=11, parse_math=False)
    axes.set_xlim(-PITCH / 2, (FRAMES - 0.5) * PITCH)
    axes.set_ylim(-0.7, top)
    axes.set_aspect("equal", anchor="W")
    axes.axis("off")


def _draw_body(axes: Any, body: np.ndarray) -> None:
    """One figure: joints (22, 3) in the view; nearer limbs hide farther ones."""
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        ends = body[[parent, joint]]
        side = JOINT_NAMES[joint].partition("_")[0]
        axes.plot(
            ends[:, 0],
            ends[:, 1],
            color=COLOURS.get(side, COLOURS["middle"]),
            linewidth=2.4,
            solid_capstyle="round",
            zorder=2 + float(ends[:, 2].mean()),
        )
    from matplotlib.patches import Circle

    head = body[JOINT_NAMES.index("head")]
    axes.add_patch(
        Circle(head[:2], HEAD, facecolor="white", edgecolor=COLOURS["middle"], lw=1.8, zorder=2 + head[2])
    )


def _draw_path(axes: Any, motion: Motion) -> None:
    """The root's way over the floor seen from above: left of the picture is the character's right at first."""
    from matplotlib.ticker import MaxNLocator

    path = motion.positions[:, 0, ::2]
    facing = np.asarray(facing_direction(motion.positions))[:, ::2]
    axes.plot(*path.T, color=COLOURS["middle"], linewidth=1.5)
    axes.plot(*path[0], "o", color=BEGIN, markersize=5)
    axes.plot(*path[-1], "s", color=COLOURS["middle"], markersize=4)
    size = max(1.0, float((path.max(0) - path.min(0)).max()) * 0.6)
    for frame in range(0, len(path), max(1, round(motion.fps))):
        tip = path[frame] + 0.2 * size * facing[frame]
        axes.plot(*np.stack([path[frame], tip]).T, color=FACING, linewidth=1.2)
    middle = (path.max(0) + path.min(0)) / 2
    # +Z, where the character faces at first, points down, as for somebody who stands before it
    axes.set_xlim(middle[0] - size, middle[0] + size)
    axes.set_ylim(middle[1] + size, middle[1] - size)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=7)
    for axis, name in ((axes.xaxis, "x, m"), (axes.yaxis, "z, m")):
        axis.set_major_locator(MaxNLocator(4))
        axis.set_label_text(name, fontsize=7)
        axis.labelpad = 1
    axes.grid(color="#e3e3e3", linewidth=0.6)
    way = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    axes.set_title(f"from above; {way:.1f} m long", fontsize=8)


def make_sheet(model: str, prompts: Sequence[str], path: Path, seconds: float, seed: int) -> Path:
    """Let a model (name or folder) make each prompt once and draw them all."""

    from videomdm.pipeline import Pipeline, TextRequest
    from videomdm.progress import progress_bar

    pipeline = Pipeline.load(model)
    motions = [
        pipeline.generate(TextRequest(prompt, seconds, seed))[0]
        for prompt in progress_bar(prompts or PROMPTS, desc="motions", leave=False)
    ]
    return draw_sheet(motions, path, f"{pipeline.info.name}, seed {seed}")
