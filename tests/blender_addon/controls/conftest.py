# SPDX-License-Identifier: GPL-3.0-or-later
"""Control rigs to put takes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.blender_addon.support.stage_rigs import make_rigify


@pytest.fixture(scope="session")
def rigify_file(bpy: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Files with Rigify's rigs, each made once: ``rigify_file("human")``."""
    folder = tmp_path_factory.mktemp("rigify")

    def file(kind: str) -> Path:
        path = folder / f"{kind}.blend"
        return path if path.exists() else make_rigify(kind, path)

    return file


@pytest.fixture
def rigify(bpy: Any, rigify_file: Callable[[str], Path]) -> Any:
    """Rigify's basic human, generated; its meta-rig is in the file, too."""
    bpy.ops.wm.open_mainfile(filepath=str(rigify_file("basic_human")))
    bpy.context.view_layer.update()
    return bpy.data.objects["rig"]
