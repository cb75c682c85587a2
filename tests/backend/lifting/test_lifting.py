# SPDX-License-Identifier: Apache-2.0
"""Lifting with real parts: the mirror, the floor, what the model is asked for, what is heard of it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.support.actor import perform  # noqa: E402
from tests.support.models import small_model  # noqa: E402

from videomdm.camera import look_at, project  # noqa: E402
from videomdm.diffusion.guidance import text_guided  # noqa: E402
from videomdm.errors import UserError  # noqa: E402
from videomdm.lifting import Fitted, Footage, LiftSettings, lift_footage, lift_windows  # noqa: E402
from videomdm.lifting.sample import sample_around  # noqa: E402
from videomdm.lifting.windows import window_rows  # noqa: E402
from videomdm.motion.skeleton import CONTACT_JOINTS, MIRROR  # noqa: E402
from videomdm.pipeline import Pipeline  # noqa: E402


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(str(small_model(tmp_path_factory.mktemp("models") / "small")), "cpu")


@pytest.fixture(scope="module")
def footage() -> Footage:
    world = torch.from_numpy(perform(2.3).motion.positions).float()
    camera = look_at(torch.tensor([2.5, 1.6, 4.0]), torch.tensor([0.3, 0.9, 0.3]))
    keypoints, _ = project(camera.to_camera(world))
    weights = torch.full(keypoints.shape[:2], 0.9)
    weights[12:30, [5, 8, 11]] = 0
    return Footage(torch.where(weights[..., None] > 0, keypoints, 0.0), weights)


def lift(pipeline, footage, progress=None, **settings):
    text, mask = pipeline.encoder([""])
    denoise = text_guided(pipeline.denoiser, text, mask, 1.0)
    return lift_footage(
        footage,
        pipeline.lifter,
        denoise,
        pipeline.schedule,
        pipeline.mean,
        pipeline.std,
        LiftSettings(**settings),
        progress,
    )


def test_a_mirrored_person_is_lifted_to_the_mirrored_motion(pipeline, footage):
    flip = torch.tensor([-1.0, 1.0, 1.0])
    mirror = list(MIRROR)
    other = Footage(footage.keypoints[:, mirror] * flip[:2], footage.weights[:, mirror])
    there = lift_windows(footage, pipeline.lifter, 20, 8, mirrored=True)
    back = lift_windows(other, pipeline.lifter, 20, 8, mirrored=True)
    assert torch.allclose(back.joints[:, :, mirror] * flip, there.joints, atol=1e-4)
    assert torch.allclose(back.up * flip, there.up, atol=1e-5)


def test_lifted_feet_rest_on_the_floor_and_the_motion_starts_at_the_origin(pipeline, footage):
    joints = lift(pipeline, footage, steps=2, samples=1)
    assert joints.shape == (46, 22, 3) and torch.isfinite(joints).all()
    lowest = joints[:, list(CONTACT_JOINTS), 1].amin(1)
    assert torch.quantile(lowest, 0.2) == pytest.approx(0.014, abs=1e-4)
    assert joints[0, 0, [0, 2]].abs().max() < 1e-5


def test_without_steps_the_model_is_not_asked(pipeline, footage):
    once, again = lift(pipeline, footage, steps=0, seed=1), lift(pipeline, footage, steps=0, seed=2)
    assert torch.equal(once, again)
    asked = lift(pipeline, footage, steps=2, seed=1)
    assert torch.equal(asked, lift(pipeline, footage, steps=2, seed=1))
    assert (asked - once).norm(dim=-1).mean() > 0.01


def test_the_model_answers_for_what_was_not_seen(pipeline, footage):
    guess = lift_windows(footage, pipeline.lifter, 80, 40)
    body = Fitted(guess.joints[0], guess.up[0])
    text, mask = pipeline.encoder([""])
    model = pipeline.denoiser, pipeline.schedule, pipeline.mean, pipeline.std
    denoise = text_guided(model[0], text, mask, 1.0)
    steps = []
    settings = LiftSettings(steps=3, samples=2)
    filled = sample_around(body, footage, denoise, *model[1:], settings, lambda *told: steps.append(told))
    assert filled.shape == body.joints.shape and torch.equal(filled, steps[-1][2])
    assert [told[0] for told in steps] == pytest.approx([1 / 3, 2 / 3, 1])
    # the body of the answer stands where the fitted one does
    seen = footage.weights > 0
    assert (filled[seen].mean(0) - body.joints[seen].mean(0)).norm() < 0.05


def test_progress_goes_from_the_first_fit_to_the_last(pipeline, footage):
    told = []
    lift(pipeline, footage, lambda done, stage, motion: told.append((done, stage, len(motion))), steps=3)
    done = [row[0] for row in told]
    assert done == sorted(done) and done[0] < 0.1 and done[-1] == pytest.approx(1)
    assert list(dict.fromkeys(stage.split()[0] for _, stage, _ in told)) == ["fitting", "denoising"]
    assert len(told) == 9 and {frames for _, _, frames in told} == {46}


@pytest.mark.parametrize(
    "wrong", [{"start": 1.5}, {"prior": -0.1}, {"steps": -1}, {"samples": 0}, {"window": 0}, {"overlap": -1}]
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        LiftSettings(**wrong)


@pytest.mark.parametrize("frames", [5, 79, 80, 81, 300])
def test_windows_are_whole_and_cover_all_frames(frames):
    rows, starts = window_rows(frames, 80, 40, 4)
    assert rows.shape[1] % 4 == 0 and len(rows) == len(starts)
    assert set(rows.flatten().tolist()) == set(range(frames))
