# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar in a real Blender with a window, used with the mouse.

Set ``VIDEOMDM_BLENDER`` to the command that starts a Blender of 4.5 or later (``blender_chroot.sh`` makes one),
and have Xvfb installed.  ``VIDEOMDM_PICTURES`` names a folder that gets the pictures.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DRIVE = Path(__file__).with_name("drive.py")
PICTURES = ("1_off", "2_connected", "3_running", "4_refused", "5_done", "6_library", "7_preferences")


@pytest.fixture(scope="module")
def blender() -> list[str]:
    """The command that starts Blender."""
    command = shlex.split(os.environ.get("VIDEOMDM_BLENDER", ""))
    if not command:
        pytest.skip("VIDEOMDM_BLENDER names no Blender with a window")
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What Blender and this test share; under /tmp, which Blender in a chroot sees too."""
    shutil.copy2(DRIVE, tmp_path / "drive.py")
    return tmp_path


@pytest.fixture
def display(folder: Path) -> Iterator[str]:
    """An X server without a screen; its frame buffer is a file in the folder."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-fbdir", str(folder)],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture
def package(blender: list[str], repository: Path, folder: Path) -> Path:
    """The extension for Blender's Python."""
    code = "import sys; print('PYTHON', '.'.join(map(str, sys.version_info[:2])))"
    done = subprocess.run(
        [*blender, "--background", "--python-expr", code], capture_output=True, text=True, check=True
    )
    found = re.search(r"PYTHON (\S+)", done.stdout)
    assert found, done.stdout
    script = repository / "blender_addon" / "build_extension.py"
    subprocess.run(
        [sys.executable, str(script), "--python", found.group(1), "--out", str(folder)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.zip"))


def test_the_sidebar(blender: list[str], package: Path, display: str, puppet: Path, folder: Path) -> None:
    environment = os.environ | {"DISPLAY": display, "BLENDER_USER_RESOURCES": str(folder / "user")}
    environment.pop("PYTHONPATH", None)
    (folder / "plan.json").write_text(json.dumps({"connection_file": str(puppet)}))
    install = ["--command", "extension", "install-file", "-r", "user_default", "-e", str(package)]
    subprocess.run([*blender, *install], env=environment, check=True, timeout=100)
    drive = ["--enable-event-simulate", "--window-geometry", "0", "0", "1280", "900", "--python"]
    subprocess.run(
        [*blender, *drive, str(folder / "drive.py"), "--", str(folder)], env=environment, timeout=240
    )
    seen = json.loads((folder / "seen.json").read_text())
    assert seen == {"state": "DONE", "action": "a person walks forward", "undone": True}
    sizes = {name: (folder / f"{name}.png").stat().st_size for name in PICTURES}
    assert min(sizes.values()) > 20_000  # something was drawn
    assert len(set(sizes.values())) == len(PICTURES)  # and each step looks different
    if keep := os.environ.get("VIDEOMDM_PICTURES"):
        Path(keep).mkdir(parents=True, exist_ok=True)
        for name in PICTURES:
            shutil.copy2(folder / f"{name}.png", keep)
