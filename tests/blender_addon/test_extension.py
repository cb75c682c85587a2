# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension: its package is valid, holds what it should, and installs and works in Blender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import videomdm

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHERS = ("requests", "urllib3", "idna", "certifi", "charset_normalizer", "zstandard")  # Blender brings them
LARGEST = 8e6  # bytes; a package that grows beyond holds something that it should not

INSTALL = """
import json, os, sys, threading, time
import bpy
import addon_utils
addon_utils.enable("bl_pkg", default_set=True)
result = bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
name = "bl_ext.user_default.videomdm"
found = {"result": list(result), "enabled": name in bpy.context.preferences.addons}
import videomdm, videomdm_blender, msgspec, zmq
found["files"] = [module.__file__ for module in (videomdm, videomdm_blender, msgspec, zmq)]
found["panel"] = hasattr(bpy.types, "VIDEOMDM_PT_generate")
from videomdm_blender import preferences
from videomdm_blender.connection import hub
from videomdm_blender.generate import jobs
from videomdm_blender.mannequin.build import build_mannequin
found["user_folder"] = str(preferences.user_folder())
found["preferences"] = bpy.context.preferences.addons[name].preferences is not None
armature = build_mannequin(bpy.context.scene)
bpy.context.view_layer.objects.active = armature
bpy.context.preferences.addons[name].preferences.connection_file = sys.argv[2]
bpy.ops.videomdm.connect()
hub.wait(lambda: hub.hub.status.phase.name == "READY", 30)
bpy.ops.videomdm.generate()
hub.wait(lambda: jobs.desk.current.ended, 30)
found["state"] = jobs.desk.current.state.name
found["action"] = armature.animation_data.action.name
addon_utils.disable(name, default_set=True)
found["left"] = [name for name in dir(bpy.types) if name.startswith("VIDEOMDM_")]
print("FOUND" + json.dumps(found))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def package(bpy: Any, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this Python and platform, as the build script makes it."""
    out = tmp_path_factory.mktemp("dist")
    script = repository / "blender_addon" / "build_extension.py"
    done = subprocess.run(
        [sys.executable, str(script), "--python", PYTHON, "--out", str(out)], capture_output=True, text=True
    )
    if "Could not find a version" in done.stderr or "No matching distribution" in done.stderr:
        pytest.skip("the wheels that the extension bundles cannot be fetched here")
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.zip")
    return made


def test_the_version_is_one(repository: Path) -> None:
    text = (repository / "blender_addon" / "videomdm_blender" / "blender_manifest.toml").read_text()
    manifest = tomllib.loads(text)
    assert manifest["version"] == videomdm.__version__
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert set(manifest["permissions"]) == {"network", "files"}
    assert all(0 < len(reason) <= 64 for reason in manifest["permissions"].values())


def test_the_package_holds_what_it_should(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert {name for name in names if "/" not in name} == {"blender_manifest.toml", "__init__.py", "LICENSE"}
    wheels = sorted(name.partition("/")[2].partition("-")[0] for name in names if name.startswith("wheels/"))
    assert wheels == ["array_api_compat", "msgspec", "pyzmq", "videomdm"]
    assert sorted(manifest["wheels"]) == sorted(f"./{name}" for name in names if name.endswith(".whl"))
    assert len(manifest["platforms"]) == 1
    expected = ("4.5.0", "5.1.0") if PYTHON == "3.11" else ("5.1.0", None)
    assert (manifest["blender_version_min"], manifest.get("blender_version_max")) == expected
    assert package.stat().st_size < LARGEST


def test_the_models_weights_stay_out(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        (wheel,) = [name for name in archive.namelist() if "/videomdm-" in name]
        archive.extract(wheel, tmp_path)
    with zipfile.ZipFile(tmp_path / wheel) as inner:
        names = inner.namelist()
    assert not [name for name in names if name.endswith((".safetensors", ".pt", ".ckpt"))]
    assert {"videomdm/client/link.py", "videomdm_blender/registration.py"} <= set(names)


def test_it_installs_and_works_in_blender(package: Path, puppet: Path, tmp_path: Path) -> None:
    """In a Blender that knows neither this repository nor this environment's packages, NumPy and bpy aside."""
    import numpy

    site = tmp_path / "site"
    site.mkdir()
    packages = Path(numpy.__file__).parents[1]
    for name in ("bpy", "numpy", "numpy.libs", *OTHERS):
        if (packages / name).exists():
            (site / name).symlink_to(packages / name)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIDEOMDM"))
    }
    environment |= {"PYTHONPATH": str(site), "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", INSTALL, str(package), str(puppet)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert lines, done.stdout + done.stderr
    found = json.loads(lines[0].removeprefix("FOUND"))
    assert found["result"] == ["FINISHED"] and found["enabled"] and found["panel"] and found["preferences"]
    user = str(tmp_path / "user")
    assert all(file.startswith(user) for file in found["files"]), found["files"]
    assert found["user_folder"].startswith(user)
    assert found["state"] == "DONE" and found["action"] == "a person walks forward"
    assert found["left"] == []
