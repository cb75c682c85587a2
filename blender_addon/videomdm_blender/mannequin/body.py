# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin's figure: which parts it has and how they are shaped.

The plates follow one bone each and the joint balls fill the gaps, like an artist's wooden figure: no pose
can pinch or collapse it.  Only the belly and the neck bend softly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .shapes import JOINT, SIDES, Part, ball, loft, mirrored

UP = (0.0, 0.0, 1.0)
DOWN = (0.0, 0.0, -1.0)
LEFT = (1.0, 0.0, 0.0)
FRONT = (0.0, -1.0, 0.0)
BACK = (0.0, 1.0, 0.0)


def _trunk() -> list[Part]:
    # Around UP with side LEFT, depth points to the back.
    pelvis = loft(
        (0.0, 0.0, 0.0), UP, LEFT,
        [
            (0.84, 0.045, 0.045, 0.0, 0.0), (0.85, 0.075, 0.062, 0.0, 0.0),
            (0.885, 0.125, 0.092, 0.0, 0.008), (0.935, 0.162, 0.112, 0.0, 0.01),
            (0.985, 0.166, 0.112, 0.0, 0.006), (1.03, 0.15, 0.1, 0.0, 0.002),
            (1.055, 0.137, 0.09, 0.0, 0.0), (1.065, 0.118, 0.075, 0.0, 0.0),
        ],
        "Hips", squareness=2.4,
    )  # fmt: skip
    belly = loft(
        (0.0, 0.0, 0.0), UP, LEFT,
        [
            (0.99, 0.1, 0.07), (1.01, 0.118, 0.08), (1.06, 0.122, 0.083),
            (1.1, 0.118, 0.082, 0.0, 0.001), (1.14, 0.118, 0.083, 0.0, 0.003),
            (1.18, 0.122, 0.086, 0.0, 0.005), (1.22, 0.128, 0.09, 0.0, 0.006),
            (1.26, 0.13, 0.09, 0.0, 0.006), (1.28, 0.11, 0.07, 0.0, 0.006),
        ],
        {"Hips": (0.9, 1.03), "Spine": (1.085, 1.12), "Spine1": (1.18, 1.21), "Spine2": (1.27, 1.4)},
        material=JOINT, squareness=2.3,
    )  # fmt: skip
    chest = loft(
        (0.0, 0.0, 0.0), UP, LEFT,
        [
            (1.185, 0.115, 0.078, 0.0, 0.004), (1.195, 0.137, 0.097, 0.0, 0.004),
            (1.225, 0.147, 0.107, 0.0, 0.003), (1.28, 0.163, 0.12, 0.0, 0.002),
            (1.34, 0.175, 0.126, 0.0, 0.002), (1.39, 0.172, 0.12, 0.0, 0.006),
            (1.43, 0.148, 0.1, 0.0, 0.012), (1.46, 0.108, 0.076, 0.0, 0.016),
            (1.478, 0.068, 0.058, 0.0, 0.014), (1.482, 0.045, 0.04, 0.0, 0.012),
        ],
        "Spine2", squareness=2.6,
    )  # fmt: skip
    neck = loft(
        (0.0, 0.0, 0.0), UP, LEFT,
        [
            (1.43, 0.052, 0.052, 0.0, 0.014), (1.47, 0.056, 0.056, 0.0, 0.012),
            (1.5, 0.052, 0.053, 0.0, 0.006), (1.535, 0.049, 0.051, 0.0, 0.0),
            (1.57, 0.05, 0.052, 0.0, -0.006), (1.61, 0.045, 0.047, 0.0, -0.006),
        ],
        {"Spine2": (1.4, 1.46), "Neck": (1.49, 1.53), "Head": (1.57, 1.7)},
        material=JOINT,
    )  # fmt: skip
    return [pelvis, belly, chest, neck, _head()]


