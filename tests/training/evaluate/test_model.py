# SPDX-License-Identifier: Apache-2.0
"""The evaluation of a small model, through the command line."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.models import small_model

from videomdm_training.datasets.pack import Pack

from ..conftest import Train


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A small model with random weights."""
    return small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def judge(train: Train, tmp_path_factory):
    """The file of a small evaluator with random weights."""
    import torch

    from videomdm_training.evaluate.evaluator import save_evaluator
    from videomdm_training.evaluate.network import Evaluator, EvaluatorSizes
    from videomdm_training.normalisation import Normalisation

    torch.manual_seed(0)
    sizes = EvaluatorSizes(width=16, motion_layers=1, heads=2, hidden=16, embedding=8)
    numbers = Normalisation(torch.zeros(263), torch.ones(263))
    return save_evaluator(
        tmp_path_factory.mktemp("judge") / "evaluator.safetensors", Evaluator(sizes), numbers, {}
    )


@pytest.fixture(scope="module")
def asked(judge):
    """What a short evaluation is asked for."""
    quick = ("--lift", "steps=2", "--lift", "samples=1")
    return ("--limit", "5", "--seed", "5", "--replications", "3", "--evaluator", judge, *quick)


@pytest.fixture(scope="module")
def evaluation(train: Train, small, pack_file, asked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    result = train("evaluate", small, pack_file, "-o", folder, *asked)
    return result.output, folder


def test_all_three_parts_are_measured(evaluation, small):
    output, folder = evaluation
    data = json.loads((folder / "evaluation.json").read_text())
    columns = {section["title"]: section["columns"] for section in data["sections"]}
    assert {title: list(parts) for title, parts in columns.items()} == {
        "The lifter alone": ["val", "test"],
        "Lifting with the prior": ["lifter alone", "fitted", "with the prior", "truth"],
        "Lifting with the prior, much hidden": ["lifter alone", "fitted", "with the prior", "truth"],
        "Words to motion": ["real", "half of the real", small.name],
    }
    figures = [f for parts in columns.values() for column in parts.values() for f in column.values()]
    assert all(math.isfinite(f["mean"]) and math.isfinite(f["interval"]) for f in figures)
    assert all(0 < f["count"] <= 5 for f in figures)
    assert data["settings"]["seed"] == 5 and data["settings"]["denoising steps"] == 20
    lifted = columns["Lifting with the prior"]
    assert (
        lifted["lifter alone"]["bone_drift"]["mean"] > 1e-3 > lifted["with the prior"]["bone_drift"]["mean"]
    )
    alone = columns["The lifter alone"]["val"]
    assert alone["mpjpe"]["count"] == 5
    assert 0 < alone["pa_mpjpe"]["mean"] < alone["mpjpe"]["mean"] < 1
    assert (folder / "evaluation.md").read_text() in output


def test_words_to_motion_has_every_measure(evaluation, small, judge):
    data = json.loads((evaluation[1] / "evaluation.json").read_text())
    (section,) = (s for s in data["sections"] if s["title"] == "Words to motion")
    real, half, model = section["columns"].values()
    assert section["over"] == "replications"
    to_captions = {"r_precision_1", "r_precision_2", "r_precision_3", "multimodal_distance", "diversity"}
    to_real = {"fid", "fid_unbiased", "precision", "recall"}
    bodily = {"foot_skate", "penetration", "jerk", "bone_drift"}
    assert set(half) == to_real and to_captions | bodily <= set(real)
    assert to_captions | to_real | bodily | {"multimodality"} <= set(model)
    assert {model[name]["count"] for name in to_captions | to_real} == {3}
    assert model["multimodality"]["count"] == 1 and model["multimodality"]["mean"] > 0
    tops = [model[f"r_precision_{top}"]["mean"] for top in (1, 2, 3)]
    assert 0 <= tops[0] <= tops[1] <= tops[2] <= 1
    assert 0 < real["bone_drift"]["mean"] < 0.001 and model["bone_drift"]["mean"] > 0
    assert "batches of 5" in section["notes"]
    digest = hashlib.sha256(judge.read_bytes()).hexdigest()
    assert data["settings"]["evaluator"] == f"SHA-256 {digest}"


def test_the_same_seed_measures_the_same(evaluation, train: Train, small, pack_file, asked, tmp_path):
    train("evaluate", small, pack_file, "-o", tmp_path, *asked)
    first, second = (folder / "evaluation.json" for folder in (evaluation[1], tmp_path))
    assert first.read_bytes() == second.read_bytes()


def test_models_stand_side_by_side_and_parts_can_be_left_out(train: Train, small, pack_file, asked, tmp_path):
    words = (
        "--part", "words", "--beside", small, "--beside", small_model(tmp_path / "other"), "--split", "val",
    )  # fmt: skip
    train("evaluate", small, pack_file, "-o", tmp_path / "out", *words, *asked)
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    (section,) = data["sections"]
    name = small.name
    assert list(section["columns"]) == ["real", "half of the real", name, f"{name} (2)", "other"]
    first, again, other = (section["columns"][key] for key in (name, f"{name} (2)", "other"))
    assert first == again == other  # the same weights under three names
    assert data["settings"]["split of the captions"] == "val" and "camera" not in data["settings"]


def test_a_2d_model_stands_beside_by_the_consensus_of_its_views(
    train: Train, small, pack_file, asked, tmp_path
):
    import torch

    from videomdm.model.checkpoint import save_model
    from videomdm.model.denoiser import Denoiser, DenoiserConfig
    from videomdm_training.baselines.flat import FILE, WIDTH

    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(features=WIDTH, width=16, layers=1, heads=2, hidden=16))
    (tmp_path / "run").mkdir()
    save_model(tmp_path / "run" / FILE, network, {"diffusion_steps": 50})
    words = ("--part", "words", "--beside", tmp_path / "run")
    train("evaluate", small, pack_file, "-o", tmp_path / "out", *words, *asked)
    (section,) = json.loads((tmp_path / "out" / "evaluation.json").read_text())["sections"]
    assert list(section["columns"]) == ["real", "half of the real", small.name, "run, consensus"]
    figures = section["columns"]["run, consensus"]
    assert figures.keys() == section["columns"][small.name].keys()
    assert all(math.isfinite(figure["mean"]) for figure in figures.values())


