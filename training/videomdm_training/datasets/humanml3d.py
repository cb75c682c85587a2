# SPDX-License-Identifier: Apache-2.0
"""A HumanML3D directory (Guo et al., CVPR 2022), as its notebooks leave it.

::

    new_joints/ID.npy        (T, 22, 3) metres at 20 fps
    new_joint_vecs/ID.npy    (T, 263) features; read where new_joints has no such file
    texts/ID.txt             lines of caption#tokens#from#to, in seconds; 0 and 0: the whole clip
    train.txt, val.txt, test.txt
    ../index.csv             where each clip comes from in AMASS: tells subjects apart (optional)

Mirrored clips (M000000) are left out: training mirrors by itself.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.representation import WIDTH, decode

from .arrays import load_array
from .body import check
from .left_out import LeftOut
from .takes import Options, Take, Words, is_stretch, segments_of

NOTES = {
    "name": "HumanML3D",
    "licence": "annotations MIT; motion derives from AMASS and HumanAct12: their licences hold",
    "credit": "HumanML3D (Guo et al., 2022), AMASS (Mahmood et al., 2019), HumanAct12 (Guo et al., 2020)",
}
SPLITS = ("train", "val", "test")


def found(folder: Path) -> bool:
    """Whether this looks like a HumanML3D directory."""
    return (folder / "texts").is_dir() and any(
        (folder / name).is_dir() for name in ("new_joints", "new_joint_vecs")
    )


def read(folder: Path, options: Options, left_out: LeftOut) -> Iterator[Take]:
    """All clips that a split names, with a segment for each captioned stretch."""
    splits = read_splits(folder)
    sources = read_index(folder)
    for name, split in splits.items():
        if name.startswith("M"):
            continue
        try:
            positions = _positions(folder, name)
            words = read_texts(folder / "texts" / f"{name}.txt", name, split, left_out)
        except UserError as error:
            left_out.add(name, error.message)
            continue
        row = sources.get(name)
        subject = "/".join(PurePosixPath(row[0]).parts[:2]) if row else ""
        segments = segments_of(
            name, positions, words, options, subject=subject, source="humanml3d", group=name
        )
        yield Take(name, positions, tuple(segments))


def read_splits(folder: Path) -> dict[str, str]:
    """Clip -> split; UserError where there is no list, or one clip is in two."""
    splits: dict[str, str] = {}
    for split in SPLITS:
        file = folder / f"{split}.txt"
        try:
            names = file.read_text(encoding="utf-8").split() if file.is_file() else []
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{file} cannot be read ({error}).", "Copy it from the HumanML3D repository."
            ) from error
        for name in names:
            if splits.setdefault(name, split) != split:
                raise UserError(
                    f"{file} names {name}, which {splits[name]}.txt has, too.", "Restore the lists."
                )
    if not splits:
        raise UserError(
            f"{folder} has no train.txt, val.txt or test.txt.", "Copy them from the HumanML3D repository."
        )
    return splits


def read_index(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Clip -> its source in AMASS without ``./pose_data/``, first and last frame; empty where there is no index."""
    file = next(
        (path for path in (folder / "index.csv", folder.parent / "index.csv") if path.is_file()), None
    )
    if file is None:
        return {}
    try:
        with file.open(encoding="utf-8", newline="") as text:
            index = {
                Path(row["new_name"]).stem: (
                    str(PurePosixPath(row["source_path"]).relative_to("pose_data")),
                    int(row["start_frame"]),
                    int(row["end_frame"]),
                )
                for row in csv.DictReader(text)
            }
        for name, (_, first, last) in index.items():
            if not is_stretch(first, max(0, last)):  # the last one may be -1, for the end
                raise ValueError(f"{name} has no stretch from frame {first} to {last}")
        return index
    except (OSError, KeyError, TypeError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{file} is not HumanML3D's index ({error}).", "Restore it from the repository."
        ) from error


def read_texts(file: Path, name: str, split: str, left_out: LeftOut) -> list[Words]:
    """The captioned stretches of one clip; UserError where the file is missing or has no caption at all."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"its captions cannot be read: {error}", "Copy them again.") from error
    stretches: dict[tuple[float, float], list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split("#")
        try:
            caption = parts[0].strip()
            begin, end = (0.0 if math.isnan(float(text)) else float(text) for text in parts[2:4])
            if not caption or not is_stretch(begin, end):
                raise ValueError(f"no stretch from {begin:g} to {end:g} s" if caption else "no caption")
        except ValueError as error:
            left_out.add(f"{file}:{number}", f"not of the form caption#tokens#from#to ({error})")
            continue
        stretches.setdefault((begin, end), []).append(caption)
    if not stretches:
        raise UserError("it has no caption", "Copy its texts again.")
    return [
        Words(tuple(captions), start, end, split, f"{name}_{start:g}_{end:g}" if end else name, name)
        for (start, end), captions in stretches.items()
    ]


def _positions(folder: Path, name: str) -> np.ndarray:
    joints, vectors = folder / "new_joints" / f"{name}.npy", folder / "new_joint_vecs" / f"{name}.npy"
    file = joints if joints.is_file() else vectors
    if not file.is_file():
        raise UserError("there is neither joints nor features of it", "Make them with HumanML3D's notebooks.")
    try:
        values = load_array(file)
    except UserError as error:
        raise UserError(f"its motion cannot be read: {file}, {error.message}", error.advice) from error
    if file is vectors:
        if values.ndim != 2 or values.shape[1] != WIDTH:
            raise UserError(
                f"its features have the shape: {values.shape}, not (frames, {WIDTH})", "Make it again."
            )
        values = decode(values)
    check(values)
    return values.astype(np.float32)
