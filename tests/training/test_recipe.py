# SPDX-License-Identifier: Apache-2.0
"""The base model in one command: stopped anywhere, it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from videomdm.model.checkpoint import load_model
from videomdm.model.denoiser import Denoiser
from videomdm.model.lifter import Lifter
from videomdm.model.registry import find_model, model_info
from videomdm_training.configuration import load_config
from videomdm_training.engine import load_state
from videomdm_training.fit import FitConfig
from videomdm_training.recipe import RECIPES
from videomdm_training.teacher.fit_lifter import LifterFitConfig

from .conftest import SMALL, Train

SETTINGS = (
    *(f"lifter.{setting}" for setting in (*SMALL, "engine.steps=2", "crop=32")),
    *(f"fit.{setting}" for setting in (*SMALL, "engine.steps=2", "loss.teacher_steps=1", "views=1")),
)


def test_the_recipes_are_settings_that_exist():
    lifter = load_config(LifterFitConfig, RECIPES / "lifter.toml")
    fit = load_config(FitConfig, RECIPES / "base.toml")
    assert lifter.engine.optimiser == fit.engine.optimiser == "muon"
    assert 0 < fit.loss.teacher_steps < fit.engine.steps


def test_the_recipe_is_that_of_the_model_that_ships():
    base = find_model("base")
    recipe, shipped = (load_config(FitConfig, path) for path in (RECIPES / "base.toml", base / "config.json"))
    assert shipped == recipe
    meta = load_model(base / "denoiser.safetensors", Denoiser).meta
    assert meta["training_steps"] == recipe.engine.steps and meta["supervision"] == recipe.loss.supervision


def test_the_model_is_made_in_slices_and_says_what_may_be_done_with_it(
    train: Train, pack_file: Path, tmp_path: Path
):
    words = ("base", pack_file, "-o", tmp_path, "--licence", "CC0-1.0", "--commercial")
    slices = 1
    while "run the same command" in train(*words, "--time-limit", 1e-3, settings=SETTINGS).output:
        assert slices < 20 and not (tmp_path / "model").exists()
        slices += 1
    assert slices > 2
    assert load_state(tmp_path / "run" / "state.pt")["step"] == 2
    info = model_info(tmp_path / "model")
    assert info.commercial and info.licence == "CC0-1.0"
    assert load_model(tmp_path / "model" / "lifter.safetensors", Lifter).meta["licence"] == "CC0-1.0"
    assert train(*words, settings=SETTINGS).output.count("finished") == 0  # nothing is left to train


def test_the_time_limit_holds_while_clips_are_taught(
    train: Train, pack_file: Path, tmp_path: Path, monkeypatch
):
    """Every slice keeps a batch at least, and none is fitted twice: also on another machine, if the cache travels."""
    from videomdm_training.teacher import kept

    fitted = []

    def counted(*given):
        fitted.append(given[1].shape)
        return taught(*given)

    taught = kept.taught
    monkeypatch.setattr(kept, "taught", counted)
    words = ("--time-limit", 1e-3, "--pieces", tmp_path / "pieces", "--with-cache")
    settings, said, done = (*SETTINGS, "fit.views=2"), "", []
    for number in range(20):
        here = tmp_path / f"machine{number}" / "base"
        if number:
            train("join", tmp_path / "pieces", "-o", here)
        before = len(fitted)
        said = train("base", pack_file, "-o", here, *words, settings=settings).output
        if (here / "run" / "state.pt").is_file():
            break
        done.append(len(fitted) - before)
    assert max(done) == 1 and done.count(1) > 2 and len(fitted) == sum(done)
    assert "after step 1" in said


def test_of_several_processes_one_writes_the_model(
    train: Train, pack_file: Path, tmp_path: Path, monkeypatch
):
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    said = train("base", pack_file, "-o", tmp_path / "one", settings=SETTINGS).output
    assert (tmp_path / "one" / "run" / "state.pt").is_file() and not (tmp_path / "one" / "model").exists()
    assert "step 2; " not in said


def test_nothing_is_permitted_that_was_not_said(train: Train, pack_file: Path, tmp_path: Path):
    train("base", pack_file, "-o", tmp_path, settings=SETTINGS)
    info = model_info(tmp_path / "model")
    assert not info.commercial and info.licence == "LicenseRef-unknown"
    assert (
        load_model(tmp_path / "model" / "lifter.safetensors", Lifter).meta["licence"] == "LicenseRef-unknown"
    )


def test_a_setting_of_no_stage_is_refused(train: Train, pack_file: Path, tmp_path: Path):
    result = train("base", pack_file, "-o", tmp_path, settings=("engine.steps=3",), status=2)
    assert "names no stage" in result.output
    assert not list(tmp_path.iterdir())
