# SPDX-License-Identifier: GPL-3.0-or-later
"""The rigs that every claim about retargeting is tested on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.blender_addon.support.stage_rigs import (
    RIGIFY_FILES,
    OpenedRig,
    make_rigify,
    open_rigify,
    open_shared,
)


@pytest.fixture(scope="session")
def rigify_file(bpy: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Files with Rigify's rigs, each made once: ``rigify_file("human")``."""
    folder = tmp_path_factory.mktemp("rigify")

    def file(kind: str) -> Path:
        path = folder / f"{kind}.blend"
        return path if path.exists() else make_rigify(kind, path)

    return file


@pytest.fixture
def open_any(
    bpy: Any, request: pytest.FixtureRequest, rigify_file: Callable[[str], Path]
) -> Callable[[str], OpenedRig]:
    """Opens a rig of the shared data or one of Rigify's by name, in place of what is open."""

    def open_rig(name: str) -> OpenedRig:
        if name in RIGIFY_FILES:
            return open_rigify(rigify_file(RIGIFY_FILES[name][0]), name)
        return open_shared(request.getfixturevalue("shared_data") / "rigs", name)

    return open_rig
