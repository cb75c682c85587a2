# SPDX-License-Identifier: Apache-2.0
"""Readers of what pose detectors write: OpenPose folders, AlphaPose and COCO result lists, our own files.

* OpenPose: a folder of one JSON object for each frame, ``{"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}``;
  the frame's number is the last number in the file's name.
* AlphaPose and COCO results: one JSON list of ``{"image_id": ..., "keypoints": [x, y, c, ...]}``; the frame's
  number is the last number of the image's name.
* Ours: see ``keypoints.py``.

The number of points tells the layout (``layout.guess_detector``).  Missing frames have no people.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..errors import UserError
from ..limits import MAX_IMAGE_SIDE
from ..motion.files import read_bytes
from . import layout
from .keypoints import FILE_FORMAT, Keypoints
from .people import People
from .track import choose_person

ASSUMED_FPS = 30.0
# Sizes of common video, upright and on their side, that an unknown image size is guessed from.
COMMON_SIZES = (
    (640, 360),
    (640, 480),
    (854, 480),
    (960, 540),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
)
MOST_PIXELS = 1e9  # what is larger is no coordinate
# Frame numbers that leave more than this many holes for each frame present are no frame numbers.
MOST_HOLES = 20

Person = tuple[str, list[float]]  # the frame's name and the flat list x, y, confidence


def load_any(
    path: str | os.PathLike[str],
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    person: int = 1,
) -> Keypoints:
    """The keypoints of one person from any file or folder that is known here, as they were detected.

    ``fps`` and ``size`` (width, height) say what the format does not; without them 30 frames per second and
    the smallest common video size that holds every point are assumed, and ``provenance["notes"]`` says so.
    Of several people number ``person`` is taken, the one seen longest and largest being 1.  UserError where the
    file is missing, damaged, of no known format, or shows nobody.
    """
    path = Path(path)
    if not path.is_dir() and _is_ours(path):
        if fps is not None or size is not None:
            raise UserError(
                f"{path} is a videomdm keypoints file and tells its own frame rate and image size.",
                "Leave them out.",
            )
        return Keypoints.load(path)
    return choose_person(read_people(path, fps, size), person)


def read_people(
    path: str | os.PathLike[str], fps: float | None = None, size: tuple[int, int] | None = None
) -> People:
    """Everybody in an OpenPose folder or an AlphaPose or COCO result list; parameters as ``load_any``."""
    path = Path(path)
    if fps is not None and not 1 <= fps < 1000:
        raise UserError(f"A frame rate of {fps:g} cannot be used.", "Give one from 1 to 240.")
    if size is not None and not all(1 <= side <= MAX_IMAGE_SIDE for side in size):
        raise UserError(
            f"An image of {size[0]} x {size[1]} pixels cannot be used.",
            f"Give width and height from 1 to {MAX_IMAGE_SIDE}.",
        )
    if path.is_dir():
        persons, names, kind = _openpose(path)
    else:
        persons, names, kind = _result_list(path)
    lengths = {len(flat) for _, flat in persons}
    if not persons:
        raise UserError(f"Nobody is to be seen in {path}.", "Choose footage in which a person is visible.")
    if len(lengths) > 1 or lengths.pop() % 3:
        raise UserError(
            f"The people in {path} do not all have the same number of keypoints.",
            "Export the folder or file again with one body model.",
        )
    points = np.array([flat for _, flat in persons], dtype=np.float64).reshape(len(persons), -1, 3)
    detector = layout.guess_detector(points)
    canonical = layout.to_canonical(points, detector)
    numbers, notes = _frame_numbers(names)
    if size is None:
        size = _guess_size(canonical)
        notes.append(f"The image size is not in {path.name}; {size[0]} x {size[1]} was assumed.")
    if fps is None:
        fps = ASSUMED_FPS
        notes.append(f"The frame rate is not in {path.name}; {fps:g} frames per second were assumed.")
    first = min(numbers.values())
    frames: list[list[np.ndarray]] = [[] for _ in range(max(numbers.values()) - first + 1)]
    for (name, _), person in zip(persons, canonical, strict=True):
        frames[numbers[name] - first].append(person)
    return People(
        frames=[np.array(frame).reshape(-1, layout.COUNT, 3) for frame in frames],
        fps=fps,
        width=size[0],
        height=size[1],
        source=str(path),
        provenance={"detector": kind, "layout": detector, "first_frame": first},
        notes=tuple(notes),
    )


def is_keypoint_source(path: str | os.PathLike[str]) -> bool:
    """Whether a path is to be read here (a folder or a JSON file), not decoded as a video."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() == ".json"


