# SPDX-License-Identifier: Apache-2.0
"""A packed data set made by formula, and small models trained on it through the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from .motions import write_pack

Train = Callable[..., Result]
LIFTER_SIZES = ("sizes.width=32", "sizes.layers=1", "sizes.heads=2", "sizes.hidden=48")
SMALL = (
    *LIFTER_SIZES, "batch=8", "engine.accelerator=cpu", "engine.learning_rate=3e-3", "engine.warmup=5",
    "engine.log_every=2", "engine.save_every=5",
)  # fmt: skip


@pytest.fixture(scope="session")
def train() -> Train:
    """``videomdm train`` with its arguments; ``settings`` become ``--set``, and the exit status must be as said."""
    pytest.importorskip("torch")
    pytest.importorskip("lightning")
    from videomdm.cli import main
    from videomdm.errors import UserError
    from videomdm.model.text import find_weights

    try:
        find_weights()
    except UserError as error:
        pytest.skip(str(error))

    def run(*words: object, settings: tuple[str, ...] = (), status: int = 0) -> Result:
        overrides = [part for setting in settings for part in ("--set", setting)]
        result = CliRunner().invoke(main, ["train", *map(str, words), *overrides], catch_exceptions=True)
        assert result.exit_code == status, (result.output, result.exc_info)
        return result

    return run


@pytest.fixture(scope="session")
def pack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of walks and waves."""
    return write_pack(tmp_path_factory.mktemp("data") / "set.pack")


@pytest.fixture(scope="session")
def lifter_file(train: Train, pack_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lifter trained for a few steps."""
    folder = tmp_path_factory.mktemp("runs") / "lifter"
    train("lifter", pack_file, "-o", folder, settings=(*SMALL, "engine.steps=40", "crop=32"))
    return folder / "lifter.safetensors"


@pytest.fixture(scope="session")
def run_folder(
    train: Train, pack_file: Path, lifter_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run: the teacher's features first, then VideoMDM's losses with multistep denoising."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    settings = (*SMALL, "engine.steps=60", "loss.teacher_steps=30", "views=1")
    told = ("--licence", "CC0-1.0", "--commercial")
    result = train("fit", pack_file, "-o", folder, "--lifter", lifter_file, *told, settings=settings)
    assert "finished after step 60" in result.output
    return folder
