# SPDX-License-Identifier: Apache-2.0
"""The 2D baseline: flat motion, views that agree in 3D, training, sampling, and distillation from a 2D prior."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.camera import Camera, orbit, project  # noqa: E402 (after the skip)
from videomdm.diffusion.schedule import cosine  # noqa: E402
from videomdm.errors import UserError  # noqa: E402
from videomdm.model.checkpoint import load_model  # noqa: E402
from videomdm.model.lifter import Lifter  # noqa: E402
from videomdm.model.text import STATE  # noqa: E402
from videomdm.motion.clip import Motion  # noqa: E402
from videomdm_training.baselines import consensus, flat  # noqa: E402
from videomdm_training.baselines.keypoints import gather_keypoints  # noqa: E402
from videomdm_training.captions import CaptionTable  # noqa: E402
from videomdm_training.fit import FitConfig  # noqa: E402
from videomdm_training.mixture import DataSource, gather  # noqa: E402
from videomdm_training.views import CameraConfig, DetectorConfig  # noqa: E402

from ..conftest import Train  # noqa: E402
from ..motions import person  # noqa: E402
from ..teacher.test_footage import filmed  # noqa: E402

CPU = torch.device("cpu")
SIZES = ("sizes.width=32", "sizes.layers=1", "sizes.heads=2", "sizes.hidden=48")
QUICK = (*SIZES, "batch=4", "engine.accelerator=cpu", "engine.save_every=2", "engine.log_every=2")


@pytest.fixture(scope="module")
def flat_run(train: Train, pack_file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "flat"
    words, told = ("flat", pack_file, "-o", folder), ("--licence", "CC0-1.0", "--commercial")
    settings = (*QUICK, "engine.steps=60", "engine.learning_rate=3e-3")
    stopped = train(*words, *told, "--time-limit", "0.000001", settings=settings)
    assert "stopped" in stopped.output and list((folder / "cache").iterdir())
    train(*words, settings=settings)  # what it was told at first holds
    assert not (folder / "cache").exists()
    return folder


def test_flat_motion_of_a_far_camera_is_the_level_view_in_metres_about_its_middle():
    joints = torch.from_numpy(person(40, walking=1.0)).double()
    azimuth = torch.tensor([0.7], dtype=torch.float64)
    target = torch.tensor([[0.0, 0.9, 1.0]], dtype=torch.float64)
    camera = orbit(
        target, azimuth, torch.zeros(1, dtype=torch.float64), torch.tensor([200.0], dtype=torch.float64)
    )
    keypoints, _ = project(Camera(camera.R[:, None], camera.t[:, None]).to_camera(joints[None]))
    seen = torch.ones(1, 40, 22, dtype=torch.float64)
    got = flat.flatten(keypoints, seen).unflatten(-1, (22, 2)) * flat.SPREAD
    view = flat.project_flat(joints[None], azimuth)
    view = view - view.mean((1, 2), keepdim=True)
    scale = float((got * view).sum() / view.square().sum())
    assert torch.allclose(got, scale * view, atol=0.02)
    assert 0.7 < scale < 1.6  # by the person's usual size: roughly metres
    seen[:, :, 3] = 0
    assert not flat.flatten(keypoints, seen).unflatten(-1, (22, 2))[:, :, 3].any()


def test_triangulating_the_views_of_a_motion_gives_it_back():
    joints = torch.from_numpy(person(12, walking=1.0))
    azimuth = consensus.azimuths(5)
    joints = torch.stack([joints, joints.flip(0)])
    views = consensus.view(joints, azimuth)
    assert views.shape == (2, 5, 12, 44)
    assert torch.allclose(consensus.triangulate(views, azimuth), joints, atol=1e-5)
    # what no 3D motion could look like is moved to the nearest that one can
    noise = 0.1 * torch.randn(views.shape, generator=torch.Generator().manual_seed(0))
    denoise = consensus.agreeing(lambda x, t: (views + noise).flatten(0, 1), azimuth)
    agreed = denoise(views.flatten(0, 1), torch.zeros(10)).unflatten(0, (2, 5))
    assert float((agreed - views).square().mean()) < float(noise.square().mean())
    again = consensus.view(consensus.triangulate(agreed, azimuth), azimuth)
    assert torch.allclose(again, agreed, atol=1e-5)


def test_a_perfect_2d_model_leads_to_the_3d_motion():
    joints = torch.from_numpy(person(40, walking=1.0)) / flat.SPREAD
    azimuth = consensus.azimuths(5)
    truth = consensus.view(joints[None], azimuth)[0]
    noise = torch.randn(1, 40, 22, 3, generator=torch.Generator().manual_seed(0))
    from videomdm.diffusion.sampling import ddim

    start = consensus.view(noise, azimuth)[0]
    made = ddim(consensus.agreeing(lambda x, t: truth, azimuth), start, cosine(50), 10)
    assert torch.allclose(consensus.triangulate(made[None], azimuth)[0], joints, atol=1e-4)


def test_a_motion_is_the_same_alone_and_among_longer_ones(flat_run):
    prior = flat.FlatPrior.load(flat_run)
    noise = torch.randn(2, 32, 22, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(32)[None] < torch.tensor([[20], [32]])
    states = torch.randn(2, 3, STATE, generator=torch.Generator().manual_seed(1))
    words = torch.ones(2, 3, dtype=torch.bool)
    asked = {"guidance": 2.0, "steps": 3}
    together = consensus.made_by_consensus(prior, (states, words), noise, mask, **asked)
    alone = consensus.made_by_consensus(
        prior, (states[:1], words[:1]), noise[:1, :20], mask[:1, :20], **asked
    )
    assert torch.allclose(together[0, :20], alone[0], atol=1e-4)
    assert not torch.allclose(together[1, :20], alone[0], atol=1e-2)
    other = consensus.made_by_consensus(
        prior, (states, words), noise, mask, noise_sampler=lambda _: noise.flip(1), **asked
    )
    assert other.shape == together.shape and not torch.allclose(other, together, atol=1e-2)


def test_the_2d_model_learns_and_makes_3d_motion(train: Train, flat_run, tmp_path):
    rows = [json.loads(line) for line in (flat_run / "log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    picture = tmp_path / "made.png"
    train("consensus", flat_run, "-o", picture, "--prompt", "a person walks forward", "--seconds", 1.03)
    motion = Motion.load(tmp_path / "made-1.npz")
    assert len(motion) == 21 and motion.provenance["views"] == 5
    assert np.quantile(motion.positions[:, [7, 8, 10, 11], 1].min(1), 0.2) == pytest.approx(0.0, abs=1e-5)
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused = train("consensus", flat_run, "-o", tmp_path / "even.png", "--views", 4, status=2)
    assert "odd number, such as 5" in refused.output and not (tmp_path / "even.png").exists()


def test_consensus_runs_where_models_run(train: Train, flat_run, tmp_path, monkeypatch):
    from videomdm import pipeline

    asked = []
    monkeypatch.setattr(pipeline, "choose_device", lambda name: asked.append(name) or torch.device("cpu"))
    train("consensus", flat_run, "-o", tmp_path / "made.png", "--prompt", "a person jumps", "--seconds", 1)
    assert asked == ["auto"]


def test_the_file_says_what_the_data_permits(flat_run):
    meta = flat.FlatPrior.load(flat_run).meta
    assert (meta["licence"], meta["commercial"], meta["data"]) == ("CC0-1.0", True, "made by formula")


def test_the_keypoints_are_those_of_the_run_to_compare_with(pack_file, lifter_file):
    """With its camera, detector, views and mirror; the lifter is not asked for them."""
    given = [DataSource(pack_file)]
    lifter = load_model(lifter_file, Lifter).network
    settings = {
        "camera": CameraConfig(pitch=(0.1, 0.2)), "detector": DetectorConfig(swap=0.2), "views": 3, "mirror": False,
    }  # fmt: skip
    found = []
    for same in ({}, settings):
        run = gather(given, lifter, CaptionTable(), FitConfig(**same), CPU, "prior").training
        seen, credit = gather_keypoints(given, None, CaptionTable(), flat.FlatConfig(**same), CPU, "prior")
        assert credit == "made by formula" and seen.clips.frames.keys() == {"keypoints", "confidence"}
        for name, values in seen.clips.frames.items():
            assert torch.equal(values, run.clips.frames[name])
        for name in ("lengths", "weights"):
            assert torch.equal(getattr(seen.clips, name), getattr(run.clips, name))
        assert torch.equal(seen.captions, run.captions)
        found.append(seen.clips.frames["keypoints"])
    assert found[0].shape != found[1].shape


def test_footage_is_seen_as_the_run_to_compare_with_sees_it(lifter_file, tmp_path):
    given = [DataSource(tmp_path)]
    with pytest.raises(UserError, match="--lifter"):
        gather_keypoints(given, None, CaptionTable(), flat.FlatConfig(), CPU)
    filmed(person(60, walking=1.0)).save(tmp_path / "walk.json")
    (tmp_path / "walk.txt").write_text("a person walks")
    lifter = load_model(lifter_file, Lifter).network
    run = gather(given, lifter, CaptionTable(), FitConfig(), CPU).training
    seen, _ = gather_keypoints(given, lifter, CaptionTable(), flat.FlatConfig(), CPU)
    assert torch.equal(seen.clips.frames["keypoints"], run.clips.frames["keypoints"])


def test_a_2d_prior_answers_in_the_precision_that_it_was_trained_in(flat_run):
    trained = flat.FlatPrior.load(flat_run)
    joints = torch.from_numpy(person(20))[None]
    text = torch.zeros(1, 1, STATE), torch.zeros(1, 1, dtype=torch.bool)
    kinds = []
    trained.network.write.register_forward_hook(lambda _, __, made: kinds.append(made.dtype))
    losses = []
    for precision in ("bf16-mixed", "32-true", None):
        meta = {} if precision is None else {"precision": precision}
        prior = flat.FlatPrior(trained.network, trained.schedule, meta)
        generator = torch.Generator().manual_seed(0)
        losses.append(float(prior.distil(joints, torch.ones(1, 20, dtype=torch.bool), text, generator)))
    assert kinds == [torch.bfloat16, torch.float32, torch.float32]
    assert losses[1] == losses[2] == pytest.approx(losses[0], rel=0.05)
    assert trained.meta["precision"] == "bf16-mixed"


def test_distillation_draws_joints_to_what_the_2d_model_says_and_trains(
    train: Train, flat_run, pack_file, lifter_file, tmp_path
):
    prior = flat.FlatPrior.load(flat_run)
    joints = torch.from_numpy(person(20))[None].repeat(2, 1, 1, 1).requires_grad_()
    text = torch.zeros(2, 1, STATE), torch.zeros(2, 1, dtype=torch.bool)
    loss = prior.distil(joints, torch.ones(2, 20, dtype=torch.bool), text, torch.Generator().manual_seed(0))
    loss.backward()
    assert float(loss.detach()) > 0 and joints.grad.abs().sum() > 0
    assert all(p.grad is None for p in prior.network.parameters())
    settings = (*QUICK, "engine.steps=2", "views=1", "loss.distil=0.5", f"loss.distil_prior={flat_run}")
    train("fit", pack_file, "-o", tmp_path / "run", "--lifter", lifter_file, settings=settings)
    row = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[0])
    assert row["distil"] > 0 and math.isfinite(row["loss"])


def test_what_cannot_be_used_is_refused(train: Train, flat_run, run_folder, pack_file, lifter_file, tmp_path):
    with pytest.raises(UserError, match="no model of 2D motion"):
        flat.FlatPrior.load(run_folder / "denoiser.safetensors")
    words = ("fit", pack_file, "-o", tmp_path / "run", "--lifter", lifter_file)
    assert "distil_prior" in train(*words, settings=("loss.distil=1.0",), status=2).output
    for setting, told in (
        ("sizes.features=9", "must be 44"), ("batch=0", "batch"), ("views=0", "views"),
        ("diffusion_steps=0", "steps"), ("drop_text=-1", "drop_text"), ("sizes.patch=3", "must divide"),
    ):  # fmt: skip
        words = ("flat", pack_file, "-o", tmp_path / "f")
        assert told in train(*words, settings=(setting,), status=2).output
        assert not (tmp_path / "f").exists()
