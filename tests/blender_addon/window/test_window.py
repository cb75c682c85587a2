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
PICTURES = (
    *("01_off", "02_connected", "03_running", "04_refused", "05_done", "06_settings", "07_applied"),
    *("08_mapping", "09_wrong_bone", "10_by_hand", "11_keypoints", "12_library", "13_preferences"),
)
REFUSALS = {
    "no backend": "no connection to a backend",
    "no armature": "No armature is active",
    "no footage": "Choose a video",
    "no take": "Apply a take first",
    "wrong bone": "more than one part",
}
LONGEST = 400  # seconds, of a busy machine
FAULT = re.compile(r"Traceback|uiItem|: not found")
SIZE = (1280, 1500)  # the whole sidebar


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
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "{}x{}x24".format(*SIZE), "-fbdir", str(folder)],
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


@pytest.mark.timeout(LONGEST + 200)
def test_the_sidebar(blender: list[str], package: Path, display: str, puppet: Path, folder: Path) -> None:
    environment = os.environ | {"DISPLAY": display, "BLENDER_USER_RESOURCES": str(folder / "user")}
    environment.pop("PYTHONPATH", None)
    (folder / "plan.json").write_text(json.dumps({"connection_file": str(puppet)}))
    install = ["--command", "extension", "install-file", "-r", "user_default", "-e", str(package)]
    subprocess.run([*blender, *install], env=environment, check=True, timeout=100)
    drive = ["--enable-event-simulate", "--window-geometry", "0", "0", *map(str, SIZE), "--python"]
    driven = subprocess.run(
        [*blender, *drive, str(folder / "drive.py"), "--", str(folder)],
        env=environment,
        timeout=LONGEST,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    seen = json.loads((folder / "seen.json").read_text())
    for what, words in REFUSALS.items():
        assert words in seen.pop(what)
    assert seen == {
        "end shown": True,
        "state": "DONE",
        "action": "a person walks forward",
        "pushed down": ["a person walks forward.003"],
        "actions": 4,
        "take undone": True,
        "undone": True,
        "bone undone": ["LeftHand"],
        "reset": True,
        "other side": ["RightHand"],
        "loaded": ["LeftHand"],
        "keypoints": ["ring keypoints", "POSE"],
        "clicked": "left_wrist",
        "dragged": 1,
        "ignored": 1,
        "trusted again": 1,
        "not dragged": True,
        "home": "Scene",
        "fetched": "a person walks forward",
    }
    assert not FAULT.search(driven.stdout), driven.stdout  # panels that cannot be drawn only say so there
    sizes = {name: (folder / f"{name}.png").stat().st_size for name in PICTURES}
    assert min(sizes.values()) > 20_000  # something was drawn
    assert len(set(sizes.values())) == len(PICTURES)  # and each step looks different
    if keep := os.environ.get("VIDEOMDM_PICTURES"):
        Path(keep).mkdir(parents=True, exist_ok=True)
        for name in PICTURES:
            shutil.copy2(folder / f"{name}.png", keep)
