# SPDX-License-Identifier: Apache-2.0
"""A study from the command line to its score: what is shown, what is kept to itself, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.models import small_model

from videomdm.errors import UserError
from videomdm.motion.clip import FPS
from videomdm_training.datasets.pack import Pack
from videomdm_training.sources import joints
from videomdm_training.study.files import read_key
from videomdm_training.study.page import pack as packed

from ..conftest import Train
from .support import browse

PAIRS = 4
WATCH = "~3.1"  # seconds: a little more than the longest motion of the pack lasts


@pytest.fixture(scope="module")
def model(train: Train, tmp_path_factory) -> Path:
    """A small model with random weights."""
    return small_model(tmp_path_factory.mktemp("models") / "nobody")


@pytest.fixture(scope="module")
def flat(train: Train, tmp_path_factory) -> Path:
    """A run folder of a small 2D model with random weights."""
    import torch

    from videomdm.model.checkpoint import save_model
    from videomdm.model.denoiser import Denoiser, DenoiserConfig
    from videomdm_training.baselines.flat import FILE, WIDTH

    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(features=WIDTH, width=16, layers=1, heads=2, hidden=16))
    folder = tmp_path_factory.mktemp("runs") / "flat"
    folder.mkdir()
    save_model(folder / FILE, network, {"diffusion_steps": 50})
    return folder


@pytest.fixture(scope="module")
def made(train: Train, model, pack_file, tmp_path_factory):
    """A page of recorded motions against those of a small model, and its key."""
    page = tmp_path_factory.mktemp("study") / "pairs.html"
    train("study", "make", "real", model, "-o", page, "--pack", pack_file, "--pairs", PAIRS, "--seed", "3")
    return page, page.with_name("pairs.key.json")


def data_of(page: Path) -> dict:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])


def test_the_page_stands_alone_and_names_nobody(made, model):
    page, key_file = made
    text, key = page.read_text(), read_key(key_file)
    assert key.sources == ("real", str(model))
    assert "{{" not in text.replace("{{}}", "") and key.study in text
    for secret in (*key.sources, model.name, "denoiser", '"seed"', '"sources"', '"first"'):
        assert f">{secret}<" not in text and f'"{secret}"' not in text, secret
    assert re.findall(r"https?:|src=|href=\"|@import|url\(|fetch\(", text) == []
    assert "default-src 'none'" in text


def test_each_motion_is_whose_the_key_says_it_is(made, pack_file):
    page, key_file = made
    key, data = read_key(key_file), data_of(page)
    pack = Pack.load(pack_file)
    recorded = {packed([joints(pack, s).numpy()], FPS)[1][0]: s for s in pack.select("test")}
    assert len(data["pairs"]) == len(key.pairs) == PAIRS
    assert sorted(pair.first for pair in key.pairs) == [0, 0, 1, 1]
    for pair, shown in zip(key.pairs, data["pairs"], strict=True):
        # Pair.first is the source of the first motion, and the first source is "real"
        real, other = shown["motions"][pair.first], shown["motions"][1 - pair.first]
        assert pair.caption in recorded[real].captions and shown["caption"] == pair.caption
        assert other not in recorded and len(other) == len(real) and shown["unit"] == 0.001


def test_the_same_seed_makes_the_same_study_and_none_a_secret_one(
    train: Train, made, model, pack_file, tmp_path
):
    words = ("--pack", pack_file, "--pairs", PAIRS)
    train("study", "make", "real", model, "-o", tmp_path / "a.html", *words, "--seed", "3")
    assert (tmp_path / "a.html").read_bytes() == made[0].read_bytes()
    train("study", "make", "real", model, "-o", tmp_path / "b.html", *words)
    assert read_key(tmp_path / "b.key.json").study != read_key(made[1]).study


def test_the_same_seed_with_other_models_is_another_study(train: Train, model, flat, tmp_path):
    """Answers to one are refused with the key of the other, even where the motions are the same."""
    twins = [Path(shutil.copytree(model, tmp_path / name)) for name in ("twin", "triplet")]
    asked = ("--prompt", "walk", "--pairs", 2, "--seconds", 0.5, "--seed", "3", "--sample", "steps=1")
    keys = {}
    for other in (flat, *twins):
        train("study", "make", model, other, "-o", tmp_path / f"{other.name}.html", *asked)
        keys[other.name] = tmp_path / f"{other.name}.key.json"
    assert len({read_key(key).study for key in keys.values()}) == 3
    assert data_of(tmp_path / "twin.html")["pairs"] == data_of(tmp_path / "triplet.html")["pairs"]
    seen = browse(tmp_path / "flat.html", "~0.6", "1", "~0.6", "1", "save")
    (tmp_path / "answers.json").write_text(seen["texts"][0])
    train("study", "score", keys["flat"], tmp_path / "answers.json")
    refused = train("study", "score", keys["twin"], tmp_path / "answers.json", status=2)
    assert "answers the study" in refused.output


def test_the_page_plays_and_what_it_saves_can_be_scored(train: Train, made, tmp_path):
    page, key_file = made
    seen = browse(page, WATCH, "3", WATCH, "ArrowDown", WATCH, "ArrowRight", WATCH, "2", "save")
    file = tmp_path / seen["names"][0]
    file.write_text(seen["texts"][0])
    result = train("study", "score", key_file, file)
    assert "1 participants, 4 pairs" in result.output and "| no difference | 2 | 50.0% |" in result.output


def test_a_2d_model_is_asked_by_the_consensus_of_its_views_and_as_told(train: Train, model, flat, tmp_path):
    asked = ("--prompt", "walk", "--pairs", 2, "--seconds", 0.5, "--seed", "1")
    once = ("--sample", "steps=1", "--sample", "guidance=1.0")
    train("study", "make", flat, model, "-o", tmp_path / "a.html", *asked, *once)
    train("study", "make", flat, model, "-o", tmp_path / "b.html", *asked, "--sample", "steps=2")
    key, other = read_key(tmp_path / "a.key.json"), read_key(tmp_path / "b.key.json")
    assert key.sources[0] == str(flat) and key.study != other.study
    assert (
        key.settings["steps"] == 1 and key.settings["guidance"] == 1.0 and key.settings["sampler"] == "ddim"
    )


def test_an_earlier_study_is_not_written_over(train: Train, made, model, pack_file, tmp_path):
    page, key_file = (Path(shutil.copy(path, tmp_path)) for path in made)
    whole = key_file.read_bytes()
    words = ("study", "make", "real", model, "-o", page, "--pack", pack_file, "--pairs", PAIRS)
    assert "pairs.html is there already" in train(*words, status=2).output
    page.unlink()
    assert "pairs.key.json is there already" in train(*words, status=2).output
    assert key_file.read_bytes() == whole and not page.exists()


def test_a_page_that_cannot_be_written_leaves_no_key(train: Train, model, flat, tmp_path, monkeypatch):
    def full(path: Path, data: bytes) -> Path:
        raise UserError(f"{path} cannot be written (no space left).")

    monkeypatch.setattr("videomdm_training.study.make.write_atomically", full)
    asked = ("--prompt", "walk", "--pairs", 1, "--seconds", 0.5, "--sample", "steps=1")
    assert (
        "no space" in train("study", "make", model, flat, "-o", tmp_path / "x.html", *asked, status=2).output
    )
    assert list(tmp_path.iterdir()) == []


def test_segments_without_captions_are_not_asked_for(train: Train, model, pack_file, tmp_path):
    pack = Pack.load(pack_file)
    held_out = [s.id for s in pack.select("test")]
    segments = [replace(s, captions=()) if s.id in held_out[2:] else s for s in pack.segments]
    takes = {s.take: pack.clip(s) for s in pack.segments}
    file = Pack.save(tmp_path / "few.pack", takes, segments, dict(pack.notes))
    words = ("study", "make", "real", model, "--pack", file, "--seed", "3", "-o", tmp_path / "x.html")
    assert "has 2 segments" in train(*words, "--pairs", 3, status=2).output
    train(*words, "--pairs", 2)


def test_what_cannot_be_compared_is_refused(train: Train, model, flat, pack_file, tmp_path):
    page = tmp_path / "x.html"
    assert "Recorded motions" in train("study", "make", "real", model, "-o", page, status=2).output
    for one in (model, flat):
        for same in (one, f"{one}/", one / ".." / one.name):
            assert "the same" in train("study", "make", one, same, "-o", page, status=2).output
    assert "no model" in train("study", "make", model, tmp_path, "-o", page, status=2).output
    many = ("--pack", pack_file, "--pairs", "100")
    assert "fewer than 100" in train("study", "make", "real", model, "-o", page, *many, status=2).output
    both = ("--pack", pack_file, "--prompt", "walk")
    assert "Both" in train("study", "make", "real", model, "-o", page, *both, status=2).output
    assert list(tmp_path.iterdir()) == []
