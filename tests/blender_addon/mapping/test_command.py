# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm mapping``: a table on the terminal, a file to correct and share, and the file used by ``retarget``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm_blender.mapping import command, headless
from videomdm_blender.mapping.table import table
from videomdm_blender.retarget import Mapping


@pytest.fixture
def hero(bpy: Any, mannequin: Any, tmp_path: Path) -> Path:
    """A file with the mannequin; its right toes have a name that says nothing."""
    mannequin.data.bones["RightToeBase"].name = "Bone.007"
    path = tmp_path / "hero.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command in this process, and what it prints."""
    monkeypatch.setattr(command, "ask", headless.perform)

    def in_process(*arguments: object) -> str:
        command.mapping.main(list(map(str, arguments)), standalone_mode=False)
        return capsys.readouterr().out

    return in_process


def test_the_table_shows_both_sides_beside_each_other() -> None:
    slots = {
        "hips": ("Hips",),
        "spine": ("Spine", "Spine1"),
        "left_upper_arm": ("LeftArm", "LeftArmTwist"),
        "right_upper_arm": ("RightArm",),
    }
    lines = table(Mapping(slots)).splitlines()
    assert lines[0] == "hips       Hips"
    assert lines[1] == "spine      Spine, Spine1"
    assert lines[2] == "neck       -"
    assert lines[4].split() == ["left", "right"]
    assert lines[6] == "upper arm  LeftArm, LeftArmTwist  RightArm"
    assert lines[7] == "forearm    -                      -"


def test_a_user_sees_saves_and_uses_a_mapping(hero: Path, tmp_path: Path) -> None:
    """As on a terminal, in processes of their own."""

    def videomdm(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "videomdm.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    file = tmp_path / "hero.json"
    done = videomdm("mapping", hero, "--save", file)
    assert done.returncode == 0, done.stderr
    assert "hero.blend, Mannequin: Mixamo, 21 of 26 bones" in done.stdout
    assert "toe        LeftToeBase   -" in done.stdout
    content = json.loads(file.read_text())
    content["slots"]["right_toe"] = ["Bone.007"]
    file.write_text(json.dumps(content))
    clip = perform(0.3).motion.save(tmp_path / "clip.npz")
    done = videomdm("retarget", clip, hero, "-o", tmp_path / "out.blend", "--mapping", file)
    assert done.returncode == 0, done.stderr
    assert "on 22 bones (mixamo)" in done.stdout
    content["slots"]["left_hand"], content["slots"]["right_hand"] = ["RightHand"], ["LeftHand"]
    file.write_text(json.dumps(content))
    done = videomdm("mapping", hero, "--load", file)
    assert done.returncode == 2
    assert "The left and the right hand have changed places." in done.stderr


def test_a_mapping_kept_with_the_rig_is_shown(
    bpy: Any, addon: None, hero: Path, run: Callable[..., str]
) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(hero))
    bpy.context.view_layer.objects.active = bpy.data.objects["Mannequin"]
    bpy.ops.videomdm.mapping_find()
    bpy.data.objects["Mannequin"].videomdm_mapping.right_toe_0 = "Bone.007"
    bpy.ops.wm.save_as_mainfile(filepath=str(hero))
    assert "toe        LeftToeBase   Bone.007" in run(hero)


def test_a_loaded_mapping_is_checked_and_shown(hero: Path, run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "hero.json"
    assert f"Saved to {file}." in run(hero, "--save", file)
    content = json.loads(file.read_text())
    content |= {"family": ""}
    content["slots"]["neck"] = []
    file.write_text(json.dumps(content))
    shown = run(hero, "--load", file)
    assert "Mannequin: by hand, 20 of 26 bones" in shown and "neck       -" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.blend",), "none.blend does not exist"),
        (("rig.obj",), "no kind of rig file"),
        (("hero.blend", "--load", "none.json"), "none.json does not exist"),
        (("hero.blend", "--load", "broken.json"), "not valid JSON"),
        (("hero.blend", "--armature", "Bob"), "no armature called 'Bob'"),
        (("hero.blend", "--save", "hero.blend/hero.json"), "cannot be written"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    hero: Path,
    run: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(hero.parent)
    Path("broken.json").write_text("{")
    before = sorted(hero.parent.iterdir())
    with pytest.raises(UserError, match=words) as caught:
        run(*arguments)
    assert caught.value.advice
    assert sorted(hero.parent.iterdir()) == before


def test_without_blender_the_advice_is_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rig.glb").write_bytes(b"")
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed"):
        command.mapping.main([str(tmp_path / "rig.glb")], standalone_mode=False)
