# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender with the add-on, a mannequin, and a real backend in a process of its own.

The backend runs a pipeline of simple formulas (``support/puppet_pipeline.py``).  ``VIDEOMDM_BACKEND_PYTHON``
names the Python that runs it, for environments in which the server is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SUPPORT = Path(__file__).resolve().parent / "support"
BACKEND_PYTHON = os.environ.get("VIDEOMDM_BACKEND_PYTHON") or sys.executable
PATIENCE = 60.0  # of a busy machine


@pytest.fixture(scope="session")
def bpy() -> ModuleType:
    """Blender as a module; tests that ask for it skip where there is none."""
    return pytest.importorskip("bpy", reason="no Blender (bpy) in this environment")


@pytest.fixture
def scene(bpy: Any) -> Any:
    """An empty scene of a new file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return bpy.context.scene


@pytest.fixture
def addon(bpy: Any, scene: Any) -> Iterator[None]:
    """The add-on, registered for one test."""
    import videomdm_blender

    videomdm_blender.register()
    yield
    videomdm_blender.unregister()


@pytest.fixture
def mannequin(bpy: Any, scene: Any) -> Any:
    """The active armature object."""
    from videomdm_blender.mannequin.build import build_mannequin

    armature = build_mannequin(scene)
    bpy.context.view_layer.objects.active = armature
    return armature


@pytest.fixture(scope="session")
def walk() -> Any:
    """One second of the puppet's walk, a ``Motion``."""
    spec = importlib.util.spec_from_file_location("puppet_pipeline", SUPPORT / "puppet_pipeline.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module.walk(module.TextRequest("a person walks", seconds=1.0), 0)


@pytest.fixture(scope="session")
def puppet_environment() -> Callable[[Path], dict[str, str]]:
    """The environment variables that make ``videomdm serve`` run the puppet, its files in a folder."""

    def environment(folder: Path) -> dict[str, str]:
        paths = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "PYTHONPATH": os.pathsep.join(paths),
            "VIDEOMDM_PIPELINE": "puppet_pipeline:Pipeline",
            "VIDEOMDM_DATA": str(folder),
        }

    return environment


@pytest.fixture
def puppet_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, puppet_environment: Callable[[Path], dict[str, str]]
) -> Path:
    """This process's environment, so that a backend that it starts runs the puppet; its data folder."""
    for name, value in puppet_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="session")
def serve_command() -> list[str]:
    """What starts a backend."""
    return [BACKEND_PYTHON, "-m", "videomdm.cli", "serve"]


@pytest.fixture(scope="session")
def start_puppet(
    serve_command: list[str], puppet_environment: Callable[[Path], dict[str, str]]
) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Starts backends and waits until they are ready; their connection file is ``folder/connection.json``."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(folder: Path) -> subprocess.Popen[bytes]:
        file = folder / "connection.json"
        file.unlink(missing_ok=True)
        with (folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                serve_command, env=os.environ | puppet_environment(folder), stdout=log, stderr=log
            )
        processes.append(process)
        deadline = time.monotonic() + PATIENCE
        while not file.exists():
            assert process.poll() is None, (folder / "serve.log").read_text()
            assert time.monotonic() < deadline, "the backend is not ready"
            time.sleep(0.02)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="session")
def puppet(
    start_puppet: Callable[[Path], subprocess.Popen[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The connection file of one backend for all tests that leave it alive."""
    folder = tmp_path_factory.mktemp("puppet")
    start_puppet(folder)
    return folder / "connection.json"


@pytest.fixture
def connected(addon: None, puppet: Path) -> Any:
    """The add-on, connected to the puppet; yields the hub module."""
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase

    hub.connect(puppet)
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    return hub
