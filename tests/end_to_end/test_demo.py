# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo from its command line to its files: a backend process, the add-on, the mannequin, the renderer."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="no Blender (bpy) here")
FILES = ("demo.glb", "demo.fbx", "demo.blend", "demo.png", "demo.mp4")


def demo(repository: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with the pipeline of formulas."""
    support = repository / "tests" / "blender_addon" / "support"
    paths = [str(support), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "VIDEOMDM_PIPELINE": "puppet_pipeline:Pipeline",
    }
    return subprocess.run(
        [sys.executable, "-m", "videomdm_blender.demo", "--out", str(out), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_a_prompt_becomes_a_film(repository: Path, tmp_path: Path) -> None:
    done = demo(repository, tmp_path, "--prompt", "a person walks", "--seconds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in FILES:
        assert (tmp_path / name).stat().st_size > 10_000, name
        assert str(tmp_path / name) in done.stdout
    assert (tmp_path / "demo.glb").read_bytes()[:4] == b"glTF"
    assert struct.unpack(">II", (tmp_path / "demo.png").read_bytes()[16:24])[0] == 4 * 320 + 3 * 4
    assert "Rendering the film" in done.stdout and "EGL" not in done.stdout + done.stderr
    assert {item.name for item in tmp_path.iterdir()} == {*FILES, "backend.log", "blender.log"}


def test_what_the_model_refuses_is_said(repository: Path, tmp_path: Path) -> None:
    done = demo(repository, tmp_path, "--prompt", "refuse this")
    assert done.returncode == 2
    assert "Error: The puppet refuses. Ask for something else." in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_options_are_refused_at_once(repository: Path, tmp_path: Path) -> None:
    done = demo(repository, tmp_path, "--seconds", "99")
    assert done.returncode == 2
    assert "Give a number from 0.5 to 10 seconds." in done.stderr
