# SPDX-License-Identifier: Apache-2.0
"""From a packed data set to a model that makes motion: the whole of training, in small."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.diffusion.schedule import cosine  # noqa: E402 (after the skip)
from videomdm.errors import UserError  # noqa: E402
from videomdm.model.checkpoint import load_model, save_model  # noqa: E402
from videomdm.model.denoiser import Denoiser, DenoiserConfig  # noqa: E402
from videomdm.model.lifter import Lifter  # noqa: E402
from videomdm.model.text import text_encoder  # noqa: E402
from videomdm.motion.representation import decode, encode  # noqa: E402
from videomdm.pipeline import Pipeline, TextRequest  # noqa: E402
from videomdm_training import engine, sources  # noqa: E402
from videomdm_training.captions import CaptionTable  # noqa: E402
from videomdm_training.configuration import (  # noqa: E402
    load_config,
    load_run_config,
    resolved,
    store_config,
    time_left,
)
from videomdm_training.datasets.pack import Pack  # noqa: E402
from videomdm_training.engine import EngineConfig  # noqa: E402
from videomdm_training.fit import NORMALISATION, FitConfig, LossConfig, VideoMDM, fit  # noqa: E402
from videomdm_training.normalisation import Normalisation  # noqa: E402
from videomdm_training.teacher.fit_lifter import LifterFitConfig  # noqa: E402
from videomdm_training.teacher.supervision import build_supervision  # noqa: E402

from .conftest import SMALL, Train  # noqa: E402

CPU = torch.device("cpu")
SETTINGS = FitConfig(
    engine=EngineConfig(steps=4, learning_rate=3e-3, warmup=2, accelerator="cpu", log_every=1),
    sizes=DenoiserConfig(width=32, layers=1, heads=2, hidden=48),
    batch=8,
    views=1,
)


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def supervision(pack_file: Path, lifter_file: Path):
    """What the model is trained on, and its captions."""
    pack, words = Pack.load(pack_file), CaptionTable()
    clips = sources.source_clips(pack, pack.select("train"), words, True)
    words.encode(text_encoder(), CPU)
    lifter = load_model(lifter_file, Lifter).network
    return build_supervision(clips, lifter, CPU, views=2), words


def test_supervision_is_what_a_camera_and_the_lifter_see(supervision, pack_file):
    data, words = supervision
    pack = Pack.load(pack_file)
    count = len(pack.select("train"))
    assert len(data.clips) == count * 2 * 2  # mirrored, two views
    assert (data.clips.lengths % 4 == 0).all()
    assert "a person waves with the left hand" in words.texts
    batch = data.clips.batch(torch.arange(len(data.clips)))
    truth, teacher = (decode(batch.frames[name].float()) for name in ("truth", "teacher"))
    visible = batch.mask[..., None] & (batch.frames["confidence"] > 0)
    # the camera is where it sees the teacher's motion about where the person was seen
    seen = data.camera(batch.index).to_camera(teacher)
    error = (seen[..., :2] / seen[..., 2:] - batch.frames["keypoints"]).norm(dim=-1)
    height = batch.frames["keypoints"][..., 1].amax(-1) - batch.frames["keypoints"][..., 1].amin(-1)
    assert float((error / height[..., None])[visible].median()) < 0.15
    # the teacher is near, but not the truth
    distance = ((teacher - teacher[:, :, :1]) - (truth - truth[:, :, :1])).norm(dim=-1)[batch.mask]
    assert 0.02 < float(distance.mean()) < 0.6


def test_supervision_is_the_same_every_time(supervision, pack_file, lifter_file):
    data, _ = supervision
    pack, words = Pack.load(pack_file), CaptionTable()
    clips = sources.source_clips(pack, pack.select("train"), words, True)
    lifter = load_model(lifter_file, Lifter).network
    again = build_supervision(clips, lifter, CPU, views=2)
    assert all(torch.equal(values, again.clips.frames[name]) for name, values in data.clips.frames.items())
    assert torch.equal(data.cameras.t, again.cameras.t) and torch.equal(data.captions, again.captions)


def test_normalisation_shares_one_deviation_in_each_group(supervision, tmp_path):
    features = supervision[0].clips.frames["teacher"]
    normalisation = Normalisation.of(features)
    normalised = normalisation.apply(features)
    assert torch.allclose(normalised.mean(0), torch.zeros(263), atol=1e-2)
    assert torch.allclose(normalisation.undo(normalised), features.float(), atol=1e-3)
    assert len(normalisation.std.unique()) <= 7 and float(normalisation.std.min()) >= 1e-4
    path = normalisation.store(tmp_path / "n.safetensors", {"fps": 20.0})
    loaded, facts = Normalisation.load(path)
    assert torch.equal(loaded.mean, normalisation.mean) and facts == {"fps": 20.0}
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="damaged"):
        Normalisation.load(path)


@pytest.mark.parametrize(
    ("loss", "logged"),
    [
        (LossConfig(), {"position", "velocity", "alignment"}),
        (LossConfig(supervision="3d"), {"features"}),
        (LossConfig(supervision="teacher"), {"features"}),
        (LossConfig(teacher_steps=4), {"features"}),
        (LossConfig(depth="none"), {"position", "velocity", "alignment"}),
        (LossConfig(depth="mean"), {"position", "velocity", "alignment"}),
        (LossConfig(multistep=False), {"position", "velocity", "alignment"}),
        (LossConfig(low_noise_steps=49, buckets=7), {"position", "velocity", "alignment"}),  # all multistep
        (LossConfig(teacher_path=True), {"position", "velocity", "alignment"}),
        (LossConfig(alignment=0.0), {"position", "velocity"}),
        (LossConfig(teacher_path=True, position=0.5), {"position", "velocity", "alignment"}),
        (LossConfig(velocity=0.0, drop_text=1.0), {"position", "velocity", "alignment"}),
        (LossConfig(position=0.0, drop_text=0.0), {"position", "velocity", "alignment"}),
        (LossConfig(floor=1.0), {"position", "velocity", "alignment", "floor"}),
    ],
)
def test_every_switch_of_the_losses_runs(supervision, tmp_path, loss, logged):
    data, words = supervision
    outcome = fit(data, words, replace(SETTINGS, loss=loss), tmp_path, {"name": "x"})
    assert outcome.finished
    rows = log(tmp_path)
    assert len(rows) == 4
    for row in rows:
        assert row.keys() - {"step", "seconds", "gradient"} == {"loss"} | logged
        assert all(np.isfinite(value) for value in row.values())
    meta = load_model(tmp_path / "denoiser.safetensors", Denoiser).meta
    assert (meta["supervision"], meta["diffusion_steps"], meta["training_steps"]) == (loss.supervision, 50, 4)


class Watched(torch.nn.Module):
    """A network that keeps the diffusion steps it is asked about, and answers with what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[torch.Tensor] = []

    def forward(self, x, t, text, text_mask, frame_mask):
        self.asked.append(t)
        return x


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_losses_on_features_can_draw_noisy_steps_more_often(supervision, power):
    data, words = supervision
    settings = replace(SETTINGS, batch=64, loss=LossConfig(supervision="teacher", high_noise=power))
    losses = VideoMDM(data, words, Normalisation.of(data.clips.frames["teacher"]), cosine(50), settings)
    network = Watched()
    for step in range(20):
        list(losses(network, step, engine.generator_for(0, step, CPU)))
    steps = torch.cat(network.asked)
    assert int(steps.min()) >= 0 and int(steps.max()) == 49
    for level in (10, 25, 40):
        assert float((steps < level).float().mean()) == pytest.approx((level / 50) ** power, abs=0.05)


