# SPDX-License-Identifier: Apache-2.0
"""The evaluation of a small model, through the command line."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest

from videomdm_training.datasets.pack import Pack

from ..conftest import Train


@pytest.fixture(scope="module")
def evaluation(train: Train, run_folder, pack_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    result = train("evaluate", run_folder, pack_file, "-o", folder, "--limit", "3", "--seed", "5")
    return result.output, folder


def test_all_three_parts_are_measured(evaluation):
    output, folder = evaluation
    data = json.loads((folder / "evaluation.json").read_text())
    columns = {section["title"]: section["columns"] for section in data["sections"]}
    assert {title: list(parts) for title, parts in columns.items()} == {
        "The lifter alone": ["val", "test"],
        "Lifting with the prior": ["lifter alone", "with the prior", "truth"],
        "Generation": ["generated", "real"],
    }
    figures = [f for parts in columns.values() for column in parts.values() for f in column.values()]
    assert all(math.isfinite(f["mean"]) and math.isfinite(f["interval"]) for f in figures)
    assert all(0 < f["clips"] <= 3 for f in figures)
    assert data["settings"]["seed"] == 5 and data["settings"]["denoising steps"] == 20
    alone = columns["The lifter alone"]["val"]
    assert alone["mpjpe"]["clips"] == columns["Generation"]["real"]["jerk"]["clips"] == 3
    assert 0 < alone["pa_mpjpe"]["mean"] < alone["mpjpe"]["mean"] < 1
    assert columns["Generation"]["real"]["bone_drift"]["mean"] < 0.002
    assert (folder / "evaluation.md").read_text() in output


def test_the_same_seed_measures_the_same(evaluation, train: Train, run_folder, pack_file, tmp_path):
    train("evaluate", run_folder, pack_file, "-o", tmp_path, "--limit", "3", "--seed", "5")
    first, second = (folder / "evaluation.json" for folder in (evaluation[1], tmp_path))
    assert first.read_bytes() == second.read_bytes()


def test_a_model_without_a_lifter_is_measured_on_what_it_can(train: Train, run_folder, pack_file, tmp_path):
    model = tmp_path / "words"
    model.mkdir()
    shutil.copy(run_folder / "denoiser.safetensors", model)
    result = train("evaluate", model, pack_file, "-o", tmp_path / "out", "--limit", "1")
    assert "Generation" in result.output and "Lifting" not in result.output


def test_there_must_be_something_to_measure_on(train: Train, run_folder, pack_file, tmp_path):
    pack = Pack.load(pack_file)
    takes = {name: pack.positions[rows] for name, rows in pack.takes.items()}
    segments = [replace(segment, split="train") for segment in pack.segments]
    Pack.save(tmp_path / "train.pack", takes, segments, {})
    result = train("evaluate", run_folder, tmp_path / "train.pack", "-o", tmp_path / "out", status=2)
    assert "no segments for validation" in result.output
    assert "no model" in train("evaluate", tmp_path / "none", pack_file, status=2).output
    assert not (tmp_path / "out").exists()
