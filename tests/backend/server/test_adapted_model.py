# SPDX-License-Identifier: Apache-2.0
"""The server offers a fine-tuned model of the user's own beside its base, with its card, and runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from videomdm import protocol

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from tests.backend.conftest import Backend

WAIT = 60.0


def test_an_adapter_is_listed_with_its_card_and_runs(
    start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    from tests.support.models import small_model

    from videomdm.model.adapter import Adapter, AdapterConfig, save_adapter
    from videomdm.model.checkpoint import load_model
    from videomdm.model.denoiser import Denoiser
    from videomdm.model.registry import fingerprint
    from videomdm.model.transformer import hidden_matrices

    models = tmp_path / "models"  # of the user's data
    base = small_model(models / "small")
    network = load_model(base / "denoiser.safetensors", Denoiser).network
    adapter = Adapter({k: v.shape for k, v in hidden_matrices(network).items()}, AdapterConfig(4))
    for up in adapter.up.values():
        torch.nn.init.normal_(up, std=0.2)
    known = {"name": "small", "weights_sha256": fingerprint(base / "denoiser.safetensors")}
    facts = {"base": known, "licence": "LicenseRef-studio", "commercial": True}
    save_adapter(models / "mascot" / "adapter.safetensors", adapter, facts)
    (models / "mascot" / "CARD.md").write_text("# Mascot\n" + "é" * 5000, encoding="utf-8")
    options = ("--pipeline", "videomdm.pipeline:Pipeline", "--model", "small", "--device", "cpu")
    with start_backend(tmp_path, *options).client() as client:
        assert client.hello is not None
        offered = {model.name: model for model in client.hello.models}
        assert (offered["mascot"].base, offered["mascot"].licence) == ("small", "LicenseRef-studio")
        assert offered["mascot"].commercial and offered["mascot"].card.startswith("# Mascot\n")
        # in bytes, and no letter in half: a hundred models must fit into one header
        assert protocol.MAX_CARD - 2 < len(offered["mascot"].card.encode()) <= protocol.MAX_CARD
        assert (offered["small"].base, offered["small"].card) == ("", "")
        made = {
            name: client.generate(protocol.TextJob("a person walks", 1.0, steps=3, model=name), timeout=WAIT)[
                0
            ]
            for name in ("mascot", "small")
        }
    assert made["mascot"].provenance["model"] == "mascot"
    assert not np.allclose(made["mascot"].positions, made["small"].positions, atol=1e-3)
