# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping files: saved, read, corrected by hand, refused when they do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.blender_addon.support.rigs import A_POSE, body

from videomdm.errors import UserError
from videomdm_blender.retarget.slots import SLOTS
from videomdm_blender.rigs import load_mapping, save_mapping


def changed(path: Path, **slots: Any) -> Path:
    content = json.loads(path.read_text())
    content["slots"] |= slots
    path.write_text(json.dumps(content))
    return path


def test_a_mapping_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    rest, mapping = body(A_POSE, twist=True)
    path = save_mapping(tmp_path / "mapping.json", replace(mapping, family=""))
    assert load_mapping(path, rest).slots == mapping.slots
    assert list(json.loads(path.read_text())["slots"]) == list(SLOTS)


def test_a_person_may_write_one_name_and_leave_parts_out(tmp_path: Path) -> None:
    rest, mapping = body(A_POSE)
    path = changed(
        save_mapping(tmp_path / "mapping.json", replace(mapping, family="")),
        head=mapping.first("head"),
        neck=[],
        left_hand=[],
    )
    read = load_mapping(path, rest)
    assert read.chain("head") == mapping.chain("head")
    assert read.chain("neck") == () and read.chain("left_hand") == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a mapping of version 1"),
        ('{"version": 2, "slots": {}}', "not a mapping of version 1"),
        ('{"version": 1, "slots": {"hips": 3}}', "not a list of names"),
        ('{"version": 1, "slots": {"hips": ["hips.0"]}}', "No bone is given for"),
        ('{"version": 1, "slots": {"hips": [], "hips": []}}', "'hips' comes twice"),
        ('{"version": 1, "family": "robot", "slots": {}}', "family 'robot', which is not known"),
        ('{"version": 1, "family": 3, "slots": {}}', "family 3, which is not known"),
        ("\udcff", "not valid JSON"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path: Path, content: str, words: str) -> None:
    rest, _ = body()
    path = tmp_path / "mapping.json"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(UserError, match=words) as caught:
        load_mapping(path, rest)
    assert caught.value.advice


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    rest, _ = body()
    with pytest.raises(UserError, match=r"nowhere\.json cannot be read"):
        load_mapping(tmp_path / "nowhere.json", rest)