@pytest.mark.parametrize("patch", [1, 2])
def test_tokens_of_fewer_frames_run(supervision, tmp_path, patch):
    data, words = supervision
    settings = replace(SETTINGS, sizes=replace(SETTINGS.sizes, patch=patch))
    assert fit(data, words, settings, tmp_path, {}).finished


@pytest.mark.parametrize(
    "loss",
    [
        LossConfig(supervision="3d"),
        LossConfig(multistep=False),
        LossConfig(position=1.0, velocity=200.0, teacher_path=True),
    ],
)
def test_training_reduces_its_loss(supervision, tmp_path, loss):
    data, words = supervision
    settings = replace(SETTINGS, loss=loss, engine=replace(SETTINGS.engine, steps=60, learning_rate=5e-3))
    trained = fit(data, words, settings, tmp_path, {}).network
    normalisation, _ = Normalisation.load(tmp_path / NORMALISATION)
    losses = VideoMDM(data, words, normalisation, cosine(50), settings)

    @torch.no_grad()
    def mean(network: torch.nn.Module) -> float:
        steps = range(1000, 1012)
        parts = (losses(network, s, engine.generator_for(1, s, CPU)) for s in steps)
        return np.mean([sum(float(part["loss"]) for part in step) for step in parts])

    assert mean(trained) < 0.75 * mean(Denoiser(settings.sizes))


