# SPDX-License-Identifier: Apache-2.0
"""A video with the skeleton drawn on it, to see what was detected."""

from __future__ import annotations

import os

import numpy as np

from ..errors import UserError
from ..progress import progress_bar
from . import layout
from .keypoints import Keypoints
from .video import Video
from .video_writer import VideoWriter

LEFT, RIGHT, MIDDLE = (255, 140, 0), (0, 170, 255), (240, 240, 240)  # RGB: the person's left is orange
SHOWN = 0.1  # points of lower confidence are not drawn


def draw(image: np.ndarray, points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """A copy of (height, width, 3) RGB with the skeleton of ``points`` (27, 2), ``confidence`` (27,) on it.

    Lines grow darker as confidence falls.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            "Drawing needs OpenCV, which is not installed.",
            "Install it with: pip install 'videomdm[video]'",
            code="missing-package",
        ) from error
    image = np.ascontiguousarray(image).copy()
    width = max(2, round(max(image.shape) / 500))
    at = np.round(points).astype(int)
    for a, b in layout.CONNECTIONS:
        certain = min(confidence[a], confidence[b])
        if certain > SHOWN:
            colour = _shade(a, b, certain)
            cv2.line(image, tuple(map(int, at[a])), tuple(map(int, at[b])), colour, width, cv2.LINE_AA)
    for point in np.flatnonzero(confidence > SHOWN).tolist():
        colour = _shade(point, point, confidence[point])
        cv2.circle(image, tuple(map(int, at[point])), width + 1, colour, -1, cv2.LINE_AA)
    return image


def _shade(a: int, b: int, certain: float) -> tuple[int, int, int]:
    sides = {layout.NAMES[index].split("_")[0] for index in (a, b)}
    colour = LEFT if sides == {"left"} else RIGHT if sides == {"right"} else MIDDLE
    strength = 0.35 + 0.65 * float(certain)
    red, green, blue = (round(strength * value) for value in colour)
    return red, green, blue


def write_overlay(
    path: str | os.PathLike[str], video: Video, keypoints: Keypoints, progress: bool = False
) -> None:
    """Write an MP4 of the video, read at the keypoints' own frames, with their skeleton drawn on it."""
    info = video.info
    bar = progress_bar(video, total=len(keypoints), unit="frame", desc="Drawing", disable=not progress)
    with VideoWriter(path, info.fps, info.width, info.height) as writer:
        for image, points, confidence in zip(bar, keypoints.points, keypoints.confidence, strict=False):
            writer.write(draw(image, points, confidence))
