# SPDX-License-Identifier: Apache-2.0
"""Finding people in real footage, and the ``keypoints`` command around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.support import pose2sim

from videomdm.commands.keypoints import keypoints as command
from videomdm.errors import UserError
from videomdm.keypoints import Keypoints, layout
from videomdm.keypoints.detect import detect_people
from videomdm.keypoints.overlay import LEFT, draw
from videomdm.keypoints.track import choose_person
from videomdm.keypoints.video import Video
from videomdm.keypoints.video_writer import VideoWriter

pytest.importorskip("av")
pytest.importorskip("mediapipe")


@pytest.fixture
def walk(shared_data: Path) -> Path:
    return shared_data / "footage" / "sports2d_walk.mp4"


def run(*arguments: object) -> Result:
    """The command, with errors raised as they are."""
    return CliRunner().invoke(
        command, [str(argument) for argument in arguments], catch_exceptions=False, standalone_mode=False
    )


def test_two_people_are_told_apart(walk: Path) -> None:
    """From 2 s on a woman walks to the left across the grass while a man jumps on a box."""
    people = detect_people(Video(walk, start=1.8, end=3.0))
    assert (len(people), people.fps, people.width, people.height) == (36, 30.0, 1768, 994)
    both = [choose_person(people, person) for person in (1, 2)]
    hips = {k.points[k.seen][:, layout.INDEX["left_hip"]].mean(axis=0)[1] < 500: k for k in both}
    assert hips.keys() == {True, False}
    woman = hips[False]
    assert woman.coverage > 0.7
    x = woman.points[woman.seen][:, layout.INDEX["left_hip"], 0]
    assert x[0] - x[-1] > 100
    assert woman.provenance["start"] == 1.8
    height = np.ptp(woman.points[woman.seen][..., :17, 1], axis=1)
    assert 300 < np.median(height) < 420


def test_detections_agree_with_the_calibrated_recording(shared_data: Path) -> None:
    folder = shared_data / "lifting" / "pose2sim_single"
    found = choose_person(detect_people(Video(folder / "videos" / "cam01.mp4", end=0.5)))
    markers, there = pose2sim.read_markers(folder)
    truth = pose2sim.read_camera(folder, "cam01").project(markers[: len(found)])
    assert found.coverage == 1.0
    use = (found.confidence > 0.5) & there
    assert np.median(np.linalg.norm(found.points - truth, axis=-1)[use]) < 20


def test_the_command_writes_keypoints_and_an_overlay(walk: Path, tmp_path: Path) -> None:
    output, overlay = tmp_path / "kp.json", tmp_path / "overlay.mp4"
    result = run(walk, "-o", output, "--start", 4, "--end", 4.4, "--fps", 20, "--overlay", overlay)
    assert "8 frames at 20 frames per second, 1768 x 994" in result.output
    keypoints = Keypoints.load(output)
    assert (len(keypoints), keypoints.fps) == (8, 20.0)
    assert keypoints.provenance["cleaned"]
    images = list(Video(overlay))
    assert len(images) == 8
    orange = np.abs(images[4].astype(int) - LEFT).sum(axis=-1) < 90
    assert orange.sum() > 100
    assert {entry.name for entry in tmp_path.iterdir()} == {"kp.json", "overlay.mp4"}


def test_native_noise_stays_out_of_the_terminal(walk: Path, tmp_path: Path) -> None:
    code = "from videomdm.commands.keypoints import keypoints; keypoints()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(walk), "-o", str(tmp_path / "kp.json"), "--start", "4", "--end", "4.2"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.strip()]
    assert all(line.startswith(("Detecting:", "Note:")) for line in lines), done.stderr


def test_footage_without_people(tmp_path: Path) -> None:
    path = tmp_path / "grey.mp4"
    with VideoWriter(path, 10.0, 320, 240) as writer:
        for _ in range(5):
            writer.write(np.full((240, 320, 3), 128, np.uint8))
    with pytest.raises(UserError, match=r"No person was found in .*grey\.mp4"):
        run(path, "-o", tmp_path / "kp.json")
    assert not (tmp_path / "kp.json").exists()


def test_the_command_converts(shared_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "kp.json"
    source = shared_data / "lifting" / "pose2sim_single" / "pose" / "cam01_json"
    result = run(source, "-o", output, "--fps", 60, "--size", "1088x1920", "--no-clean", "--end", 1)
    assert "60 frames at 60 frames per second, 1088 x 1920" in result.output
    raw = pose2sim.read_keypoints(source.parents[1], "cam01")
    np.testing.assert_allclose(Keypoints.load(output).points, raw.points[:60], atol=0.0051)
    run(output, "-o", tmp_path / "cleaned.json")
    assert Keypoints.load(tmp_path / "cleaned.json").provenance["cleaned"]
    run(source, "-o", tmp_path / "onlooker.json", "--fps", 60, "--person", 2)
    onlooker = Keypoints.load(tmp_path / "onlooker.json")
    assert onlooker.points[onlooker.confidence > 0][:, 0].mean() < 200


def test_what_the_command_refuses(tmp_path: Path) -> None:
    source = Keypoints(np.ones((5, 27, 2)), np.ones((5, 27)), 30.0, 10, 10).save(tmp_path / "kp.json")
    for arguments, words in (
        ([tmp_path / "none.mp4", "-o", tmp_path / "x"], "no file or folder"),
        ([source, "-o", source], "would be overwritten"),
        ([source, "-o", tmp_path], "is a folder"),
        ([source, "-o", tmp_path / "x", "--end", "nan"], "is no number"),
        ([source, "-o", source / "x"], "no folder that can be written to"),
        ([source, "-o", tmp_path / "x", "--overlay", tmp_path / "o.mp4"], "no pictures"),
        ([source, "-o", tmp_path / "x", "--start", 9], "nothing lies between"),
        ([source, "-o", tmp_path / "x", "--size", "10x10"], "tells its own"),
    ):
        with pytest.raises(UserError, match=words):
            run(*arguments)
    bad = CliRunner().invoke(command, [str(source), "-o", str(tmp_path / "x"), "--size", "big"])
    assert bad.exit_code == 2
    assert "WIDTHxHEIGHT" in bad.output
    assert {entry.name for entry in tmp_path.iterdir()} == {"kp.json"}


def test_drawing_leaves_the_picture_itself_alone() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    points = np.random.default_rng(0).uniform(20, 180, (27, 2))
    drawn = draw(image, points, np.ones(27))
    assert image.max() == 0
    assert (drawn > 0).any()
    assert draw(image, points, np.zeros(27)).max() == 0


@pytest.mark.parametrize("package", ["av", "mediapipe"])
def test_a_missing_package_is_named(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"pip install 'videomdm\[video\]'") as caught:
        run(walk, "-o", tmp_path / "kp.json", "--end", 0.1)
    assert caught.value.code == "missing-package"
