# SPDX-License-Identifier: Apache-2.0
"""The evaluator: its losses, its file, and the one that ships with the package."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from videomdm.errors import UserError
from videomdm_training.captions import CaptionTable
from videomdm_training.datasets.pack import Pack
from videomdm_training.evaluate import evaluator as files
from videomdm_training.evaluate.distribution import fid
from videomdm_training.evaluate.evaluator import FrozenEvaluator, features_of, save_evaluator
from videomdm_training.evaluate.fit_evaluator import Words, contrastive_loss, real_r_precision, side
from videomdm_training.evaluate.network import Evaluator, EvaluatorSizes
from videomdm_training.normalisation import Normalisation

from ..conftest import Train
from ..motions import person, variety

SMALL = EvaluatorSizes(width=16, motion_layers=1, heads=2, hidden=16, embedding=8)
SETTINGS = (
    "sizes.width=32", "sizes.motion_layers=1", "sizes.heads=2", "sizes.hidden=32", "sizes.embedding=8", "batch=12",
    "engine.steps=40", "engine.warmup=5", "engine.validate_every=10", "engine.save_every=20", "engine.log_every=10",
    "engine.learning_rate=3e-3", "engine.accelerator=cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(train: Train, pack_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluator")
    result = train("evaluator", pack_file, "-o", folder, "--licence", "CC0-1.0", settings=SETTINGS)
    assert "finished after step 40" in result.output
    return folder


def small() -> tuple[Evaluator, Normalisation]:
    torch.manual_seed(0)
    return Evaluator(SMALL), Normalisation(torch.zeros(263), torch.ones(263))


def test_a_trained_evaluator_tells_walks_from_waves(trained):
    frozen = FrozenEvaluator.load(trained / "evaluator.safetensors")
    assert frozen.facts["licence"] == "CC0-1.0" and 10 <= frozen.facts["step"] <= 40
    motions, captions = zip(*variety(12, seed=7), strict=True)
    texts, seen = frozen.texts(captions), frozen.motions(motions)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([texts, seen]), axis=1), 1, atol=1e-5)
    cosine = seen @ texts.T
    same = np.array([[a == b for b in captions] for a in captions])
    assert cosine[same].min() > cosine[~same].max()
    found = real_r_precision(frozen, features_of(motions), [(c,) for c in captions], repeats=2)
    assert found["top_1"] >= 1 / 12
    rows = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert sum("validation/top_3" in row for row in rows) == 4


def test_clips_without_words_do_not_choose_the_evaluator(train: Train, pack_file, tmp_path):
    pack = Pack.load(pack_file)
    takes = {name: pack.positions[rows] for name, rows in pack.takes.items()}
    val = [segment.id for segment in pack.segments if segment.split == "val"]
    some = [replace(s, captions=()) if s.id == val[-1] else s for s in pack.segments]
    none = [replace(s, captions=()) if s.split == "val" else s for s in pack.segments]
    for name, segments in (("some", some), ("none", none)):
        Pack.save(tmp_path / name, takes, segments, {})
    short = (*SETTINGS, "engine.steps=1", "engine.warmup=0")
    train("evaluator", tmp_path / "some", "-o", tmp_path / "run", settings=short)
    refused = train("evaluator", tmp_path / "none", "-o", tmp_path / "other", settings=short, status=2)
    assert "captioned segments for validation" in refused.output


@pytest.mark.parametrize(
    "setting",
    [
        "batch=1",
        "noise=-1",
        "drop_motion=1.5",
        "drop_text=-0.1",
        "same=nan",
        "temperature=inf",
        "sizes.patch=3",
    ],
)
def test_settings_that_mean_nothing_are_refused(train: Train, tmp_path, setting):
    refused = train("evaluator", tmp_path / "x.pack", "-o", tmp_path / "run", settings=(setting,), status=2)
    assert setting.partition("=")[0] in refused.output and not (tmp_path / "run").exists()


def test_pairs_that_say_the_same_are_no_wrong_answers():
    same = torch.eye(3, dtype=torch.bool)
    vectors = torch.eye(3)
    right = contrastive_loss(vectors, vectors, same, 0.1)
    confused = torch.stack([vectors[0], vectors[0], vectors[2]])
    wrong = contrastive_loss(vectors, confused, same, 0.1)
    same[0, 1] = same[1, 0] = True
    forgiven = contrastive_loss(confused, confused, same, 0.1)
    assert float(right) < 1e-3 < float(wrong) and float(forgiven) < 1e-3


def test_captions_are_the_same_by_meaning_and_side(train: Train):
    from videomdm.model.text import text_encoder

    table = CaptionTable()
    texts = (
        "a person walks forward", "someone is walking forward", "a man does push-ups",
        "a person turns to the left", "a person turns to the right", "a person turns left",
    )  # fmt: skip
    ids = torch.tensor([table.add(text) for text in texts])
    table.encode(text_encoder(), torch.device("cpu"))
    same = Words(table, torch.device("cpu")).same(ids, 0.8)
    assert same[0, 1] and not same[0, 2] and same[3, 5] and not same[3, 4] and not same[4, 5]
    assert bool(same.diagonal().all())


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("raises the left hand", 1), ("Right kick, right punch, left punch", -1), ("left, then right", 0),
        ("turns counterclockwise", 1), ("turns counter-clockwise", 1), ("turns clockwise", -1), ("walks", 0),
    ],
)  # fmt: skip
def test_sides_of_captions(caption: str, expected: int):
    assert side(caption) == expected


def test_a_motion_is_judged_alone_whatever_is_beside_it():
    frozen = FrozenEvaluator(*small(), {}, "")
    motions = [person(t, walking=1.0) for t in (30, 64, 33, 120)]
    together = frozen.motions(motions)
    alone = np.concatenate([frozen.motions([motion]) for motion in motions])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.linalg.norm(together[0] - together[3]) > 1e-3


def test_places_of_tokens_are_what_order_would_give():
    network, _ = small()
    network.eval()
    tokens, mask = torch.randn(2, 6, 1052), torch.ones(2, 6, dtype=torch.bool)
    places = torch.arange(6).expand(2, 6)
    shuffled = torch.tensor([[3, 0, 5, 1, 4, 2], [5, 4, 3, 2, 1, 0]])
    rows = torch.arange(2)[:, None]
    plain = network.motion(tokens, mask)
    torch.testing.assert_close(network.motion(tokens, mask, places), plain)
    torch.testing.assert_close(network.motion(tokens[rows, shuffled], mask, shuffled), plain)
    with pytest.raises(ValueError, match="multiple of 4"):
        network.embed_motion(torch.zeros(1, 6, 263), torch.ones(1, 6, dtype=torch.bool))


def test_the_file_holds_everything_and_damage_is_refused(tmp_path):
    network, normalisation = small()
    path = save_evaluator(tmp_path / "e.safetensors", network, normalisation, {"licence": "CC0-1.0"})
    frozen = FrozenEvaluator.load(path)
    assert frozen.facts == {"licence": "CC0-1.0"} and len(frozen.digest) == 64
    assert not any(weight.requires_grad for weight in frozen.network.parameters())
    data = path.read_bytes()
    for wrong in (data[:-8], data[:100], b"", data.replace(b'\\"version\\": 1', b'\\"version\\": 9')):
        assert wrong != data
        path.write_bytes(wrong)
        with pytest.raises(UserError, match="damaged or of another version"):
            FrozenEvaluator.load(path)
    with pytest.raises(UserError, match="cannot be read"):
        FrozenEvaluator.load(tmp_path / "none")


def test_the_shipped_evaluators_fid_grows_with_damage():
    frozen = FrozenEvaluator.load()
    motions = [motion for motion, _ in variety(32)]
    rng = np.random.default_rng(0)
    real = frozen.motions(motions)
    found = [0.0]
    for metres in (0.01, 0.03, 0.1):
        shaken = [m + rng.normal(0, metres, m.shape).astype(np.float32) for m in motions]
        found.append(fid(real, frozen.motions(shaken)))
    assert found == sorted(found) and found[1] > 1e-3
    still = [np.repeat(m[:1], len(m), axis=0) for m in motions]
    assert fid(real, frozen.motions(still)) > found[1]


def test_the_shipped_evaluator_is_the_published_one(monkeypatch, tmp_path):
    frozen = FrozenEvaluator.load()
    card = files.SHIPPED.with_name("CARD.md").read_text(encoding="utf-8")
    assert frozen.digest == files.SHA256 and frozen.digest in card
    assert files.SHIPPED.stat().st_size < 6 * 2**20
    assert frozen.facts["licence"] == "Apache-2.0"
    walk = frozen.motions([person(80, walking=1.2), person(80, waving=0.5)])
    words = frozen.texts(["a person walks forward", "a person waves with the right hand"])
    cosine = walk @ words.T
    assert cosine[0, 0] > cosine[0, 1] and cosine[1, 1] > cosine[1, 0]
    changed = tmp_path / "evaluator.safetensors"
    changed.write_bytes(files.SHIPPED.read_bytes()[:-1] + b"\x00")
    monkeypatch.setattr(files, "SHIPPED", changed)
    with pytest.raises(UserError, match="not the one"):
        FrozenEvaluator.load()
