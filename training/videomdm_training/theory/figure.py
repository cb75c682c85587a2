# SPDX-License-Identifier: Apache-2.0
"""The theory in one figure, and its numbers: what the loss measures, and where the assumptions break."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videomdm.motion.clip import write_atomically

from ..losses import DepthWeighting
from .laws import (
    Sample,
    axis_weights,
    cameras,
    concentrated_harmonic,
    depth_bias,
    measured,
    moved_in_depth,
    poses,
    sample,
    seen_error,
)

WEIGHTINGS: tuple[DepthWeighting, ...] = ("none", "mean", "joint")
COLOURS = {"none": "#d1495b", "mean": "#e9a23b", "joint": "#1b6ca8"}
COUNTS = (1, 4, 16, 64)  # cameras on one pose
DEPTHS = (-0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3)  # of the body's distance
DISTANCES = (2.5, 4.0, 8.0)  # metres
CONCENTRATIONS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
POSE_ERROR = 0.05  # metres on each axis, with which a depth error is compared


@dataclass(frozen=True)
class Findings:
    """What was measured.

    explained: for each weighting and number of cameras, the part of the variance of the weighted squared 3D error
               over poses that the loss explains after one common factor (1 is a perfect stand-in).
    ratio:     the loss divided by the weighted squared 3D error, for "joint": 1 where the theory holds.
    depth:     (distances, depths) loss of a right pose at a wrong depth over that of one that is ``POSE_ERROR`` off.
    depth_law: the same in closed form.
    azimuth:   (concentrations, 3) measured weights of the axes; azimuth_law: the same in closed form.
    points:    (2, N) weighted 3D error and loss with the most cameras, square metres.
    """

    explained: dict[DepthWeighting, list[float]]
    ratio: float
    depth: Tensor
    depth_law: Tensor
    azimuth: Tensor
    azimuth_law: Tensor
    points: Tensor

    def table(self) -> str:
        """The numbers as Markdown."""
        rows = [
            "| cameras on a pose | " + " | ".join(f'depth = "{how}"' for how in WEIGHTINGS) + " |",
            "|---|" + "---|" * len(WEIGHTINGS),
        ]
        for column, count in enumerate(COUNTS):
            values = " | ".join(f"{self.explained[how][column]:.3f}" for how in WEIGHTINGS)
            rows.append(f"| {count} | {values} |")
        rows += ["", f"Loss over weighted squared 3D error, joint depth: {self.ratio:.3f}", ""]
        rows += [
            f"| depth wrong by | {' | '.join(f'from {d:g} m' for d in DISTANCES)} |",
            "|---|" + "---|" * len(DISTANCES),
        ]
        for column, part in enumerate(DEPTHS):
            values = " | ".join(f"{float(row[column]):.2f}" for row in self.depth)
            rows.append(f"| {100 * part:+.0f} % | {values} |")
        rows += ["", "| azimuths (von Mises) | x | y | z |", "|---|---|---|---|"]
        for row, k in zip(self.azimuth, CONCENTRATIONS, strict=True):
            rows.append(f"| k = {k:g} | " + " | ".join(f"{float(value):.2f}" for value in row) + " |")
        return "\n".join(rows)


def explained_variance(values: Tensor, target: Tensor) -> float:
    """1 - the variance of ``target`` (N,) that ``values`` (N,) leave after one common factor."""
    factor = (values * target).sum() / values.square().sum()
    left = (target - factor * values).square().mean()
    return float(1 - left / target.var(correction=0))


def stand_in(
    count: int, generator: torch.Generator
) -> tuple[dict[DepthWeighting, list[float]], float, Tensor]:
    """How well the loss over some cameras tells the weighted squared 3D error of ``count`` poses."""
    most = COUNTS[-1]
    one = sample(count, generator)
    target = torch.zeros(count, dtype=torch.float64)
    losses: dict[DepthWeighting, list[Tensor]] = {how: [] for how in WEIGHTINGS}
    for _ in range(most):
        look = sample(count, generator)
        batch = Sample(one.truth, one.predicted, look.camera, look.pitch)
        target += seen_error(batch) / most
        for how in WEIGHTINGS:
            losses[how].append(measured(batch.truth, batch.predicted, batch.camera, how))
    explained = {
        how: [explained_variance(torch.stack(rows[:n]).mean(0), target) for n in COUNTS]
        for how, rows in losses.items()
    }
    joint = torch.stack(losses["joint"]).mean(0)
    return explained, float(joint.sum() / target.sum()), torch.stack([target, joint])


def wrong_depth(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Loss of right poses at a wrong depth, measured and in closed form, over that of ``POSE_ERROR``."""
    truth = poses(count, generator)
    azimuth = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    usual = POSE_ERROR**2 * 2  # across the ray lie two of three axes
    found, law = [], []
    for distance in DISTANCES:
        camera = cameras(azimuth, torch.zeros_like(azimuth), torch.full_like(azimuth, distance))
        found.append([measured(truth, moved_in_depth(truth, camera, p), camera).mean() for p in DEPTHS])
        law.append([depth_bias(truth, camera, p).mean() for p in DEPTHS])
    double = torch.float64
    return torch.tensor(found, dtype=double) / usual, torch.tensor(law, dtype=double) / usual


