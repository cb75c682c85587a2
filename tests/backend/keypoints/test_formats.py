# SPDX-License-Identifier: Apache-2.0
"""Reading what detectors write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.figure import walking_keypoints

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints, layout
from videomdm.keypoints.formats import load_any, read_people


def flat(keypoints: Keypoints, detector: str, shift: float = 0.0) -> list[list[float]]:
    """For each frame the flat x, y, confidence list of a detector's layout."""
    frames = []
    for points, confidence in zip(keypoints.points, keypoints.confidence, strict=True):
        row: list[float] = []
        for name in layout.DETECTORS[detector]:
            index = layout.INDEX.get(name)
            row += [0.0, 0.0, 0.0] if index is None else [*(points[index] + shift), confidence[index]]
        frames.append([float(value) for value in row])
    return frames


def write_openpose(
    folder: Path, people: dict[int, list[list[float]]], pattern: str = "v_{:012d}_keypoints.json"
) -> Path:
    """A folder as OpenPose writes it; ``people`` by frame number."""
    folder.mkdir()
    for number, rows in people.items():
        content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": row} for row in rows]}
        (folder / pattern.format(number)).write_text(json.dumps(content))
    return folder


def write_alphapose(path: Path, rows: list[list[float]], name: str = "{}.jpg") -> Path:
    entries = [
        {"image_id": name.format(index), "category_id": 1, "keypoints": row, "score": 2.0, "idx": [0.0]}
        for index, row in enumerate(rows)
    ]
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("detector", ["coco-18", "body-25", "body-25b", "halpe-26", "coco-17"])
def test_openpose_folders(tmp_path: Path, detector: str) -> None:
    figure = walking_keypoints(20)
    folder = write_openpose(tmp_path / "op", {i: [row] for i, row in enumerate(flat(figure, detector))})
    keypoints = load_any(folder, fps=30, size=(1280, 720))
    assert keypoints.provenance["layout"] == detector
    assert keypoints.provenance["notes"] == []
    assert keypoints.coverage == 1.0
    known = [index for index, name in enumerate(layout.NAMES) if name in layout.DETECTORS[detector]]
    np.testing.assert_allclose(keypoints.points[:, known], figure.points[:, known], atol=1e-3)


def test_frames_without_a_file_or_a_person_are_gaps(tmp_path: Path) -> None:
    rows = flat(walking_keypoints(20), "body-25")
    people = {100 + i: [row] for i, row in enumerate(rows) if i not in (5, 6)}
    people[110] = []
    keypoints = load_any(write_openpose(tmp_path / "op", people), fps=30, size=(1280, 720))
    assert len(keypoints) == 20
    assert np.flatnonzero(~keypoints.seen).tolist() == [5, 6, 10]
    assert keypoints.provenance["first_frame"] == 100


def test_names_that_do_not_number_the_frames(tmp_path: Path) -> None:
    rows = flat(walking_keypoints(8), "body-25")
    people = {i: [row] for i, row in enumerate(rows)}
    for pattern in ("frame{:04d}_cam3.json", "1700000{:03d}000.json"):
        folder = write_openpose(tmp_path / pattern[:4], people, pattern)
        keypoints = load_any(folder, fps=30, size=(1280, 720))
        assert (len(keypoints), keypoints.coverage) == (8, 1.0)
        assert any("order" in note for note in keypoints.provenance["notes"])


def test_a_name_of_ten_thousand_digits_is_no_number(tmp_path: Path) -> None:
    entries = [
        {"image_id": digit * 10_000, "keypoints": row}
        for digit, row in zip("19", flat(walking_keypoints(2), "halpe-26"), strict=True)
    ]
    path = tmp_path / "ap.json"
    path.write_text(json.dumps(entries))
    assert len(load_any(path, fps=30, size=(1280, 720))) == 2


@pytest.mark.parametrize(("fps", "size"), [(0.5, None), (float("nan"), None), (30, (0, 9)), (30, (10**9, 9))])
def test_rates_and_sizes_that_cannot_be_are_refused(
    tmp_path: Path, fps: float, size: tuple[int, int] | None
) -> None:
    path = write_alphapose(tmp_path / "ap.json", flat(walking_keypoints(10), "halpe-26"))
    with pytest.raises(UserError, match="cannot be used"):
        load_any(path, fps, size)


