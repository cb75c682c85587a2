# SPDX-License-Identifier: Apache-2.0
"""A model of a run at any time."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.model.checkpoint import load_model  # noqa: E402 (after the skip)
from videomdm.model.denoiser import Denoiser  # noqa: E402
from videomdm.pipeline import Pipeline, TextRequest  # noqa: E402
from videomdm_training.fit import NORMALISATION  # noqa: E402

from .conftest import Train  # noqa: E402


@pytest.fixture
def unfinished(run_folder, tmp_path):
    """What a run leaves that was killed: no model yet."""
    folder = tmp_path / "unfinished"
    shutil.copytree(run_folder, folder)
    (folder / "denoiser.safetensors").unlink()
    return folder


def test_the_exported_model_is_the_one_that_the_run_writes(train: Train, unfinished, run_folder, tmp_path):
    result = train("export", unfinished, "-o", tmp_path / "model")
    assert "step 60" in result.output
    assert (tmp_path / "model" / "config.json").read_bytes() == (run_folder / "config.json").read_bytes()
    ours, theirs = (
        load_model(f / "denoiser.safetensors", Denoiser) for f in (tmp_path / "model", run_folder)
    )
    assert ours.meta == {**theirs.meta, "name": "model"}
    request = TextRequest("a person walks", seconds=1, steps=3)
    exported, own = (
        Pipeline.load(str(f), "cpu").generate(request)[0] for f in (tmp_path / "model", run_folder)
    )
    assert np.array_equal(exported.positions, own.positions)
    assert Pipeline.load(str(tmp_path / "model"), "cpu").lifter is not None


def test_the_card_says_what_the_model_is_until_somebody_writes_another(train: Train, unfinished, tmp_path):
    words, card = ("export", unfinished, "-o", tmp_path / "model"), tmp_path / "model" / "CARD.md"
    train(*words)
    text = card.read_text()
    assert "CC0-1.0; commercial use is permitted" in text and "made by formula" in text
    assert (
        "step 60 of 60" in text
        and "2D keypoints, with a lifted teacher" in text
        and "measured | not yet" in text
    )
    card.write_text(text.replace("step 60", "step 6"))
    train(*words)
    assert card.read_text() == text
    card.write_text("# Ours")
    train(*words)
    assert card.read_text() == "# Ours"


def test_another_lifter_may_be_given(train: Train, unfinished, lifter_file, tmp_path):
    (unfinished / "lifter.safetensors").unlink()
    assert "no model file" in train("export", unfinished, "-o", tmp_path / "model", status=2).output
    train("export", unfinished, "-o", tmp_path / "model", "--lifter", lifter_file)
    assert (tmp_path / "model" / "lifter.safetensors").read_bytes() == lifter_file.read_bytes()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("state.pt", "no saved state"),
        (NORMALISATION, "not a run of `videomdm train fit`"),
        ("config.json", "configuration"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(train: Train, unfinished, tmp_path, name, words):
    (unfinished / name).unlink()
    assert words in train("export", unfinished, "-o", tmp_path / "model", status=2).output
    assert not (tmp_path / "model").exists()