def _is_ours(path: Path) -> bool:
    return FILE_FORMAT.encode() in read_bytes(path)[:200]


def _decode(path: Path) -> Any:
    try:
        return msgspec.json.decode(read_bytes(path))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(
            f"{path} is not valid JSON ({error}).", "Export it again; it may have been cut off."
        ) from error


def _numbers(value: Any, where: str) -> list[float]:
    """A flat list of numbers that can be pixels; UserError with ``where`` for anything else."""
    try:
        flat = msgspec.convert(value, list[float])
    except msgspec.ValidationError as error:
        raise UserError(
            f"{where} holds keypoints that are no list of numbers.", "Export the keypoints again."
        ) from error
    if not flat or not (np.abs(flat) < MOST_PIXELS).all():
        raise UserError(f"{where} holds empty keypoints or values that are no pixels.", "Export them again.")
    return flat


def _openpose(folder: Path) -> tuple[list[Person], list[str], str]:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UserError(
            f"There are no JSON files in the folder {folder}.",
            "Point at the folder that OpenPose wrote with --write_json.",
        )
    persons: list[Person] = []
    for file in files:
        content = _decode(file)
        if not isinstance(content, dict) or not isinstance(content.get("people"), list):
            raise UserError(
                f"{file} is no OpenPose frame: it has no list of people.",
                "The folder must hold only the JSON files of one video.",
            )
        for person in content["people"]:
            if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
                raise UserError(f"{file} has a person without pose_keypoints_2d.", "Export the folder again.")
            if person["pose_keypoints_2d"]:
                persons.append((file.name, _numbers(person["pose_keypoints_2d"], str(file))))
    return persons, [file.name for file in files], "openpose"


def _result_list(path: Path) -> tuple[list[Person], list[str], str]:
    content = _decode(path)
    if isinstance(content, dict) and "people" in content:
        raise UserError(f"{path} is one frame of OpenPose output.", "Give the folder that holds all frames.")
    if not isinstance(content, list):
        raise UserError(
            f"{path} holds no keypoints of a known format.",
            "Known are OpenPose folders, AlphaPose and COCO result lists, and videomdm keypoints files.",
        )
    persons: list[Person] = []
    for index, entry in enumerate(content):
        if not isinstance(entry, dict) or "keypoints" not in entry or "image_id" not in entry:
            raise UserError(
                f"Entry {index} of {path} has no keypoints or no image_id.",
                "Export it again as an AlphaPose or COCO result list.",
            )
        persons.append((str(entry["image_id"]), _numbers(entry["keypoints"], f"Entry {index} of {path}")))
    return persons, list(dict.fromkeys(name for name, _ in persons)), "alphapose"


def _frame_numbers(names: list[str]) -> tuple[dict[str, int], list[str]]:
    """The number of each frame, by its name, and notes.

    It is the last number in the name (OpenPose appends "_keypoints" to it).  Where that does not tell the frames
    apart, or leaves too many holes, the frames are counted in the order in which they come.
    """
    found = [re.findall(r"\d{1,18}", Path(name).stem.removesuffix("_keypoints")) for name in names]
    if all(found):
        numbers = {name: int(digits[-1]) for name, digits in zip(names, found, strict=True)}
        distinct = set(numbers.values())
        span = max(distinct) - min(distinct) + 1
        if len(distinct) == len(names) and span <= (MOST_HOLES + 1) * len(names):
            return numbers, []
    note = "The frames carry no usable numbers; they were taken in the order in which they come."
    return {name: index for index, name in enumerate(names)}, [note]


def _guess_size(canonical: np.ndarray) -> tuple[int, int]:
    """The smallest common video size that holds 99.5 % of the points (N, 27, 3) seen; else their extent."""
    seen = canonical[canonical[..., 2] > 0.1][:, :2]
    if len(seen) == 0:
        return 1920, 1080
    right, bottom = np.percentile(seen, 99.5, axis=0)
    sizes = sorted([*COMMON_SIZES, *((h, w) for w, h in COMMON_SIZES)], key=lambda size: size[0] * size[1])
    for width, height in sizes:
        if right <= width and bottom <= height:
            return width, height
    width, height = np.ceil(np.clip([right, bottom], 1, MAX_IMAGE_SIDE)).astype(int).tolist()
    return width, height