def _head() -> Part:
    head = loft(
        (0.0, 0.0, 0.0), UP, LEFT,
        [
            (1.527, 0.028, 0.03, 0.0, -0.052), (1.53, 0.044, 0.046, 0.0, -0.046),
            (1.548, 0.062, 0.078, 0.0, -0.028), (1.58, 0.073, 0.097, 0.0, -0.014),
            (1.612, 0.079, 0.105, 0.0, -0.008), (1.65, 0.083, 0.109, 0.0, -0.004),
            (1.69, 0.08, 0.106, 0.0, 0.0), (1.725, 0.068, 0.09, 0.0, 0.002),
            (1.747, 0.044, 0.06, 0.0, 0.004), (1.752, 0.024, 0.032, 0.0, 0.004),
        ],
        "Head", squareness=2.3,
    )  # fmt: skip
    # A dark visor says where the character looks, even in a small picture.
    material = list(head.material)
    for index, face in enumerate(head.faces):
        centre = head.vertices[list(face)].mean(0)
        if len(face) < SIDES and 1.6 < centre[2] < 1.68 and centre[1] < -0.03:
            material[index] = JOINT
    return replace(head, material=tuple(material))


def _left_arm() -> list[Part]:
    # Around LEFT with side FRONT, depth points down.
    pauldron = loft(
        (0.0, 0.006, 1.428), LEFT, FRONT,
        [
            (0.07, 0.045, 0.032, 0.0, 0.0), (0.085, 0.062, 0.042), (0.12, 0.066, 0.05),
            (0.15, 0.063, 0.05), (0.165, 0.054, 0.044), (0.168, 0.035, 0.03),
        ],
        "LeftShoulder",
    )  # fmt: skip
    upper = loft(
        (0.0, 0.011, 1.43), LEFT, FRONT,
        [
            (0.186, 0.032, 0.034), (0.19, 0.05, 0.052), (0.215, 0.06, 0.062), (0.26, 0.057, 0.06),
            (0.32, 0.052, 0.055), (0.38, 0.047, 0.049), (0.42, 0.044, 0.045), (0.432, 0.038, 0.038),
            (0.434, 0.024, 0.024),
        ],
        "LeftArm",
    )  # fmt: skip
    fore = loft(
        (0.0, 0.011, 1.43), LEFT, FRONT,
        [
            (0.474, 0.024, 0.024), (0.476, 0.038, 0.037), (0.49, 0.045, 0.043), (0.53, 0.047, 0.044),
            (0.59, 0.041, 0.038), (0.65, 0.034, 0.029), (0.68, 0.031, 0.026), (0.688, 0.027, 0.023),
            (0.69, 0.016, 0.014),
        ],
        "LeftForeArm",
    )  # fmt: skip
    palm = loft(
        (0.0, 0.004, 1.43), LEFT, FRONT,
        [
            (0.706, 0.018, 0.013), (0.71, 0.028, 0.018), (0.735, 0.04, 0.021), (0.77, 0.044, 0.02),
            (0.788, 0.043, 0.018), (0.792, 0.034, 0.012),
        ],
        "LeftHand", squareness=2.6,
    )  # fmt: skip
    fingers = loft(
        (0.0, 0.004, 1.429), LEFT, FRONT,
        [
            (0.791, 0.034, 0.011), (0.794, 0.042, 0.016), (0.83, 0.041, 0.0155), (0.865, 0.034, 0.013),
            (0.884, 0.022, 0.009), (0.888, 0.012, 0.005),
        ],
        "LeftHandIndex1", squareness=2.6,
    )  # fmt: skip
    thumb = loft(
        (0.722, -0.018, 1.426), (0.063, -0.05, -0.006), UP,
        [
            (-0.004, 0.009, 0.01), (0.002, 0.015, 0.017), (0.03, 0.015, 0.017), (0.06, 0.012, 0.013),
            (0.074, 0.005, 0.006),
        ],
        "LeftHandThumb1",
    )  # fmt: skip
    balls = [
        ball((0.178, 0.01, 1.43), 0.054, "LeftArm"),
        ball((0.455, 0.012, 1.43), 0.038, "LeftForeArm"),
        ball((0.698, 0.01, 1.43), 0.024, "LeftHand"),
    ]
    return [pauldron, upper, fore, palm, fingers, thumb, *balls]


