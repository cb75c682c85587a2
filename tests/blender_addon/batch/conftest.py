# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig, clips, and a worker that misbehaves on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.actor import perform


@pytest.fixture(scope="session")
def hero(bpy: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .blend file with a character."""
    from videomdm_blender.mannequin.build import build_mannequin

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    build_mannequin(bpy.context.scene)
    path = tmp_path_factory.mktemp("rigs") / "hero.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


@pytest.fixture
def make_clips() -> Callable[..., list[Path]]:
    """Writes clips of half a second: ``make_clips(folder, "a", "b")``."""

    def make(folder: Path, *names: str) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            perform(0.5, turns=float(turns)).motion.save(folder / f"{name}.npz")
            for turns, name in zip(np.linspace(0.1, 0.5, len(names)), names, strict=True)
        ]

    return make


@pytest.fixture
def unruly(bpy: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that a worker can run and that does what a job says."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("SECRET_TOKEN", "not for workers")
    return "unruly"