def test_a_stopped_fit_goes_on_to_the_same_model(supervision, tmp_path):
    data, words = supervision
    fit(data, words, SETTINGS, tmp_path / "straight", {})
    limited = replace(SETTINGS, engine=replace(SETTINGS.engine, time_limit=1e-6))
    for step in range(1, 5):
        assert fit(data, words, limited, tmp_path / "stopped", {}).step == step
    states = [engine.load_state(tmp_path / name / engine.STATE) for name in ("straight", "stopped")]
    for part in ("network", "average"):
        assert all(torch.equal(v, states[1][part][k]) for k, v in states[0][part].items())


def test_the_trained_model_makes_motion(run_folder, monkeypatch):
    by_path = Pipeline.load(str(run_folder), "cpu")
    monkeypatch.setenv("VIDEOMDM_MODELS", str(run_folder.parent))
    by_name = Pipeline.load("small", "cpu")
    assert (by_name.info.name, by_name.info.fps, by_name.info.licence) == ("small", 20.0, "CC0-1.0")
    assert by_name.info.commercial
    assert by_name.lifter is not None
    request = TextRequest("a person walks forward", seconds=2, seed=1, steps=5)
    motion, again = by_path.generate(request)[0], by_name.generate(request)[0]
    assert np.array_equal(motion.positions, again.positions)
    assert motion.positions.shape == (40, 22, 3)
    # of a person's size, and its features are of its positions
    height = motion.positions[..., 1].max(1) - motion.positions[..., 1].min(1)
    assert 0.8 < height.mean() < 2.2
    assert encode(motion.positions).shape == motion.features.shape


