# SPDX-License-Identifier: Apache-2.0
"""The pipeline with real parts: determinism, progress, cancelling, lengths, bad requests; lifting."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.support.models import small_model  # noqa: E402 (after the skip)

from videomdm import lifting, protocol  # noqa: E402
from videomdm.camera import orbit, project  # noqa: E402
from videomdm.camera_fit import intrinsics_guess, to_pixels  # noqa: E402
from videomdm.errors import Cancelled, UserError  # noqa: E402
from videomdm.keypoints import Keypoints  # noqa: E402
from videomdm.motion.representation import decode  # noqa: E402
from videomdm.pipeline import LiftRequest, Pipeline, TextRequest  # noqa: E402


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(str(small_model(tmp_path_factory.mktemp("models") / "small")), "cpu")


def walking(frames: int = 60) -> np.ndarray:
    """Joints (T, 22, 3) of a stiff figure that walks a curve and swings its limbs."""
    rng = np.random.default_rng(0)
    body = np.stack([rng.uniform(-0.2, 0.2, 22), np.linspace(0.02, 1.6, 22), rng.uniform(-0.1, 0.1, 22)], -1)
    body[[1, 16], 0], body[[2, 17], 0] = 0.15, -0.15
    time = np.arange(frames)[:, None]
    swing = 0.1 * np.sin(time / 4 + np.arange(22))
    path = np.stack([0.5 * np.sin(time / 40), 0 * time, 0.04 * time], -1)
    return (body + path + np.stack([0 * swing, 0 * swing, swing], -1)).astype(np.float32)


def footage_of(joints: np.ndarray, fps: float = 20.0) -> Keypoints:
    """Keypoints in the 27-point layout that show ``joints`` from four metres away."""
    from videomdm.keypoints.layout import COUNT, INDEX
    from videomdm.motion.skeleton import JOINT_NAMES

    camera = orbit(np.array([0.0, 1, 1]), np.array(0.4), np.array(-0.1), np.array(5.0))
    pixels = to_pixels(project(camera.to_camera(joints.astype(float)))[0], intrinsics_guess(1280, 720))
    points, confidence = np.zeros((len(joints), COUNT, 2)), np.zeros((len(joints), COUNT))
    for side in ("left", "right"):
        for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            points[:, INDEX[f"{side}_{name}"]] = pixels[:, JOINT_NAMES.index(f"{side}_{name}")]
            confidence[:, INDEX[f"{side}_{name}"]] = 0.9
    return Keypoints(points, confidence, fps, 1280, 720, source="walking")


def test_the_same_seed_gives_the_same_motion_and_another_seed_another(pipeline):
    request = TextRequest("a person walks", seconds=2, seed=3, steps=4)
    once, again = pipeline.generate(request)[0], pipeline.generate(request)[0]
    other = pipeline.generate(replace(request, seed=4))[0]
    assert np.array_equal(once.features, again.features)
    assert not np.array_equal(once.features, other.features)
    assert (len(once), once.fps, once.caption) == (40, 20.0, "a person walks")
    assert once.provenance["seed"] == 3 and once.provenance["model"] == "small"


def test_the_first_sample_does_not_depend_on_how_many_are_made(pipeline):
    request = TextRequest("a person walks", seconds=1, steps=3)
    alone = pipeline.generate(request)[0]
    first, second = pipeline.generate(replace(request, samples=2))
    assert np.allclose(alone.positions, first.positions, atol=1e-5)
    assert not np.allclose(first.positions, second.positions, atol=1e-3)


def test_generated_motions_stand_on_the_floor(pipeline):
    motion = pipeline.generate(TextRequest("a person stands", seconds=2, steps=3))[0]
    lowest = motion.positions[:, [7, 8, 10, 11], 1].min(1)
    assert np.quantile(lowest, 0.2) == pytest.approx(0.014, abs=1e-4)
    assert np.allclose(decode(motion.features), motion.positions, atol=1e-5)


@pytest.mark.parametrize(("seconds", "frames"), [(0.5, 10), (1.03, 21), (9.99, 200), (10, 200)])
def test_clips_have_the_length_that_was_asked_for(pipeline, seconds, frames):
    assert len(pipeline.generate(TextRequest("x", seconds=seconds, steps=1))[0]) == frames


def test_progress_comes_at_every_step_with_a_preview_and_can_cancel(pipeline):
    seen = []

    def progress(fraction, stage, preview):
        seen.append((fraction, stage, len(preview)))

    pipeline.generate(TextRequest("x", seconds=1, steps=5, samples=2), progress)
    assert [s[0] for s in seen] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(stage.startswith("denoising") and frames == 20 for _, stage, frames in seen)

    seen.clear()
    pipeline.lift(LiftRequest(footage_of(walking(260)), steps=2), progress)
    assert seen[-1][0] == 1.0 and {frames for _, _, frames in seen} == {260}

    def stop(fraction, stage, preview):
        if fraction > 0.5:
            raise Cancelled

    for run in (
        lambda: pipeline.generate(TextRequest("x", seconds=1, steps=5), stop),
        lambda: pipeline.lift(LiftRequest(footage_of(walking(40)), steps=5), stop),
    ):
        with pytest.raises(Cancelled):
            run()


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ""},
        {"prompt": "walk " * 2000},
        {"prompt": "walk " * 47},  # all of it could be sent, but not read
        {"seconds": 0},
        {"seconds": 1e9},
        {"seconds": float("nan")},
        {"seed": -1},
        {"seed": 2**31},
        {"guidance": float("inf")},
        {"steps": 0},
        {"samples": 0},
    ],
)
def test_requests_that_cannot_be_met_are_refused_before_any_work(pipeline, changes):
    with pytest.raises(UserError) as caught:
        pipeline.generate(replace(TextRequest("a person walks"), **changes))
    assert caught.value.message and caught.value.advice


def test_jobs_of_the_wire_ask_for_all_that_requests_hold():
    seen = footage_of(walking(30))
    asked = {
        TextRequest: protocol.settings_of(protocol.TextJob("a person walks")),
        LiftRequest: {"keypoints": seen, **protocol.settings_of(protocol.LiftJob.of(seen))},
    }
    for request, given in asked.items():
        assert given.keys() == {field.name for field in fields(request)}
        request(**given).check()
    again = Keypoints(**protocol.keypoints_of(protocol.LiftJob.of(seen)))
    assert np.array_equal(again.points, seen.points) and again.source == "walking"


def test_the_longest_prompt_that_is_read_is_not_refused(pipeline):
    assert pipeline.generate(TextRequest("walk " * 46, seconds=1, steps=1))
    with pytest.raises(UserError, match="46 words"):
        pipeline.lift(LiftRequest(footage_of(walking(30)), prompt="walk " * 47))


def test_previews_are_the_first_sample_on_its_way(pipeline):
    previews = []
    request = TextRequest("a person walks", seconds=1, steps=3, samples=2)
    motions = pipeline.generate(request, lambda _, __, preview: previews.append(preview))
    assert np.allclose(previews[-1].positions, motions[0].positions, atol=1e-5)
    assert previews[-1].provenance["sample"] == 0


def test_unknown_models_and_devices_are_refused(pipeline, tmp_path: Path):
    with pytest.raises(UserError, match="no model"):
        Pipeline.load("no-such-model")
    with pytest.raises(UserError, match="device"):
        Pipeline.load(str(small_model(tmp_path / "m")), "abacus")


def test_long_footage_is_lifted_in_windows_at_any_frame_rate(pipeline):
    motion = pipeline.lift(LiftRequest(footage_of(walking(260)), steps=2))
    assert len(motion) == 260 and motion.fps == 20.0
    assert np.isfinite(motion.positions).all()
    assert np.abs(motion.positions[0, 0, [0, 2]]).max() < 1e-5
    fast = pipeline.lift(LiftRequest(footage_of(walking(90), fps=30.0), steps=2))
    assert abs(fast.seconds - 3.0) < 0.06


def test_footage_without_a_person_or_too_short_is_refused(pipeline):
    good = footage_of(walking(30))
    nobody = replace(good, confidence=np.zeros_like(good.confidence))
    with pytest.raises(UserError, match="No person"):
        pipeline.lift(LiftRequest(nobody))
    with pytest.raises(UserError, match="only"):
        pipeline.lift(LiftRequest(good.part(0, 2)))


@pytest.mark.parametrize("frames", [1, 40, 200, 201, 359, 360, 361, 1000])
def test_windows_cover_every_frame(frames):
    starts = lifting.window_starts(frames, 200, 40)
    assert starts[0] == 0 and all(b - a <= 160 for a, b in pairwise(starts))
    assert starts[-1] + 200 >= frames and (len(starts) == 1 or starts[-1] + 200 == frames)


def test_cross_fading_equal_windows_gives_the_sequence_back():
    sequence = torch.arange(500.0)[:, None]
    starts = lifting.window_starts(500, 200, 40)
    windows = torch.stack([sequence[s : s + 200] for s in starts])
    assert torch.allclose(lifting.cross_fade(windows, starts, 500), sequence)
