# SPDX-License-Identifier: Apache-2.0
"""Adapters: merged exactly, found with their base by its weights, refused with a sentence when damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from tests.support.models import small_model  # noqa: E402 (after the skip)

from videomdm import cli  # noqa: E402
from videomdm.errors import UserError  # noqa: E402
from videomdm.model.adapter import (  # noqa: E402
    Adapter,
    AdapterConfig,
    load_adapter,
    load_denoiser,
    save_adapter,
)
from videomdm.model.checkpoint import load_model, save_model  # noqa: E402
from videomdm.model.denoiser import Denoiser  # noqa: E402
from videomdm.model.registry import available_models, base_of, find_model, fingerprint, model_info  # noqa: E402
from videomdm.model.transformer import hidden_matrices  # noqa: E402
from videomdm.pipeline import Pipeline, TextRequest  # noqa: E402


def adapter_for(base: Path, size: float = 0.1, rank: int = 4, alpha: float = 8.0) -> Adapter:
    network = load_model(base / "denoiser.safetensors", Denoiser).network
    torch.manual_seed(1)
    adapter = Adapter({k: v.shape for k, v in hidden_matrices(network).items()}, AdapterConfig(rank, alpha))
    for up in adapter.up.values():
        torch.nn.init.normal_(up, std=size)
    return adapter


def write(folder: Path, base: Path, adapter: Adapter, **facts: object) -> Path:
    meta = {
        "base": {"name": base.name, "weights_sha256": fingerprint(base / "denoiser.safetensors")},
        "licence": "CC0-1.0",
        "commercial": True,
        **facts,
    }
    return save_adapter(folder / "adapter.safetensors", adapter, meta)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models: a base and its adapter."""
    base = small_model(tmp_path / "models" / "small")
    write(tmp_path / "models" / "tuned", base, adapter_for(base))
    (tmp_path / "models" / "tuned" / "CARD.md").write_text("# tuned\n")
    monkeypatch.setenv("VIDEOMDM_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path / "data"))
    return tmp_path / "models"


def test_merging_adds_the_product_of_the_factors_and_touches_nothing_else(models):
    before = load_model(models / "small" / "denoiser.safetensors", Denoiser).network.state_dict()
    file = load_denoiser(models / "tuned")
    adapter, meta = load_adapter(models / "tuned" / "adapter.safetensors")
    after = file.network.state_dict()
    assert (
        len(adapter.names) == 7
    )  # of the one block: two of attention, three of cross-attention, two of the MLP
    for name, weight in before.items():
        if name in adapter.names:
            key = name.replace(".", "/")
            expected = weight + 8.0 / 4 * adapter.up[key] @ adapter.down[key]
            assert torch.allclose(after[name], expected, atol=1e-6) and not torch.equal(after[name], weight)
        else:
            assert torch.equal(after[name], weight), name
    assert meta["base"]["name"] == "small"
    assert file.meta["diffusion_steps"] == 50 and {"mean", "std"} <= file.tensors.keys()


def test_a_new_adapter_changes_nothing(models):
    base = models / "small"
    network = load_model(base / "denoiser.safetensors", Denoiser).network
    fresh = Adapter({k: v.shape for k, v in hidden_matrices(network).items()}, AdapterConfig())
    weights = network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in fresh.merged(weights).items())


def test_an_adapted_model_runs_lifts_and_is_listed(models):
    request = TextRequest("a person walks", seconds=1, steps=3)
    tuned, base = (Pipeline.load(name, "cpu") for name in ("tuned", "small"))
    assert not np.allclose(tuned.generate(request)[0].positions, base.generate(request)[0].positions)
    assert tuned.lifter is not None
    assert (tuned.info.name, tuned.info.base, base.info.base) == ("tuned", "small", "")
    assert tuned.info.card == str(models / "tuned" / "CARD.md")
    assert {"tuned", "small"} <= {info.name for info in available_models()}
    assert find_model(str(models / "tuned")) == models / "tuned"
    result = CliRunner().invoke(cli.main, ["models"])
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith("tuned"))
    assert row == ["tuned", "20", "10", "s", "humanml3d-22", "yes", "CC0-1.0", "small"]


def test_commercial_use_needs_the_permission_of_both(models):
    base = load_model(models / "small" / "denoiser.safetensors", Denoiser)
    adapter = adapter_for(models / "small")
    write(models / "closed", models / "small", adapter, commercial=False)
    assert not model_info(models / "closed").commercial
    assert model_info(models / "tuned").commercial
    save_model(
        models / "small" / "denoiser.safetensors",
        base.network,
        {**base.meta, "commercial": False},
        base.tensors,
    )
    assert not model_info(models / "tuned").commercial  # and other facts do not make it another base


def test_the_base_is_known_by_its_weights_not_by_its_name_or_place(models, tmp_path):
    shutil.move(models / "small", models / "renamed")
    assert base_of(models / "tuned") == models / "renamed"
    shutil.move(models / "tuned", tmp_path / "elsewhere")
    assert base_of(tmp_path / "elsewhere") == models / "renamed"
    assert Pipeline.load(str(tmp_path / "elsewhere"), "cpu").info.base == "renamed"


def test_without_its_base_an_adapter_is_refused_and_not_listed(models):
    other = load_model(models / "small" / "denoiser.safetensors", Denoiser)
    torch.nn.init.normal_(other.network.write.weight)
    save_model(models / "small" / "denoiser.safetensors", other.network, other.meta, other.tensors)
    with pytest.raises(UserError, match="adapts small, and those weights are not here") as caught:
        Pipeline.load("tuned", "cpu")
    assert caught.value.code == "missing-model"
    assert "tuned" not in {info.name for info in available_models()}


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "nan", "other", "shape", "nameless"])
def test_a_damaged_adapter_is_refused(models, damage):
    path = models / "tuned" / "adapter.safetensors"
    data = path.read_bytes()
    base = models / "small"
    if damage in ("cut", "noise", "empty"):
        path.write_bytes({"cut": data[: len(data) // 2], "noise": b"x" * 999, "empty": b""}[damage])
    elif damage == "other":
        path.write_bytes((base / "lifter.safetensors").read_bytes())
    elif damage == "nan":
        broken = adapter_for(base)
        torch.nn.init.constant_(broken.up["trunk/blocks/0/mlp/out/weight"], float("nan"))
        write(models / "tuned", base, broken)
    elif damage == "nameless":
        save_adapter(path, adapter_for(base), {"licence": "CC0-1.0"})
    else:
        shapes = {"trunk.blocks.0.attention.qkv.weight": torch.Size([96, 31])}
        write(models / "tuned", base, Adapter(shapes, AdapterConfig(4)))
    with pytest.raises(UserError) as caught:
        Pipeline.load("tuned", "cpu")
    assert caught.value.code == "corrupt-model" and caught.value.advice


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0.0}])
def test_sizes_that_cannot_work_are_refused(wrong):
    with pytest.raises(UserError):
        AdapterConfig(**wrong)
