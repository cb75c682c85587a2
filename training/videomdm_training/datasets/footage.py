# SPDX-License-Identifier: Apache-2.0
"""A folder of keypoint files with captions: a studio's own footage, as ``videomdm keypoints`` leaves it.

::

    walk.json   run.json      keypoints files, one person each
    captions.csv              columns file, caption and, if wanted, split ("train", "val" or "test");
                              a file may have several rows
    run.txt                   or, for a file that captions.csv does not name, one caption on each line

Broken, empty and uncaptioned files are left out by name.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints

from .left_out import LeftOut

CAPTIONS = "captions.csv"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class FootageClip:
    """One person in one piece of footage.

    name:     the file's name without ending.
    captions: at least one.
    split:    "train", "val" or "test".
    """

    name: str
    keypoints: Keypoints
    captions: tuple[str, ...]
    split: str = "train"


def is_footage(folder: Path) -> bool:
    """Whether ``folder`` looks like one of these."""
    return folder.is_dir() and any(
        (folder / CAPTIONS).is_file() or file.with_suffix(".txt").is_file() for file in folder.glob("*.json")
    )


def read_footage(folder: Path, left_out: LeftOut | None = None) -> list[FootageClip]:
    """All usable clips of a folder, in order of their names.

    What cannot be used is logged, and noted in ``left_out`` by its path.  UserError where the folder holds nothing
    usable, or where captions.csv is not readable.
    """
    left_out = LeftOut() if left_out is None else left_out
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UserError(
            f"{folder} holds no keypoints files.", "Make them with `videomdm keypoints`, one for each clip."
        )
    listed = read_captions(folder / CAPTIONS) if (folder / CAPTIONS).is_file() else {}
    for name in sorted(listed.keys() - {file.stem for file in files}):
        left_out.add(str(folder / f"{name}.json"), f"{CAPTIONS} names it, but it is not there")
    clips = []
    for file in files:
        try:
            captions, split = listed.get(file.stem) or (_own_captions(file.with_suffix(".txt")), "train")
            if not captions:
                raise UserError(f"it has no caption: write {file.stem}.txt, or a row of {CAPTIONS}")
            keypoints = Keypoints.load(file)
            keypoints.trimmed()
        except UserError as error:
            left_out.add(str(file), error.message)
            continue
        clips.append(FootageClip(file.stem, keypoints, captions, split))
    if not clips:
        reasons = "; ".join(sorted(set(left_out.values()))[:3])
        raise UserError(
            f"No keypoints file in {folder} can be used ({reasons}).",
            "Mend these files, or give another folder.",
        )
    return clips


def _own_captions(file: Path) -> tuple[str, ...]:
    if not file.is_file():
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"its captions {file} cannot be read ({error})", "Save them as UTF-8 text."
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def read_captions(file: Path) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """File name without ending -> its captions and split."""
    advice = "Give it the columns file, caption and, if wanted, split; save it as UTF-8."
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read ({error}).", advice) from error
    if rows and not {"file", "caption"} <= rows[0].keys():
        raise UserError(f"{file} has no columns called file and caption.", advice)
    captions: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        name = str(row["file"] or "").strip().removesuffix(".json")
        split = str(row.get("split") or "train").strip()
        if not name or split not in SPLITS or splits.setdefault(name, split) != split:
            raise UserError(
                f"Line {number} of {file} names no file, or another split than {', '.join(SPLITS)} or than before.",
                advice,
            )
        words = str(row["caption"] or "").strip()
        captions.setdefault(name, []).extend([words] if words else [])
    return {name: (tuple(words), splits[name]) for name, words in captions.items()}


def write_captions(folder: Path, clips: Sequence[tuple[str, Sequence[str], str]]) -> None:
    """Write captions.csv for clips of (name, captions, split)."""
    with (folder / CAPTIONS).open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(["file", "caption", "split"])
        table.writerows([name, caption, split] for name, captions, split in clips for caption in captions)