def test_what_the_format_does_not_say_is_assumed_and_noted(tmp_path: Path) -> None:
    path = write_alphapose(tmp_path / "ap.json", flat(walking_keypoints(10), "halpe-26"))
    keypoints = load_any(path)
    assert (keypoints.width, keypoints.height, keypoints.fps) == (1280, 720, 30.0)
    assert len(keypoints.provenance["notes"]) == 2
    told = load_any(path, fps=50.0, size=(1300, 800))
    assert (told.width, told.height, told.fps) == (1300, 800, 50.0)
    assert told.provenance["notes"] == []


def test_our_own_file(tmp_path: Path) -> None:
    path = walking_keypoints(5).save(tmp_path / "kp.json")
    assert load_any(path).to_bytes() == Keypoints.load(path).to_bytes()
    with pytest.raises(UserError, match="its own frame rate"):
        load_any(path, fps=25.0)


def test_people_are_kept_apart(tmp_path: Path) -> None:
    figure = walking_keypoints(12)
    left, right = flat(figure, "body-25"), flat(figure, "body-25", shift=400.0)
    people = {i: [a, b] if i % 2 else [b, a] for i, (a, b) in enumerate(zip(left, right, strict=True))}
    folder = write_openpose(tmp_path / "op", people)
    assert [len(frame) for frame in read_people(folder).frames] == [2] * 12
    first, second = (load_any(folder, fps=30, size=(1280, 720), person=person) for person in (1, 2))
    assert {round(float(k.points[0, 0, 0] - figure.points[0, 0, 0])) for k in (first, second)} == {0, 400}
    assert np.abs(np.diff(first.points[:, 0], axis=0)).max() < 30
    assert any("2 people" in note for note in first.provenance["notes"])
    with pytest.raises(UserError, match="no person 3"):
        load_any(folder, person=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not valid JSON"),
        ("[{", "not valid JSON"),
        ('{"a": 1}', "no keypoints of a known format"),
        ('{"people": []}', "one frame of OpenPose"),
        ("[]", "Nobody"),
        ('[{"keypoints": [1, 2, 3]}]', "no keypoints or no image_id"),
        ('[{"image_id": "0.jpg", "keypoints": [1, 2]}]', "same number of keypoints"),
        ('[{"image_id": "0.jpg", "keypoints": [1, 2, 3]}]', "People with 1 keypoints"),
        ('[{"image_id": "0.jpg", "keypoints": []}]', "empty keypoints"),
        ('[{"image_id": "0.jpg", "keypoints": [1, null, 3]}]', "no list of numbers"),
        ('[{"image_id": "0.jpg", "keypoints": "x"}]', "no list of numbers"),
        ('[{"image_id": "0.jpg", "keypoints": [NaN, 1, 1]}]', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('[{"image_id": "0.jpg", "keypoints": [1, 1e300, 1]}]', "no pixels"),
        ('["videomdm-keypoints"]', "videomdm-keypoints|keypoints file"),
    ],
)
def test_files_that_hold_no_keypoints(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=words) as caught:
        load_any(path)
    assert "x.json" in caught.value.message or "keypoints" in caught.value.message


def test_folders_that_hold_no_keypoints(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no JSON files"):
        load_any(tmp_path)
    (tmp_path / "0.json").write_text("[]")
    with pytest.raises(UserError, match="no OpenPose frame"):
        load_any(tmp_path)
    (tmp_path / "0.json").write_text('{"people": [{}]}')
    with pytest.raises(UserError, match="without pose_keypoints_2d"):
        load_any(tmp_path)
    (tmp_path / "0.json").write_text('{"people": [{"pose_keypoints_2d": []}]}')
    with pytest.raises(UserError, match="Nobody"):
        load_any(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        load_any(tmp_path / "none.json")


def test_the_published_files(shared_data: Path) -> None:
    alphapose = load_any(shared_data / "footage" / "alphapose_halpe26.json")
    assert (len(alphapose), alphapose.coverage) == (809, 1.0)
    assert (alphapose.provenance["layout"], alphapose.width, alphapose.height) == ("halpe-26", 360, 640)
    for name, people in (("cam01", 2), ("cam03", 1)):
        folder = shared_data / "lifting" / "pose2sim_single" / "pose" / f"{name}_json"
        keypoints = load_any(folder, fps=60, size=(1088, 1920))
        assert (len(keypoints), keypoints.coverage) == (100, 1.0)
        assert (keypoints.provenance["layout"], keypoints.provenance["people"]) == ("body-25b", people)
        # The onlooker in the corner was not taken.
        assert keypoints.points[:, layout.INDEX["right_hip"], 0].min() > 300
