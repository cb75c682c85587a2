# SPDX-License-Identifier: Apache-2.0
"""The networks: masks, shapes, conditions; the text encoder; model files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from videomdm.diffusion.guidance import text_guided  # noqa: E402 (after the skip)
from videomdm.errors import UserError  # noqa: E402
from videomdm.model import registry  # noqa: E402
from videomdm.model.checkpoint import load_model, save_model  # noqa: E402
from videomdm.model.denoiser import Denoiser, DenoiserConfig  # noqa: E402
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.model.text import STATE, WIDTH, text_encoder  # noqa: E402

SMALL = DenoiserConfig(width=32, layers=2, heads=2, hidden=48)


@pytest.fixture
def denoiser() -> Denoiser:
    """A small network with random output weights (a new one answers 0)."""
    torch.manual_seed(0)
    network = Denoiser(SMALL)
    torch.nn.init.normal_(network.write.weight, std=0.1)
    torch.nn.init.normal_(network.trunk.modulation.weight, std=0.1)
    return network.eval()


def inputs(B=3, T=24, L=5):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(B, T, 263, generator=generator)
    text = torch.randn(B, L, STATE, generator=generator)
    return x, torch.tensor([0, 20, 49])[:B], text, torch.ones(B, L, dtype=torch.bool)


@torch.no_grad()
def test_padding_of_frames_and_text_changes_nothing(denoiser):
    x, t, text, words = inputs()
    alone = denoiser(x, t, text, words)
    padded = torch.cat([x, torch.full((3, 8, 263), 9.0)], dim=1)
    frames = torch.arange(32)[None].expand(3, -1) < 24
    longer = torch.cat([text, torch.full((3, 4, STATE), 7.0)], dim=1)
    more = torch.cat([words, torch.zeros(3, 4, dtype=torch.bool)], dim=1)
    together = denoiser(padded, t, longer, more, frames)
    assert torch.allclose(together[:, :24], alone, atol=1e-5)


@torch.no_grad()
def test_tokens_know_where_the_clip_begins_and_ends(denoiser):
    _, t, text, words = inputs()
    nothing = torch.zeros(3, 40, 263)
    told = denoiser(nothing, t, text, words)[:, ::4]
    longer = denoiser(torch.zeros(3, 60, 263), t, text, words)[:, ::4]
    assert (told[:, :1] - told[:, 1:]).abs().amax(-1).min() > 0.01
    assert (told[:, 0] - longer[:, 0]).abs().max() > 0.01  # the same beginning, another end
    torch.nn.init.zeros_(denoiser.place.weight)
    same = denoiser(nothing, t, text, words)[:, ::4]
    assert torch.allclose(same[:, :1], same[:, 1:], atol=1e-5)


@torch.no_grad()
def test_step_text_and_order_of_words_all_matter(denoiser):
    x, t, text, words = inputs()
    base = denoiser(x, t, text, words)
    assert not torch.allclose(denoiser(x, t.flip(0), text, words)[0], base[0], atol=1e-4)
    assert not torch.allclose(denoiser(x, t, text.flip(0), words)[0], base[0], atol=1e-4)
    none = torch.zeros_like(words)
    assert torch.equal(denoiser(x, t, text, none), denoiser(x, t, text * 2 + 1, none))


@torch.no_grad()
def test_guidance_extrapolates_from_no_text_to_text(denoiser):
    x, t, text, words = inputs()
    with_text = denoiser(x, t, text, words)
    without = denoiser(x, t, text, torch.zeros_like(words))
    guided = text_guided(denoiser, text, words, 2.5)(x, t)
    assert torch.allclose(guided, without + 2.5 * (with_text - without), atol=1e-5)
    assert torch.allclose(text_guided(denoiser, text, words, 1.0)(x, t), with_text, atol=1e-5)
    one = text_guided(denoiser, text[:1], words[:1], 2.5)(x, t)
    assert torch.allclose(one[0], guided[0], atol=1e-5)


def test_wrong_numbers_of_frames_are_refused(denoiser):
    x, t, text, words = inputs(T=22)
    with pytest.raises(ValueError, match="multiple of 4"):
        denoiser(x, t, text, words)


def test_captions_with_the_same_meaning_lie_close():
    encoder = text_encoder()
    captions = ["a person walks forward", "someone walks ahead", "a person throws punches", ""]
    states, mask = encoder(captions)
    assert states.shape[::2] == (4, STATE) and mask.sum(1).tolist()[3] == 0
    mean = (states * mask[..., None]).sum(1)[:3] / mask.sum(1)[:3, None]
    mean = torch.nn.functional.normalize(mean, dim=-1)
    assert mean[0] @ mean[1] > 0.75 > 0.4 > mean[0] @ mean[2]
    alone, _ = encoder(captions[:1])
    assert torch.allclose(alone[0], states[0, : alone.shape[1]], atol=1e-4)


def test_left_and_right_differ_more_in_the_embeddings_than_in_the_sentences():
    states, mask = text_encoder()(["she turns to the left", "she turns to the right"])
    (place,) = [
        i for i in range(int(mask[0].sum())) if not torch.equal(states[0, i, WIDTH:], states[1, i, WIDTH:])
    ]
    alike = torch.nn.functional.cosine_similarity
    words, sentence = states[:, place, WIDTH:], states[:, place, :WIDTH]
    assert alike(words[0], words[1], dim=0) < 0.6 < 0.8 < alike(sentence[0], sentence[1], dim=0)
    assert words.norm(dim=-1).mean() == pytest.approx(
        float(sentence.norm(dim=-1).mean()), rel=0.5
    )  # neither drowns


def test_a_network_reads_as_many_columns_of_the_states_as_it_was_made_for():
    x, t, text, words = inputs()
    network = Denoiser(DenoiserConfig(width=32, layers=1, heads=2, hidden=48, text_width=WIDTH)).eval()
    torch.nn.init.normal_(network.write.weight, std=0.1)
    with torch.no_grad():
        assert torch.equal(network(x, t, text, words), network(x, t, text[..., :WIDTH], words))


def test_model_files_come_back_as_they_went(denoiser, tmp_path: Path):
    path = tmp_path / "m" / "denoiser.safetensors"
    mean = torch.randn(263)
    save_model(path, denoiser, {"name": "small", "fps": 20.0}, {"mean": mean}, torch.float32)
    file = load_model(path, Denoiser)
    assert file.meta == {"name": "small", "fps": 20.0} and torch.equal(file.tensors["mean"], mean)
    with torch.no_grad():
        assert torch.equal(file.network(*inputs()), denoiser(*inputs()))
    info = registry.model_info(registry.find_model(str(tmp_path / "m")))
    assert (info.name, info.fps, info.commercial) == ("m", 20.0, False)


@pytest.mark.parametrize("kind", [DenoiserConfig, LifterConfig])
@pytest.mark.parametrize("wrong", [{"heads": 5}, {"width": 30, "heads": 1}, {"layers": 0}, {"patch": -1}])
def test_sizes_that_no_network_can_have_are_refused(kind, wrong):
    with pytest.raises(UserError, match=r"heads|is -?\d+\."):
        kind(**wrong)


def _damaged(good: bytes):
    (length,) = struct.unpack("<Q", good[:8])
    header = json.loads(good[8 : 8 + length])
    config = json.loads(header["__metadata__"]["config"])

    def with_config(**changes) -> bytes:
        header["__metadata__"]["config"] = json.dumps(config | changes)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + good[8 + length :]

    yield "truncated", good[: len(good) // 2]
    yield "empty", b""
    yield "noise", bytes(range(256)) * 40
    yield "huge header", b"\xff" * 8 + good[8:]
    yield "another kind", with_config(kind="evaluator")
    yield "another version", with_config(version=99)
    yield "another network", with_config(kind="lifter")
    yield "other sizes", with_config(sizes=config["sizes"] | {"width": 64})
    yield "unknown sizes", with_config(sizes={"depth": 3})
    yield "impossible sizes", with_config(sizes=config["sizes"] | {"heads": 5})
    yield "not finite", good[:-4] + struct.pack("<f", float("nan"))


def test_damaged_model_files_are_refused_in_one_sentence(denoiser, tmp_path: Path):
    good = save_model(tmp_path / "good", denoiser, {}, dtype=torch.float32).read_bytes()
    for name, data in _damaged(good):
        path = tmp_path / "bad.safetensors"
        path.write_bytes(data)
        with pytest.raises(UserError) as caught:
            load_model(path, Denoiser)
        assert caught.value.code == "corrupt-model", name
        assert str(path) in caught.value.message and caught.value.advice, name
    with pytest.raises(UserError, match="no model file"):
        load_model(tmp_path / "missing", Denoiser)


def test_models_are_found_by_folder_and_by_name(denoiser, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("VIDEOMDM_MODELS", str(tmp_path))
    save_model(tmp_path / "mine" / "denoiser.safetensors", denoiser, {"max_seconds": 4})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "denoiser.safetensors").write_bytes(b"no")
    assert registry.find_model("mine") == tmp_path / "mine"
    names = [m.name for m in registry.available_models()]
    assert "mine" in names and "broken" not in names
    with pytest.raises(UserError, match="mine"):
        registry.find_model("nobody")


def test_a_new_lifter_places_people_in_front_of_the_camera():
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(2, 12, 22, 2, generator=generator) * 0.3 - 0.15
    weights = torch.ones(2, 12, 22)
    weights[0, 3:5] = 0  # unseen for two frames
    with torch.no_grad():
        lifted = network(keypoints, weights)
    assert lifted.joints.shape == (2, 12, 22, 3) and torch.isfinite(lifted.joints).all()
    assert (lifted.joints[:, :, 0, 2] > 0).all()
    assert torch.allclose(lifted.up.norm(dim=-1), torch.ones(2))
    assert (lifted.up[:, 1] < 0).all()  # up is against the image's y
    moved = keypoints + torch.where(weights[..., None] > 0, 0.0, 5.0)
    with torch.no_grad():
        assert torch.allclose(network(moved, weights).joints, lifted.joints, atol=1e-5)
