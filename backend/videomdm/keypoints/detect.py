# SPDX-License-Identifier: Apache-2.0
"""People in video, found by MediaPipe's BlazePose (the "full" model, which its package carries).

MediaPipe's task interface follows several people through the sequence, but wants a model bundle that is
published apart from the package.  The two networks in the package are the same; what they lack is the
description of their input.  It is added here, in memory, with MediaPipe's own metadata writer.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import progress_bar
from .layout import DETECTORS, to_canonical
from .people import People
from .video import Video

DETECTOR = "mediapipe-33"
MOST_PEOPLE = 3  # followed at once; every further one costs time in every frame

# Within the package: the network, and the range [-mean / std, (255 - mean) / std] that its input is scaled to.
_NETWORKS = {
    "pose_detector.tflite": ("modules/pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("modules/pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}


def require_mediapipe() -> ModuleType:
    """The module ``mediapipe``; UserError with the way to install it where it is missing."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe
    except ImportError as error:
        raise UserError(
            "Finding people in video needs MediaPipe, which is not installed.",
            "Install it with: pip install 'videomdm[video]' (Python 3.11 or 3.12),"
            " or use the output of OpenPose or AlphaPose.",
            code="missing-package",
        ) from error
    return mediapipe


def detect_people(video: Video, most_people: int = MOST_PEOPLE, progress: bool = False) -> People:
    """Everybody in a video, frame by frame, up to ``most_people`` at once.

    Points outside the picture are the network's guesses: confidence 0.  ``progress`` draws a bar on stderr.
    """
    info = video.info
    frames: list[np.ndarray] = []
    with _landmarker(most_people) as (mediapipe, landmarker):
        bar = progress_bar(video, total=info.frames, unit="frame", desc="Detecting", disable=not progress)
        for index, image in enumerate(bar):
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            # The networks' messages come with the first frame and with the first person.
            with nullcontext() if any(map(len, frames)) else _quiet():
                found = landmarker.detect_for_video(picture, round(index * 1000 / info.fps))
            frames.append(_canonical(found.pose_landmarks, info.width, info.height))
    if not frames:
        raise UserError(f"{video.path} has no frames in the chosen range.", "Choose another start and end.")
    return People(
        frames=frames,
        fps=info.fps,
        width=info.width,
        height=info.height,
        source=str(video.path),
        provenance={
            "detector": f"mediapipe {mediapipe.__version__} pose landmarker (full)",
            "layout": DETECTOR,
            "start": info.start,
        },
    )


def _canonical(people: list[Any], width: int, height: int) -> np.ndarray:
    """MediaPipe's normalised landmarks of P people as (P, 27, 3) pixels and confidence."""
    points = np.array(
        [[(mark.x * width, mark.y * height, mark.visibility) for mark in person] for person in people]
    ).reshape(len(people), len(DETECTORS[DETECTOR]), 3)
    x, y = points[..., 0], points[..., 1]
    points[(x < 0) | (y < 0) | (x > width) | (y > height), 2] = 0.0
    return to_canonical(points, DETECTOR)


@contextmanager
def _landmarker(most_people: int) -> Iterator[tuple[ModuleType, Any]]:
    with _quiet():
        mediapipe = require_mediapipe()
        vision = mediapipe.tasks.vision
        options = vision.PoseLandmarkerOptions(
            base_options=mediapipe.tasks.BaseOptions(model_asset_buffer=_bundle(mediapipe)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=most_people,
        )
        landmarker = vision.PoseLandmarker.create_from_options(options)
    try:
        yield mediapipe, landmarker
    finally:
        with _quiet():
            landmarker.close()


def _bundle(mediapipe: ModuleType) -> bytes:
    """A pose landmarker bundle (an uncompressed ZIP archive) of the networks in the package."""
    from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

    root = Path(str(mediapipe.__file__)).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, (path, mean, deviation) in _NETWORKS.items():
            try:
                network = (root / path).read_bytes()
            except OSError as error:
                raise UserError(
                    f"This MediaPipe ({mediapipe.__version__}) comes without its pose networks.",
                    "Install the version that videomdm asks for: pip install 'videomdm[video]'",
                    code="missing-package",
                ) from error
            writer = MetadataWriter.create(bytearray(network))
            writer.add_image_input([mean], [deviation])
            bundle.writestr(name, writer.populate()[0])
    return buffer.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what native code writes to stderr out of sight; shown after all where the block fails.

    MediaPipe's start-up messages cannot be turned off by its own settings.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            sink.seek(0)
            os.write(2, sink.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
