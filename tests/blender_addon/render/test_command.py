# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m videomdm_blender.render``: pictures of a clip from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def render(bpy: Any, tmp_path: Path) -> Any:
    """Runs the command in a folder of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "videomdm_blender.render", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_a_clip_becomes_pictures(render: Any, walk: Any, tmp_path: Path) -> None:
    walk.save(tmp_path / "walk.npz")
    done = render(
        "walk.npz", "--sheet", "a/walk.png", "--film", "a/walk.mp4", "--count", "2", "--size", "64", "48"
    )
    assert done.returncode == 0, done.stderr
    assert {item.name for item in (tmp_path / "a").iterdir()} == {"walk.png", "walk.mp4"}
    assert "Rendering the film" in done.stdout and "Saved" not in done.stdout + done.stderr


def test_mistakes_are_named(render: Any, tmp_path: Path) -> None:
    done = render("none.npz", "--sheet", "walk.png")
    assert done.returncode == 2 and "none.npz cannot be read" in done.stderr
    done = render("none.npz")
    assert done.returncode == 2 and "--sheet" in done.stderr
    assert list(tmp_path.iterdir()) == []