def test_other_ways_to_lift_can_be_measured(train: Train, small, pack_file, tmp_path):
    ways = ("--lift", "steps=2", "--lift", "samples=1", "--lift", "fit.observed=0.05")
    train(
        "evaluate",
        small,
        pack_file,
        "-o",
        tmp_path,
        "--part",
        "prior",
        "--split",
        "val",
        "--limit",
        "2",
        *ways,
    )
    data = json.loads((tmp_path / "evaluation.json").read_text())
    assert [section["columns"]["fitted"]["mpjpe"]["count"] for section in data["sections"]] == [2, 2]
    told = data["settings"]
    assert (told["lift steps"], told["lift samples"], told["lift fit.observed"]) == (2, 1, 0.05)
    result = train("evaluate", small, pack_file, "-o", tmp_path, "--lift", "speed=2", status=2)
    assert "speed" in result.output


def test_other_ways_to_sample_can_be_measured(train: Train, small, pack_file, asked, tmp_path):
    ways = ("--part", "words", "--sample", "sampler=ancestral", "--sample", "steps=4", *asked)
    told = []
    for name in ("once", "again"):
        train("evaluate", small, pack_file, "-o", tmp_path / name, *ways)
        told.append((tmp_path / name / "evaluation.json").read_bytes())
    assert told[0] == told[1]
    settings = json.loads(told[0])["settings"]
    assert (settings["sampler"], settings["denoising steps"], settings["guidance"]) == ("ancestral", 4, 2.5)
    for wrong in ("sampler=euler", "steps=0", "guidance=-1", "eta=1", "precision=int8"):
        result = train("evaluate", small, pack_file, "--sample", wrong, status=2)
        assert wrong.partition("=")[0] in result.output.replace("guidance scale", "guidance")


def test_half_precision_makes_nearly_the_same_motions(train: Train, small):
    from videomdm.pipeline import Pipeline
    from videomdm_training.evaluate.sampling import SamplingSettings, sampler_for

    model = Pipeline.load(str(small), "cpu")
    asked = (["a person walks", "a person waves"], [40, 32], 3)
    whole, half = (
        sampler_for(model, asked[0], SamplingSettings(steps=4, precision=precision))(*asked)
        for precision in ("32-true", "bf16-mixed")
    )
    for one, other in zip(whole, half, strict=True):
        assert other.dtype == one.dtype and 0 < np.abs(one - other).max() < 0.05 * np.abs(one).max()


def test_noise_of_a_motion_does_not_depend_on_what_is_made_with_it():
    import torch

    from videomdm_training.evaluate.sampling import Noise

    cpu = torch.device("cpu")
    alone, among = Noise([(3, 1)], (20, 263), cpu), Noise([(3, 0), (3, 1)], (36, 263), cpu)
    drawn = [alone.first, *(alone(step) for step in range(3))]
    assert torch.equal(alone.first[0], among.first[1, :20])
    assert torch.equal(alone(2)[0], among(2)[1, :20])
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_a_model_without_a_lifter_is_measured_on_what_it_can(train: Train, small, pack_file, asked, tmp_path):
    model = tmp_path / "words"
    model.mkdir()
    shutil.copy(small / "denoiser.safetensors", model)
    result = train("evaluate", model, pack_file, "-o", tmp_path / "out", *asked)
    assert "Words to motion" in result.output and "Lifting" not in result.output
    refused = train("evaluate", model, pack_file, "-o", tmp_path / "none", "--part", "prior", status=2)
    assert "no lifter" in refused.output and not (tmp_path / "none").exists()