def uneven_azimuth(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights of the axes where cameras prefer one side: measured on errors along one axis, and in closed form."""
    found, law = [], []
    for k in CONCENTRATIONS:
        if k:
            azimuth = torch.distributions.VonMises(0.0, torch.tensor(k, dtype=torch.float64)).sample((count,))
        else:
            azimuth = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        camera = cameras(azimuth, torch.zeros_like(azimuth), torch.full_like(azimuth, 6.0))
        truth = poses(count, generator)
        errors = POSE_ERROR * torch.randn(truth.shape, generator=generator, dtype=torch.float64)
        row = []
        for axis in range(3):
            along = torch.zeros_like(errors)
            along[..., axis] = errors[..., axis]
            loss = measured(truth, truth + along, camera).mean()
            row.append(float(loss / along.square().sum(-1).mean()))
        found.append(row)
        law.append(axis_weights(torch.zeros((), dtype=torch.float64), (concentrated_harmonic(k), 0.0)))
    return torch.tensor(found, dtype=torch.float64), torch.stack(law)


def find(count: int = 200, seed: int = 0) -> Findings:
    """Measure everything over ``count`` poses."""
    generator = torch.Generator().manual_seed(seed)
    explained, ratio, points = stand_in(count, generator)
    with torch.random.fork_rng(devices=[]):  # torch's von Mises takes no generator
        torch.manual_seed(seed)
        azimuth, azimuth_law = uneven_azimuth(4 * count, generator)
    depth, depth_law = wrong_depth(count, generator)
    return Findings(explained, ratio, depth, depth_law, azimuth, azimuth_law, points)


def draw(findings: Findings, path: Path) -> Path:
    """Write the figure as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8.4), layout="constrained")
    axes = figure.subplots(2, 2)
    _draw_points(axes[0, 0], findings)
    _draw_cameras(axes[0, 1], findings)
    _draw_depth(axes[1, 0], findings)
    _draw_azimuth(axes[1, 1], findings)
    for one in axes.flat:
        one.grid(color="#e3e3e3", linewidth=0.6)
        one.title.set_fontsize(10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return write_atomically(path, buffer.getvalue())


def _draw_points(axes: Any, findings: Findings) -> None:
    target, joint = 1e4 * findings.points
    axes.plot(target, joint, ".", color=COLOURS["joint"], markersize=4, label="a pose")
    top = float(target.max())
    axes.plot([0, top], [0, top], color="#888888", linewidth=1, label="equal")
    axes.legend()
    axes.set_title(
        f'The 2D loss with depth = "joint" is squared 3D error ({COUNTS[-1]} cameras on each pose)'
    )
    axes.set_xlabel("weighted squared 3D error, cm²")
    axes.set_ylabel("depth-weighted 2D loss, cm²")


def _draw_cameras(axes: Any, findings: Findings) -> None:
    for how in WEIGHTINGS:
        axes.semilogx(
            COUNTS, findings.explained[how], "o-", base=2, color=COLOURS[how], label=f'depth = "{how}"'
        )
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set_title("Variance of the 3D error that the loss explains, as measured")
    axes.set_xlabel("cameras on a pose, 3 to 8 m away")
    axes.set_ylim(top=1.02)
    axes.legend()


def _draw_depth(axes: Any, findings: Findings) -> None:
    for number, distance in enumerate(DISTANCES):
        (line,) = axes.plot(
            [100 * p for p in DEPTHS], findings.depth_law[number], label=f"from {distance:g} m"
        )
        axes.plot(
            [100 * p for p in DEPTHS], findings.depth[number], "o", color=line.get_color(), markersize=4
        )
    axes.axhline(1, color="#888888", linewidth=1)
    off = f"{100 * POSE_ERROR:.0f} cm"
    axes.set_title(f"A right pose at a wrong depth against one whose joints are {off} off")
    axes.set_xlabel("error of the body's depth, %")
    axes.set_ylabel("loss of the one over that of the other")
    _legend(axes)


def _draw_azimuth(axes: Any, findings: Findings) -> None:
    for axis, name in enumerate("xyz"):
        (line,) = axes.plot(CONCENTRATIONS, findings.azimuth_law[:, axis], label=name)
        axes.plot(CONCENTRATIONS, findings.azimuth[:, axis], "o", color=line.get_color(), markersize=4)
    axes.set_title("Weights of the axes where cameras prefer the front (+Z)")
    axes.set_xlabel("von Mises concentration of the azimuth; 0 is uniform")
    axes.set_ylabel("weight of a squared error")
    axes.set_ylim(0, 1.1)
    _legend(axes)


def _legend(axes: Any) -> None:
    """The labelled lines, and what dots and lines are."""
    from matplotlib.lines import Line2D

    labelled, _ = axes.get_legend_handles_labels()
    kinds = [
        Line2D([], [], color="#555555", label="lines: closed form"),
        Line2D([], [], color="#555555", marker="o", ls="", markersize=4, label="dots: measured"),
    ]
    axes.legend(handles=[*labelled, *kinds])
