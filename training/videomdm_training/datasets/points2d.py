# SPDX-License-Identifier: Apache-2.0
"""2D-only sets as arrays, such as the NBA set of MAS (Kapon et al., CVPR 2024), into a folder of keypoint files.

::

    motions/*.npy     (T, N, 2) points, or (T, N, 3) with confidence; without the subfolder, *.npy
    layout.json       what the arrays hold; the NBA set (16 points) needs none:
        points        N names of the canonical layout ("nose", "left_hip", ... see keypoints/layout.py); "" for
                      points that have no place there: these, and canonical points that are not named, count as unseen
        fps           frames per second
        width, height image size, where the points are pixels with y down
        distance      or, where they are not: the distance of the camera in their unit; the person is then taken to
                      stand in the middle of the image, with y up
        threshold     confidence below which a point counts as unseen (0)
    captions.csv      columns file, caption, split, as in a folder of keypoint files

What comes out is read by ``train fit`` like any other footage.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from videomdm.camera_fit import intrinsics_guess
from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, INDEX
from videomdm.limits import MAX_FPS, MAX_IMAGE_SIDE

from . import body
from .arrays import load_array
from .footage import CAPTIONS, read_captions, write_captions
from .left_out import LeftOut
from .takes import PAGE, Options

IMAGE = 1000  # pixels: side of the image in which people of unknown cameras are put
MIN_FRAMES = 20


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """The file layout.json."""

    points: tuple[str, ...]
    fps: float
    width: int = 0
    height: int = 0
    distance: float = 0.0
    threshold: float = 0.0


# Rate, distance and threshold as in the public code of MAS.  It sees bodies from 7 of their units, but stores what it
# sees 1 / 0.75 (its "visualization scale") larger: in the unit of the points the camera is as much farther away.
NBA = Layout(body.NBA, fps=60.0, distance=7.0 / 0.75, threshold=0.3)


def found(folder: Path) -> bool:
    """Whether this looks like such a set."""
    return any((folder / "motions").glob("*.npy")) or (folder / "layout.json").is_file()


def convert(source: Path, out: Path, options: Options, left_out: LeftOut) -> int:
    """Write the folder ``out``, whole or not at all; returns the number of clips.

    UserError where ``out`` exists, where no clip is usable, or where nothing says what the arrays hold.
    """
    if out.exists():
        raise UserError(f"{out} exists already.", "Remove it, or choose another name.")
    files = sorted((source / "motions").glob("*.npy")) or sorted(source.glob("*.npy"))
    table = options.captions or source / CAPTIONS
    listed = read_captions(table) if table.is_file() else {}
    layout = _layout(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        written = []
        for number, file in enumerate(files):
            captions, split = listed.get(file.stem, ((), _split(number)))
            captions = captions or ((options.caption,) if options.caption else ())
            try:
                if not captions:
                    raise UserError("it has no caption", f"List it in {CAPTIONS}, or give --caption.")
                keypoints = to_keypoints(file, layout)
            except UserError as error:
                left_out.add(str(file), error.message)
                continue
            keypoints.save(work / f"{file.stem}.json")
            written.append((file.stem, captions, split))
        if not written:
            reasons = "; ".join(sorted(set(left_out.values()))[:2]) or "there are no .npy files"
            raise UserError(
                f"No clip of {source} could be used: {reasons}.", "See layout.json and captions.csv."
            )
        write_captions(work, written)
        os.chmod(work, 0o755)
        os.replace(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(written)


def _split(number: int) -> str:
    """One in ten for tests and one for validation; the first clips train, so that a small set has some that do."""
    return {4: "val", 9: "test"}.get(number % 10, "train")


def _layout(source: Path) -> Layout | None:
    """What the arrays hold; None for the NBA set."""
    file = source / "layout.json"
    if not file.is_file():
        return None
    try:
        layout = msgspec.json.decode(file.read_bytes(), type=Layout)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{file} cannot be used ({error}).", f"{PAGE} says what it holds.") from error
    unknown = sorted({name for name in layout.points if name and name not in INDEX})
    if unknown:
        raise UserError(
            f"{file} names {', '.join(unknown)}, which are no canonical points.",
            f"Known are {', '.join(INDEX)}.",
        )
    pixels = layout.width > 0 and layout.height > 0
    if not 1 <= layout.fps < MAX_FPS or pixels == (layout.distance > 0):
        raise UserError(
            f"{file} needs fps, from 1 to below {MAX_FPS:g}, and either width and height or distance.",
            "Add them.",
        )
    if max(layout.width, layout.height) > MAX_IMAGE_SIDE:
        raise UserError(
            f"{file} says {layout.width} x {layout.height} pixels; images have at most {MAX_IMAGE_SIDE} a side.",
            "Correct width and height.",
        )
    return layout


def to_keypoints(file: Path, layout: Layout | None) -> Keypoints:
    """One array as keypoints; UserError where it is broken, holds NaN, or has other points than the layout."""
    values = load_array(file)
    expected = len((layout or NBA).points)
    if values.ndim != 3 or values.shape[2] not in (2, 3) or values.shape[1] != expected:
        raise UserError(
            f"it has the shape {values.shape}, not (frames, {expected}, 2 or 3)",
            "Write layout.json, which says what its points are.",
        )
    layout = layout or NBA
    confidence = values[..., 2] if values.shape[2] == 3 else np.ones(values.shape[:2])
    seen = (confidence >= layout.threshold) & (confidence > 0)
    if not np.isfinite(confidence).all() or not np.isfinite(values[seen]).all():
        raise UserError("it holds NaN or infinite numbers", "Give unseen points the confidence 0.")
    if len(values) < MIN_FRAMES * layout.fps / 20:
        raise UserError("it is shorter than a second", "Leave it out.")
    width, height, focal, xy = _in_pixels(values[..., :2], layout)
    points, certain = np.zeros((len(xy), COUNT, 2)), np.zeros((len(xy), COUNT))
    for index, name in enumerate(layout.points):
        if name:
            points[:, INDEX[name]] = np.where(seen[:, index, None], xy[:, index], 0.0)
            certain[:, INDEX[name]] = np.where(seen[:, index], confidence[:, index].clip(0, 1), 0.0)
    facts = {"detector": "unknown", **({"focal_length": focal} if focal else {})}
    try:
        with np.errstate(over="ignore"):  # what single precision cannot hold is refused below
            keypoints = Keypoints(points, certain, layout.fps, width, height, str(file.name), facts)
    except ValueError as error:
        raise UserError(
            f"it makes no keypoints: {error}", "See that its numbers are those of points."
        ) from error
    keypoints.trimmed()  # somebody must be seen
    return keypoints


def _in_pixels(xy: np.ndarray, layout: Layout) -> tuple[int, int, float, np.ndarray]:
    """Width, height, focal length (0: not known) and points in pixels with y down."""
    if layout.distance <= 0:
        return layout.width, layout.height, 0.0, xy
    focal = float(intrinsics_guess(IMAGE, IMAGE)[0, 0])
    return IMAGE, IMAGE, focal, IMAGE / 2 + focal / layout.distance * xy * np.array([1.0, -1.0])
