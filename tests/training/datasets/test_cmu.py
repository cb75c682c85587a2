# SPDX-License-Identifier: Apache-2.0
"""The delivered CMU set: its list of segments, its archive, and what counts as implausible."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm_training.datasets import cmu

LINE = {
    "segment": "01_01@0-2", "clip": "01_01", "start": 0, "end": 2, "split": "train", "role": "prior",
    "captions": ["a person jumps "], "caption_source": "project", "description": None, "humanml3d": None,
}  # fmt: skip


def write_lines(path: Path, *changes: dict) -> Path:
    path.write_text("\n".join(json.dumps(LINE | change) for change in changes) + "\n")
    return path


def test_all_segments_of_the_set_are_understood(shared_data: Path) -> None:
    segments = cmu.read_segments(shared_data / "cmu" / "segments.jsonl")
    assert len(segments) == 4364
    assert sum(segment.suspect for segment in segments) == 53
    # words that may be used for evaluation only are not among what is trained on
    assert all(segment.split == "test" for segment in segments if segment.caption_source == "humanml3d")
    group = cmu.groups(segments)
    splits: dict[str, set[str]] = {}
    for segment in segments:
        splits.setdefault(group[segment.take], set()).add(segment.split)
    assert all(
        split == {"test", "beside_test"} for split in splits.values() if "test" in split and len(split) > 1
    )
    assert all(len(split - {"test", "beside_test"}) <= 1 for split in splits.values())


def test_fields_are_tidied(tmp_path: Path) -> None:
    (segment,) = cmu.read_segments(write_lines(tmp_path / "segments.jsonl", {}))
    assert segment.captions == ("a person jumps",)
    assert (segment.description, segment.humanml3d, segment.same_motion_as, segment.suspect) == (
        "",
        "",
        "",
        False,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"captions": []},
        {"captions": [" "]},
        {"captions": None},
        {"split": "training"},
        {"role": None},
        {"start": "soon"},
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, change: dict) -> None:
    with pytest.raises(UserError, match="Line 2"):
        cmu.read_segments(write_lines(tmp_path / "segments.jsonl", {}, change))


def test_missing_empty_and_garbled_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        cmu.read_segments(tmp_path / "segments.jsonl")
    (tmp_path / "segments.jsonl").write_text("\n")
    with pytest.raises(UserError, match="no segments"):
        cmu.read_segments(tmp_path / "segments.jsonl")
    (tmp_path / "segments.jsonl").write_text("not json\n")
    with pytest.raises(UserError, match="Line 1"):
        cmu.read_segments(tmp_path / "segments.jsonl")


def test_takes_of_one_recording_form_one_group(tmp_path: Path) -> None:
    lines = write_lines(
        tmp_path / "segments.jsonl",
        {"clip": "c", "same_motion_as": "b"},
        {"clip": "b", "same_motion_as": "a"},
        {"clip": "d"},
        {"clip": "e", "same_motion_as": "c"},
    )
    group = cmu.groups(cmu.read_segments(lines))
    assert group == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "a"}


def test_takes_come_from_an_archive_or_from_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bvh.tar.xz", "w:xz") as archive:
        for name in ("x/01_01.bvh", "02_01.bvh", "readme.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    expected = [("01_01", b"abc"), ("02_01", None)]
    assert list(cmu.read_takes(tmp_path, {"01_01"})) == expected
    folder = tmp_path / "plain"
    (folder / "bvh").mkdir(parents=True)
    for name in ("01_01", "02_01"):
        (folder / "bvh" / f"{name}.bvh").write_bytes(b"abc")
    assert list(cmu.read_takes(folder, {"01_01"})) == expected
    with pytest.raises(UserError, match="neither"):
        list(cmu.read_takes(folder / "bvh" / "none", set()))


@pytest.mark.parametrize("ending", ["xz", "gz"])
def test_a_cut_archive_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bvh.tar.{ending}"
    with tarfile.open(path, f"w:{ending}") as archive:
        info = tarfile.TarInfo("01_01.bvh")
        info.size = 100_000
        archive.addfile(info, io.BytesIO(np.random.default_rng(0).bytes(info.size)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="damaged or incomplete"):
        list(cmu.read_takes(tmp_path, {"01_01"}))
    path.write_bytes(b"no archive at all")
    with pytest.raises(UserError, match="damaged or incomplete"):
        list(cmu.read_takes(tmp_path, {"01_01"}))


def standing(frames: int = 40) -> np.ndarray:
    body = np.linspace(0.0, 1.6, 22)[:, None] * np.array([0.0, 1.0, 0.0])
    return np.repeat(body[None, ::-1], frames, axis=0) + 0.0


def test_what_a_person_can_do_is_plausible() -> None:
    run = standing()
    run[..., 2] += 8.0 * np.arange(40)[:, None] / 20
    assert cmu.implausible(run) == ""
    assert cmu.implausible(standing(1)) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: body[20:, :, 0].__iadd__(0.6), "root speed"),
        (lambda body: body[20, 5].__iadd__(1.5), "joint speed"),
        (lambda body: body.__iadd__([0.0, 0.6, 0.0]), "smallest height"),
        (lambda body: body[10:].__isub__([0.0, 0.3, 0.0]), "depth below"),
        (lambda body: body[:, 0].__iadd__([0.0, 0.5, 0.0]), "pelvis height"),
        (lambda body: body[3].__imul__(np.nan), "NaN"),
    ],
)
def test_what_nobody_can_do_is_told_by_its_reason(change, why: str) -> None:
    body = standing()
    change(body)
    assert why in cmu.implausible(body)
