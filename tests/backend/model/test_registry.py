# SPDX-License-Identifier: Apache-2.0
"""Which models can be asked for by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from videomdm.model.registry import SHIPPED, available_models, find_model


def test_of_models_that_share_a_name_the_first_is_listed_as_it_is_the_one_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (SHIPPED / "base" / "denoiser.safetensors").is_file():
        pytest.skip("the base model is not part of this installation")
    shutil.copytree(SHIPPED / "base", tmp_path / "ours" / "base")
    monkeypatch.setenv("VIDEOMDM_MODELS", str(tmp_path / "ours"))
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path / "data"))
    assert find_model("base") == tmp_path / "ours" / "base"
    assert [info.card for info in available_models() if info.name == "base"] == [
        str(tmp_path / "ours" / "base" / "CARD.md")
    ]
