# SPDX-License-Identifier: Apache-2.0
"""AMASS (Mahmood et al., ICCV 2019) with SMPL-H parameters: ``<dataset>/<subject>/*.npz``.

A file has poses (T, 156) axis-angle, trans (T, 3) metres, betas (16,), gender and mocap_framerate (newer files:
mocap_frame_rate); the world has Z up.  Joints come from the user's own body models (``--body-models``).

Captions come from a HumanML3D directory with index.csv and texts/, or from a captions.csv in the folder with the
columns file (relative to the folder), caption and, if wanted, from, to (seconds) and split.  Takes without
captions are kept for the lifter alone.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import FPS

from . import humanml3d
from .arrays import RATES, frame_rate, load_arrays
from .body import on_standard_body, packed, to_y_up
from .left_out import LeftOut
from .smpl import Bodies, gender_of, pose_parameters
from .takes import Options, Take, Words, is_stretch, segments_of

NOTES = {
    "name": "AMASS",
    "licence": "non-commercial research; see amass.is.tue.mpg.de and the licence of each part",
    "credit": "AMASS (Mahmood et al., 2019) and the data sets it unites",
}
_NO_MOTION = ("shape.npz", "_stagei.npz")  # ends of files that hold a subject's shape only
_POSES = ("poses", "root_orient", "pose_body", "global_orient", "body_pose", "trans", "transl", "betas")
# seconds that HumanML3D cuts off the head of every take of these parts, before it counts frames
_HEADS = {
    "Eyes_Japan_Dataset": 3.0, "MPI_HDM05": 3.0, "TotalCapture": 1.0, "MPI_Limits": 1.0, "Transitions_mocap": 0.5,
}  # fmt: skip


def found(folder: Path) -> bool:
    """Whether this looks like AMASS: archives of poses two folders down."""
    return any(_is_motion(file) and _has_poses(file) for file in sorted(folder.glob("*/*/*.npz"))[:3])


def read(folder: Path, options: Options, left_out: LeftOut) -> Iterator[Take]:
    """All takes in the folder, as far as their files are whole."""
    if options.body_models is None:
        raise UserError(
            "AMASS holds pose parameters, not joints.",
            "Give your SMPL-H models with --body-models (npz, from mano.is.tue.mpg.de).",
        )
    bodies = Bodies(options.body_models)
    captions, nominal = _captions(folder, options, left_out)
    for file in sorted(path for path in folder.rglob("*.npz") if _is_motion(path)):
        name = file.relative_to(folder).with_suffix("").as_posix()
        try:
            positions, step = _positions(file, bodies)
        except UserError as error:
            left_out.add(str(file), error.message)
            continue
        factor = step * FPS if nominal else 1.0
        subject = _subject(file)
        key = f"{subject}/{file.stem}" if nominal else name
        words = [replace(w, start=factor * w.start, end=factor * w.end) for w in captions.pop(key, [])]
        words = words or [Words((options.caption,) if options.caption else ())]
        yield Take(
            name,
            positions,
            tuple(segments_of(name, positions, words, options, subject=subject, source="own")),
        )
    for name in captions:
        left_out.add(name, "captions name it, but there is no such file")


def _subject(file: Path) -> str:
    """<dataset>/<subject>, the same whether the folder given is that of all data sets, of one, or of one subject."""
    return "/".join(Path(os.path.abspath(file)).parts[-3:-1])  # links keep the names that the user gave them


def _is_motion(file: Path) -> bool:
    return not file.name.endswith(_NO_MOTION)


def _has_poses(file: Path) -> bool:
    try:
        load_arrays(file, ("trans",))
    except UserError:
        return False
    return True


def _positions(file: Path, bodies: Bodies) -> tuple[np.ndarray, float]:
    """Packed positions, and the seconds of one frame as HumanML3D counts them."""
    arrays = load_arrays(file, (), (*_POSES, *RATES))
    rate, parameters = frame_rate(arrays), pose_parameters(arrays)
    joints = bodies.of(gender_of(file)).joints(*parameters)
    positions = packed(on_standard_body(to_y_up(joints, "z-up"))[0], rate)
    return positions.astype(np.float32), max(1, int(rate / FPS)) / rate


def _captions(folder: Path, options: Options, left_out: LeftOut) -> tuple[dict[str, list[Words]], bool]:
    """Take -> stretches, and whether their seconds are HumanML3D's: frames it counted, divided by 20."""
    given = options.captions
    if given is not None and given.is_dir():
        return _from_humanml3d(given, left_out), True
    file = given or folder / "captions.csv"
    return (_from_table(file) if file.is_file() else {}), False


def _from_humanml3d(folder: Path, left_out: LeftOut) -> dict[str, list[Words]]:
    splits, index = humanml3d.read_splits(folder), humanml3d.read_index(folder)
    if not index:
        raise UserError(f"{folder} has no index.csv.", "Copy it from the HumanML3D repository.")
    captions: dict[str, list[Words]] = {}
    for name, (source, first, last) in index.items():
        if name not in splits or "humanact12" in source:
            continue
        try:
            stretches = humanml3d.read_texts(folder / "texts" / f"{name}.txt", name, splits[name], left_out)
        except UserError as error:
            left_out.add(name, error.message)
            continue
        head = next((seconds for part, seconds in _HEADS.items() if part in source), 0.0)
        begin, stop = head + first / FPS, head + last / FPS if last > 0 else 0.0
        captions.setdefault(Path(source).with_suffix("").as_posix(), []).extend(
            replace(words, start=begin + words.start, end=begin + words.end if words.end else stop)
            for words in stretches
        )
    return captions


def _from_table(file: Path) -> dict[str, list[Words]]:
    captions: dict[str, list[Words]] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            for number, row in enumerate(csv.DictReader(text), 2):
                caption, split = row["caption"].strip(), (row.get("split") or "train").strip()
                start, end = (float(row.get(name) or 0.0) for name in ("from", "to"))
                if not caption or split not in humanml3d.SPLITS or not is_stretch(start, end):
                    raise ValueError(f"line {number} has no caption, an unknown split, or no stretch")
                words = Words((caption,), start, end, split)
                captions.setdefault(row["file"].strip().removesuffix(".npz"), []).append(words)
    except (OSError, KeyError, AttributeError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{file} cannot be used ({error!r}).",
            "Give it the columns file, caption and, if wanted, from, to and split.",
        ) from error
    return captions
