# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin's parts as coarse cages that subdivision turns smooth.

Every part is a loft: rings of ``SIDES`` points around an axis.  Weights change only along the axis, so a part
follows one bone, or bends softly from one to the next as the belly does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bones import mirrored_name

SIDES = 16
BODY, JOINT = 0, 1  # material slots


@dataclass(frozen=True)
class Part:
    """One closed shell.

    vertices: (V, 3) metres, Z up.
    faces:    rings of vertex indices, counter-clockwise seen from outside.
    material: slot of each face.
    weights:  for each bone, (V,) weights; they sum to one at every vertex.
    """

    vertices: np.ndarray
    faces: tuple[tuple[int, ...], ...]
    material: tuple[int, ...]
    weights: dict[str, np.ndarray]


def _ring(width: float, depth: float, squareness: float) -> np.ndarray:
    """(SIDES, 2) points of a superellipse; squareness 2 is an ellipse, more is boxier."""
    angle = (np.arange(SIDES) + 0.5) * (2 * np.pi / SIDES)
    cos, sin = np.cos(angle), np.sin(angle)
    power = 2.0 / squareness
    return np.stack(
        [width * np.sign(cos) * np.abs(cos) ** power, depth * np.sign(sin) * np.abs(sin) ** power], -1
    )


def loft(
    start: tuple[float, float, float],
    along: tuple[float, float, float],
    side: tuple[float, float, float],
    sections: Sequence[tuple[float, ...]],
    bones: dict[str, tuple[float, float]] | str,
    *,
    material: int = BODY,
    squareness: float = 2.0,
) -> Part:
    """A closed shell of rings around the line from ``start`` in the direction ``along``.

    ``sections`` lists (distance, half width, half depth[, shift in width, shift in depth]) in metres; width
    is measured along ``side``, depth along ``along`` x ``side``.  ``bones`` is the one bone that the part
    follows, or the stretch (from, to) that each bone moves alone; between two stretches the weights blend.
    """
    axis = np.asarray(along, dtype=float)
    axis /= np.linalg.norm(axis)
    u = np.asarray(side, dtype=float)
    u -= axis * (u @ axis)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    rings, distances = [], []
    for section in sections:
        distance, width, depth, *shift = section
        shift_u, shift_v = (*shift, 0.0, 0.0)[:2]
        outline = _ring(width, depth, squareness) + np.array([shift_u, shift_v])
        rings.append(np.asarray(start) + axis * distance + outline[:, :1] * u + outline[:, 1:] * v)
        distances += [distance] * SIDES
    faces: list[tuple[int, ...]] = [tuple(range(SIDES))[::-1]]
    for ring in range(len(rings) - 1):
        low, high = ring * SIDES, (ring + 1) * SIDES
        for i in range(SIDES):
            j = (i + 1) % SIDES
            faces.append((low + i, low + j, high + j, high + i))
    faces.append(tuple(range((len(rings) - 1) * SIDES, len(rings) * SIDES)))
    vertices = np.concatenate(rings)
    return Part(vertices, tuple(faces), (material,) * len(faces), _weights(bones, np.array(distances)))


def _weights(bones: dict[str, tuple[float, float]] | str, distances: np.ndarray) -> dict[str, np.ndarray]:
    if isinstance(bones, str):
        return {bones: np.ones(len(distances))}
    knots: list[float] = []
    values: list[np.ndarray] = []
    for index, stretch in enumerate(bones.values()):
        for distance in stretch:
            knots.append(distance)
            values.append(np.eye(len(bones))[index])
    table = np.array(values)
    return {name: np.interp(distances, knots, table[:, index]) for index, name in enumerate(bones)}


def ball(centre: tuple[float, float, float], radius: float, bones: str) -> Part:
    """A joint ball, its poles left and right."""
    # Catmull-Clark pulls a cage inwards; the factor brings the ball back to its radius.
    radius *= 1.05
    turns = np.linspace(-1.0, 1.0, 7) * (np.pi / 2 - 0.22)
    sections = [(radius * np.sin(t), radius * np.cos(t), radius * np.cos(t)) for t in turns]
    return loft(centre, (1, 0, 0), (0, 1, 0), sections, bones, material=JOINT)


def mirrored(part: Part) -> Part:
    """The same part on the right side of the body."""
    return Part(
        part.vertices * (-1.0, 1.0, 1.0),
        tuple(face[::-1] for face in part.faces),
        part.material,
        {mirrored_name(name): weight for name, weight in part.weights.items()},
    )