def _left_leg() -> list[Part]:
    # Around DOWN with side LEFT, depth points to the front.
    thigh = loft(
        (0.094, 0.0, 0.925), DOWN, LEFT,
        [
            (0.015, 0.05, 0.055), (0.025, 0.068, 0.076), (0.06, 0.08, 0.09),
            (0.12, 0.083, 0.093, -0.002, 0.0), (0.2, 0.077, 0.085), (0.29, 0.066, 0.073),
            (0.36, 0.058, 0.062), (0.386, 0.052, 0.054), (0.392, 0.034, 0.036),
        ],
        "LeftUpLeg",
    )  # fmt: skip
    shin = loft(
        (0.096, 0.002, 0.505), DOWN, LEFT,
        [
            (0.03, 0.034, 0.034), (0.034, 0.048, 0.05), (0.06, 0.053, 0.057, 0.0, -0.002),
            (0.12, 0.057, 0.063, 0.0, -0.012), (0.18, 0.053, 0.057, 0.0, -0.013),
            (0.26, 0.043, 0.045, 0.001, -0.01), (0.34, 0.035, 0.037, 0.002, -0.009),
            (0.376, 0.034, 0.036, 0.002, -0.01), (0.386, 0.03, 0.031, 0.002, -0.011),
            (0.388, 0.018, 0.018, 0.002, -0.011),
        ],
        "LeftLeg",
    )  # fmt: skip
    balls = [
        ball((0.093, 0.0, 0.915), 0.074, "LeftUpLeg"),
        ball((0.096, 0.0, 0.505), 0.047, "LeftLeg"),
        ball((0.098, 0.013, 0.088), 0.034, "LeftFoot"),
    ]
    return [thigh, shin, *balls, *_left_foot()]


def _left_foot() -> list[Part]:
    # Around FRONT with side LEFT, depth points up.
    def section(distance: float, width: float, top: float, bottom: float = 0.0) -> tuple[float, ...]:
        return (distance, width, (top - bottom) / 2, 0.0, (top + bottom) / 2)

    foot = loft(
        (0.1, 0.0, 0.0), FRONT, LEFT,
        [
            section(-0.068, 0.018, 0.05, 0.014), section(-0.064, 0.03, 0.064, 0.004),
            section(-0.04, 0.038, 0.082), section(0.0, 0.041, 0.09), section(0.04, 0.043, 0.082),
            section(0.08, 0.047, 0.066), section(0.112, 0.051, 0.053), section(0.124, 0.05, 0.048),
            section(0.126, 0.036, 0.038, 0.008),
        ],
        "LeftFoot", squareness=2.8,
    )  # fmt: skip
    toes = loft(
        (0.1, 0.0, 0.0), FRONT, LEFT,
        [
            section(0.126, 0.036, 0.038, 0.008), section(0.129, 0.05, 0.046),
            section(0.155, 0.05, 0.042), section(0.185, 0.044, 0.036),
            section(0.202, 0.032, 0.028, 0.002), section(0.208, 0.018, 0.02, 0.006),
        ],
        "LeftToeBase", squareness=2.8,
    )  # fmt: skip
    knuckle = loft(
        (0.1, 0.0, 0.0), FRONT, LEFT,
        [
            section(0.1, 0.03, 0.034, 0.012), section(0.108, 0.042, 0.044, 0.004),
            section(0.126, 0.0455, 0.043, 0.003), section(0.144, 0.042, 0.038, 0.004),
            section(0.152, 0.03, 0.03, 0.012),
        ],
        {"LeftFoot": (0.0, 0.11), "LeftToeBase": (0.142, 0.2)},
        material=JOINT, squareness=2.6,
    )  # fmt: skip
    return [foot, toes, knuckle]


def figure() -> list[Part]:
    """All parts of the mannequin, T-pose, standing on z = 0."""
    left = _left_arm() + _left_leg()
    parts = _trunk() + left + [mirrored(part) for part in left]
    for part in parts:
        assert np.allclose(sum(part.weights.values()), 1.0)
    return parts
