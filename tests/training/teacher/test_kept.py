# SPDX-License-Identifier: Apache-2.0
"""Supervision found again is the supervision that was made, and is found only where nothing has changed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import Camera, look_at  # noqa: E402 (after the skip)
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm_training.cache import Cache  # noqa: E402
from videomdm_training.teacher.kept import CODE, kept_supervision  # noqa: E402
from videomdm_training.teacher.supervision import SourceClip, SupervisionConfig  # noqa: E402
from videomdm_training.views import CameraConfig, DetectorConfig  # noqa: E402

from ..conftest import SMALL  # noqa: E402
from ..motions import person  # noqa: E402

CPU = torch.device("cpu")
SETTINGS = {
    "views": 1,
    "seed": 0,
    "camera": CameraConfig(),
    "detector": DetectorConfig(),
    "known": SupervisionConfig(),
    "align": True,
    "truth": True,
}


def walks() -> list[SourceClip]:
    view = look_at(torch.tensor([4.0, 1.5, 1.0]), torch.tensor([0.0, 1.0, 1.0]))
    walk = torch.from_numpy(person(40, walking=1.0))
    return [SourceClip(walk, (0, 1), 1.0), SourceClip(walk, (2,), 0.5, Camera(view.R[None], view.t[None]))]


def lifter(seed: int = 0) -> Lifter:
    torch.manual_seed(seed)
    return Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_found_is_what_was_made(tmp_path):
    made = kept_supervision(None, walks(), lifter(), CPU, **SETTINGS)
    cache = Cache(tmp_path)
    first = kept_supervision(cache, walks(), lifter(), CPU, **SETTINGS)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_ino
    found = kept_supervision(cache, walks(), lifter(), CPU, **SETTINGS)
    assert [path.stat().st_ino for path in tmp_path.iterdir()] == [written]
    for other in (first, found):
        assert other.clips.frames.keys() == made.clips.frames.keys()
        assert all(torch.equal(other.clips.frames[n], v) for n, v in made.clips.frames.items())
        assert torch.equal(other.clips.lengths, made.clips.lengths)
        assert torch.equal(other.clips.sorted_weights, made.clips.sorted_weights)
        assert torch.equal(other.cameras.R, made.cameras.R) and torch.equal(other.cameras.t, made.cameras.t)
        assert torch.equal(other.captions, made.captions)


def test_a_change_of_anything_makes_it_anew(tmp_path):
    cache, (first, second) = Cache(tmp_path), walks()
    moved = replace(first, positions=first.positions + torch.tensor([0.0, 1e-4, 0.0]))
    said = replace(first, captions=(1, 0))
    turned = replace(second, cameras=Camera(second.cameras.R, second.cameras.t + 0.1))
    cases = [
        ([first, second], lifter(), {}),
        ([moved, second], lifter(), {}),
        ([said, second], lifter(), {}),
        ([first, turned], lifter(), {}),
        ([second, first], lifter(), {}),
        ([first, second], lifter(seed=1), {}),
        ([first, second], lifter(), {"views": 2}),
        ([first, second], lifter(), {"seed": 1}),
        ([first, second], lifter(), {"camera": CameraConfig(shortest_distance=3.0)}),
        ([first, second], lifter(), {"detector": DetectorConfig(jitter=0.005)}),
        ([first, second], lifter(), {"known": SupervisionConfig(confidence="seen")}),
        ([first, second], lifter(), {"align": False}),
        ([first, second], lifter(), {"truth": False}),
    ]
    for number, (clips, network, changed) in enumerate(cases):
        kept_supervision(cache, clips, network, CPU, **(SETTINGS | changed))
        assert len(files(tmp_path)) == number + 1, (number, changed)


@pytest.mark.parametrize("cameras", ["noisy", "pnp"])
def test_settings_of_other_cameras_share_the_fitted_bodies(tmp_path, cameras):
    fitted = SupervisionConfig(teacher="fitted")
    told = replace(fitted, cameras=cameras)
    cache = Cache(tmp_path)
    true = kept_supervision(cache, walks(), lifter(), CPU, **(SETTINGS | {"known": fitted}))
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(before) == 3  # the whole, and the fits of two batches: one has real cameras
    other = kept_supervision(cache, walks(), lifter(), CPU, **(SETTINGS | {"known": told}))
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(after) == 4 and before.items() <= after.items()
    assert torch.equal(other.clips.frames["keypoints"], true.clips.frames["keypoints"])
    assert not torch.equal(other.cameras.t, true.cameras.t)
    alone = kept_supervision(None, walks(), lifter(), CPU, **(SETTINGS | {"known": told}))
    assert torch.equal(other.clips.frames["teacher"], alone.clips.frames["teacher"])
    assert torch.equal(other.cameras.t, alone.cameras.t)


def test_the_key_knows_all_code_that_supervision_runs():
    loaded = (
        "import sys, videomdm_training.teacher.kept\n"
        "print(*(m.__file__ for name, m in sys.modules.items() if name.startswith('videomdm')))"
    )
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    used = {Path(name) for name in told.stdout.split()}
    assert {path.name for path in used - set(CODE)} <= {"__init__.py", "errors.py", "cache.py", "progress.py"}


def test_a_run_that_goes_on_finds_it_and_takes_the_same_steps(
    train, pack_file, lifter_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("videomdm.progress.LOGGED_EVERY", 0.0)  # so that a log says what is being made

    def fit(folder: str, *words: object) -> str:
        settings = (*SMALL, "engine.steps=6", "views=1", "samples=[]")
        given = ("fit", pack_file, "-o", tmp_path / folder, "--lifter", lifter_file, *words)
        return train(*given, settings=settings).output

    assert "finished" in fit("whole")
    assert not (tmp_path / "whole" / "cache").exists()  # the disk is given back
    for _ in range(3):  # a start makes one of them, and its time is up
        assert "not all taught yet; run the same command" in fit("slices", "--time-limit", "0.001")
    cache = tmp_path / "slices" / "cache"
    kept = files(cache)
    assert len(kept) == 3  # training, validation, captions
    assert "teacher" in fit("shared", "--cache", tmp_path / "common")
    assert files(tmp_path / "common") == kept  # finished, but the folder may serve others
    for _ in range(2):
        said = fit("slices", "--time-limit", "0.001")
        assert "stopped" in said and "teacher" not in said and files(cache) == kept
    assert "finished" in fit("slices") and not cache.exists()
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("whole", "slices", "shared")]
    steps = [[line.partition(', "seconds"')[0] for line in log.splitlines()] for log in logs]
    assert steps[0] == steps[1] == steps[2] and len(steps[0]) == 4  # and the validation