def test_the_run_tells_how_it_was_made(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    assert names >= {
        "config.json", "denoiser.safetensors", "lifter.safetensors", "log.jsonl", "state.pt", NORMALISATION,
    }  # fmt: skip
    config = json.loads((run_folder / "config.json").read_text())
    assert config["loss"]["teacher_steps"] == 30 and config["engine"]["steps"] == 60
    rows = log(run_folder)
    assert all(("features" in row) == (row["step"] <= 30) for row in rows)
    assert load_model(run_folder / "denoiser.safetensors", Denoiser).meta["data"] == "made by formula"


def test_the_command_stops_at_its_time_limit_and_goes_on(train: Train, pack_file, lifter_file, tmp_path):
    words = ("fit", pack_file, "-o", tmp_path / "run", "--lifter", lifter_file, "--role", "prior")
    settings = (*SMALL, "engine.steps=6", "views=1", "mirror=false")
    result = train(*words, "--time-limit", "0.000001", settings=settings)
    while "not all taught yet" in result.output:
        assert not (tmp_path / "run" / "state.pt").exists()
        result = train(*words, "--time-limit", "0.000001", settings=settings)
    assert "stopped" in result.output and "after step 1 of 6," in result.output
    assert (tmp_path / "run" / "denoiser.safetensors").is_file()
    result = train(*words, settings=settings)
    assert "finished after step 6" in result.output
    assert [row["step"] for row in log(tmp_path / "run")] == [2, 4, 6, 6]  # and the validation


def test_a_run_is_not_gone_on_with_by_other_settings(train: Train, run_folder, pack_file, lifter_file):
    before = {path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    words = ("fit", pack_file, "-o", run_folder, "--lifter", lifter_file)
    for wrong, told in (
        ("sizes.width=64", "sizes.width=32, not 64"),
        ("engine.optimiser=adamw", "not adamw"),
        ("loss.depth=mean", "loss.depth=joint, not mean"),
        ("batch=4", "batch=8, not 4"),
    ):
        settings = (*SMALL, "engine.steps=60", "loss.teacher_steps=30", "views=1", wrong)
        assert told in train(*words, settings=settings, status=2).output
    assert {path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()} == before


def test_a_run_gets_longer_and_keeps_its_lifter_and_what_it_was_told(
    train: Train, run_folder, pack_file, lifter_file, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    settings = (*SMALL, "engine.steps=62", "engine.cooldown=0.5", "loss.teacher_steps=30", "views=1")
    other = tmp_path / "lifter.safetensors"
    save_model(other, Lifter(load_model(lifter_file, Lifter).network.config), {})
    words = ("fit", pack_file, "-o", folder, "--lifter")
    assert "another lifter" in train(*words, other, settings=settings, status=2).output
    assert (folder / "lifter.safetensors").read_bytes() == lifter_file.read_bytes()
    assert "finished after step 62" in train(*words, lifter_file.parent, settings=settings).output
    meta = load_model(folder / "denoiser.safetensors", Denoiser).meta
    assert (meta["training_steps"], meta["licence"], meta["commercial"]) == (62, "CC0-1.0", True)


def test_a_time_limit_counts_from_the_start_of_the_command():
    limited = replace(SETTINGS, engine=replace(SETTINGS.engine, time_limit=100.0))
    assert 88 < time_left(limited, time.monotonic() - 10).engine.time_limit < 91
    assert 0 < time_left(limited, time.monotonic() - 200).engine.time_limit < 1  # at least one step
    assert time_left(SETTINGS, time.monotonic() - 10) == SETTINGS


def test_a_configuration_file_and_its_overrides(tmp_path):
    path = tmp_path / "fit.toml"
    path.write_text('batch = 16\n[loss]\nsupervision = "3d"\n[camera]\npitch = [-0.3, 0.1]\n')
    config = load_config(FitConfig, path, ["engine.steps=7", "loss.depth=mean", "mirror=false"])
    assert (config.batch, config.engine.steps, config.mirror) == (16, 7, False)
    assert (config.loss.supervision, config.loss.depth, config.camera.pitch) == ("3d", "mean", (-0.3, 0.1))
    assert config.sizes == DenoiserConfig()


def test_an_override_leaves_the_other_defaults_of_its_section():
    plain, changed = (
        LifterFitConfig(),
        load_config(LifterFitConfig, None, ["engine.seed=3", "camera.pitch=[0, 0]"]),
    )
    assert changed.engine == replace(plain.engine, seed=3)
    assert changed.camera == replace(plain.camera, pitch=(0.0, 0.0))


def test_the_stored_configuration_is_whole_and_can_be_given_again(run_folder):
    stored = run_folder / "config.json"
    config = load_config(FitConfig, stored)
    assert (config.batch, config.engine.steps, config.loss.teacher_steps) == (8, 60, 30)
    values = json.loads(stored.read_text())
    assert values["engine"]["seed"] == 0 and values["mirror"] is True  # defaults, too
    assert json.loads(json.dumps(resolved(config))) == values


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("lose.depth=mean", "no setting lose"),
        ("loss.deep=mean", "no setting loss.deep"),
        ("batch=many", "wrong"),
        ("loss.depth=deep", "wrong"),
        ("batch", "no setting"),
        ("batch=0", "at least 1"),
        ("loss.low_noise_steps=50", "fewer"),
        ("loss.floor=-1.0", "negative"),
        ("loss.buckets=3", "must divide"),
        ("loss.low_noise_steps=2", "at least 1"),
        ("sizes.patch=3", "divide"),
        ("sizes.patch=0", "at least 1"),
        ("sizes.heads=3", "3 heads"),
        ("sizes.width=30", "multiple of 4"),
        ("engine.steps=0", "at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(override, words):
    with pytest.raises(UserError, match=words):
        load_config(FitConfig, None, [override])


def test_faults_of_the_command_are_sentences(train: Train, pack_file, lifter_file, tmp_path):
    fit_words = ("fit", pack_file, "-o", tmp_path / "run", "--lifter")
    assert "no setting" in train(*fit_words, lifter_file, settings=("loss.x=1",), status=2).output
    assert "one value" in train(*fit_words, lifter_file, settings=("batch=3", "batch.x=1"), status=2).output
    assert "no model file" in train(*fit_words, tmp_path / "none", settings=SMALL, status=2).output
    bad = tmp_path / "bad.toml"
    bad.write_text("batch = = 3")
    assert "TOML" in train(*fit_words, lifter_file, "--config", bad, status=2).output
    none = ("fit", tmp_path / "none.pack", "-o", tmp_path / "run", "--lifter", lifter_file)
    assert "cannot be read" in train(*none, settings=SMALL, status=2).output
    assert not (tmp_path / "run").exists()


def test_a_time_limit_is_not_part_of_the_experiment(run_folder, tmp_path):
    limited = load_run_config(FitConfig, run_folder / "config.json", (), 600.0, tmp_path)
    assert limited.engine.time_limit == 600.0
    store_config(limited, tmp_path / "config.json")
    assert load_config(FitConfig, tmp_path / "config.json") == replace(
        limited, engine=replace(limited.engine, time_limit=0.0)
    )


def test_a_run_goes_on_without_its_normalisation_which_is_made_again(supervision, tmp_path):
    data, words = supervision
    fit(data, words, replace(SETTINGS, engine=replace(SETTINGS.engine, steps=2)), tmp_path, {})
    kept = (tmp_path / NORMALISATION).read_bytes()
    (tmp_path / NORMALISATION).write_bytes(kept[:40])
    with pytest.raises(UserError, match="damaged") as refused:
        fit(data, words, SETTINGS, tmp_path, {})
    assert "Remove it and start the run again" in refused.value.advice
    (tmp_path / NORMALISATION).unlink()
    assert fit(data, words, SETTINGS, tmp_path, {}).finished
    assert (tmp_path / NORMALISATION).read_bytes() == kept


def test_validation_looks_at_the_same_parts_of_any_schedule(supervision, tmp_path):
    data, words = supervision
    settings = replace(
        SETTINGS, diffusion_steps=30, samples=(), engine=replace(SETTINGS.engine, validate_every=4)
    )
    fit(data, words, settings, tmp_path, {}, validation=data)
    looked = {name for row in log(tmp_path) for name in row if name.startswith("validation/")}
    assert looked == {f"validation/{level}" for level in (3, 9, 18, 27, "teacher")}


def test_samples_are_drawn_with_each_validation(supervision, tmp_path):
    data, words = supervision
    engine_config = replace(SETTINGS.engine, validate_every=2)
    fit(data, words, replace(SETTINGS, engine=engine_config, samples=("a person waves",)), tmp_path, {})
    drawn = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert drawn == ["step0000002.png", "step0000004.png"]
    assert (tmp_path / "samples" / drawn[0]).read_bytes().startswith(b"\x89PNG")