def test_there_must_be_something_to_measure_on(train: Train, small, pack_file, asked, tmp_path):
    pack = Pack.load(pack_file)
    takes = {name: pack.positions[rows] for name, rows in pack.takes.items()}
    segments = [replace(segment, split="train") for segment in pack.segments]
    Pack.save(tmp_path / "train.pack", takes, segments, {})
    out = ("-o", tmp_path / "out")
    result = train("evaluate", small, tmp_path / "train.pack", *out, status=2)
    assert "no segments of the split val" in result.output
    few = ("--part", "words", *asked, "--limit", "3")
    assert "at least 4" in train("evaluate", small, pack_file, *out, *few, status=2).output
    assert "no model" in train("evaluate", tmp_path / "none", pack_file, status=2).output
    assert not (tmp_path / "out").exists()


def test_a_part_joins_what_lies_in_the_folder(train: Train, small, pack_file, asked, tmp_path):
    folder = tmp_path / "out"
    train("evaluate", small, pack_file, "-o", folder, "--part", "words", *asked)
    (words,) = json.loads((folder / "evaluation.json").read_text())["sections"]
    result = train("evaluate", small, pack_file, "-o", folder, "--part", "lifter", *asked)
    both = json.loads((folder / "evaluation.json").read_text())
    assert [section["title"] for section in both["sections"]] == ["The lifter alone", "Words to motion"]
    assert both["sections"][1] == words
    assert {"camera", "guidance", "replications"} <= both["settings"].keys()
    assert (folder / "evaluation.md").read_text() in result.output
    train(
        "evaluate", small, pack_file, "-o", folder, "--part", "lifter", *asked
    )  # once more: no second section
    assert json.loads((folder / "evaluation.json").read_text()) == both


def test_another_evaluation_in_the_folder_is_not_overwritten(
    train: Train, small, pack_file, asked, tmp_path, monkeypatch
):
    from videomdm_training.evaluate import model as measured

    folder = tmp_path / "out"
    train("evaluate", small, pack_file, "-o", folder, "--part", "words", *asked)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def no_work(*_: object) -> None:
        raise AssertionError("nothing is measured before it is known that the figures can be kept")

    for name in ("lifter_section", "prior_sections", "words_section"):
        monkeypatch.setattr(measured, name, no_work)
    other = tmp_path / "other" / small.name  # of the same name, without the lifter
    other.mkdir(parents=True)
    shutil.copy(small / "denoiser.safetensors", other)
    again = ("-o", folder, "--part", "words", *asked)
    for model, more, told in (
        (other, (), "weights"),
        (small, ("--part", "lifter", "--seed", "6"), "seed 5, not 6"),
        (small, ("--sample", "guidance=3.0"), "guidance 2.5, not 3.0"),
        (small, ("--beside", other), "beside none, not"),
        (small, ("--replications", "4"), "replications 3, not 4"),
    ):
        refused = train("evaluate", model, pack_file, *again, *more, status=2).output
        assert told in refused and str(folder) in refused and "-o" in refused
    (folder / "evaluation.json").write_text("{}")
    assert "cannot be read as the report" in train("evaluate", small, pack_file, *again, status=2).output
    (folder / "evaluation.json").write_bytes(before["evaluation.json"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_held_out_clips_without_captions_measure_the_lifter_only(
    train: Train, small, pack_file, asked, tmp_path
):
    pack = Pack.load(pack_file)
    takes = {name: pack.positions[rows] for name, rows in pack.takes.items()}
    test = [segment for segment in pack.segments if segment.split == "test"]
    segments = [replace(s, captions=()) if s.id == test[0].id else s for s in pack.segments]
    Pack.save(tmp_path / "some.pack", takes, segments, {})
    more = ("--part", "words", "--limit", "99")
    result = train("evaluate", small, tmp_path / "some.pack", "-o", tmp_path / "out", *asked, *more)
    assert f"{len(test) - 1} real motions" in result.output
    segments = [replace(s, captions=()) if s.split == "test" else s for s in pack.segments]
    Pack.save(tmp_path / "none.pack", takes, segments, {})
    refused = train("evaluate", small, tmp_path / "none.pack", "-o", tmp_path / "none", *asked, status=2)
    assert "no captioned segments of the split test" in refused.output and not (tmp_path / "none").exists()
