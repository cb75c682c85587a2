# SPDX-License-Identifier: Apache-2.0
"""``videomdm train prepare`` with other sets than CMU: recognised, reported, refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from videomdm.errors import UserError
from videomdm_training import prepare as command
from videomdm_training.datasets.formats import detect
from videomdm_training.datasets.left_out import SHOWN, LeftOut
from videomdm_training.datasets.pack import Pack
from videomdm_training.prepare import prepare

from ..motions import person


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "HumanML3D"
    for name in ("new_joints", "texts"):
        (root / name).mkdir(parents=True)
    for name in ("000001", "000002"):
        np.save(root / "new_joints" / f"{name}.npy", person(40, walking=1.0))
        (root / "texts" / f"{name}.txt").write_text("a man walks.#a/DET#0.0#0.0\n")
    (root / "train.txt").write_text("000001\n000002\n000003\n")
    return root


@pytest.mark.parametrize("kind", ["auto", "humanml3d"])
def test_the_command_packs_and_reports(folder, tmp_path, kind):
    result = CliRunner().invoke(prepare, [str(folder), "-o", str(tmp_path / "set.pack"), "--format", kind])
    assert result.exit_code == 0, (result.output, result.exc_info)
    assert "2 takes" in result.output and "takes left out: 1" in result.output
    assert len(Pack.load(tmp_path / "set.pack").segments) == 2
    report = json.loads((tmp_path / "set.report.json").read_text())
    assert list(report["takes_left_out"]) == ["000003"]


def test_a_folder_of_another_kind_than_said_leaves_nothing(folder, tmp_path):
    for kind in ("fit3d", "amass", "points2d", "cmu"):
        before = set(tmp_path.iterdir())
        result = CliRunner().invoke(
            prepare, [str(folder), "-o", str(tmp_path / "set.pack"), "--format", kind]
        )
        assert isinstance(result.exception, UserError), kind
        assert set(tmp_path.iterdir()) == before, kind


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--caption", "he walks"), "--caption"),
        (("--jobs", "2", "--body-models", "."), "--body-models, --jobs"),
    ],
)
def test_options_that_say_nothing_to_a_data_set_are_refused(folder, tmp_path, more, named):
    result = CliRunner().invoke(prepare, [str(folder), "-o", str(tmp_path / "set.pack"), *more])
    assert isinstance(result.exception, UserError)
    assert f"humanml3d does not heed {named}." in result.exception.message
    assert not (tmp_path / "set.pack").exists()


def test_unknown_folders_are_refused_with_what_is_known(tmp_path):
    with pytest.raises(UserError, match="humanml3d"):
        detect(tmp_path)
    missing = CliRunner().invoke(prepare, [str(tmp_path / "gone"), "-o", str(tmp_path / "set.pack")])
    assert isinstance(missing.exception, UserError) and "no folder" in str(missing.exception)

    with pytest.raises(UserError, match=r"docs/datasets\.md"):
        detect(tmp_path)
    assert (
        (Path(__file__).parents[3] / "docs" / "datasets.md")
        .read_text()
        .startswith("# Data sets and teachers")
    )


@pytest.mark.parametrize("name", ["01_01.bvh", "bvh/01_01.bvh", "bvh.tar.xz"])
def test_takes_without_their_segments_are_told_so(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"no segments\.jsonl"):
        detect(tmp_path)


def test_a_folder_is_no_pack_and_that_is_said_before_any_work(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(command, "prepare_set", pytest.fail)
    result = CliRunner().invoke(prepare, [str(folder), "-o", str(out)])
    assert isinstance(result.exception, UserError) and "the pack is a file" in result.exception.message
    flat = CliRunner().invoke(prepare, [str(folder), "-o", str(out), "--format", "points2d"])
    assert isinstance(flat.exception, UserError) and "a new folder" in flat.exception.message
    assert set(tmp_path.iterdir()) == {folder, out} and not list(out.iterdir())


@pytest.mark.parametrize(("kind", "told"), [("humanml3d", "begins anew"), ("cmu", "goes on where")])
def test_an_interruption_says_what_the_same_command_does(folder, tmp_path, monkeypatch, kind, told):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "prepare_set", interrupted)
    monkeypatch.setattr(command, "prepare_pack", interrupted)
    result = CliRunner().invoke(prepare, [str(folder), "-o", str(tmp_path / "set.pack"), "--format", kind])
    assert result.exit_code != 0 and told in result.output and "same command" in result.output


def test_a_thousand_bad_files_are_reported_but_not_all_shouted(caplog):
    left_out = LeftOut()
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            left_out.add(f"{number:06d}", "it has no caption")
            left_out.add(f"{number:06d}", "a second reason")
    assert len(left_out) == 1000 and set(left_out.values()) == {"it has no caption"}
    assert len(caplog.records) == SHOWN + 1 and "000000 is left out" in caplog.text
