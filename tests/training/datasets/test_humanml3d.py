# SPDX-License-Identifier: Apache-2.0
"""HumanML3D directories: the published form, and what is wrong in one, by name."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion.representation import encode
from videomdm_training.datasets import humanml3d
from videomdm_training.datasets.formats import detect, prepare_set
from videomdm_training.datasets.left_out import LeftOut
from videomdm_training.datasets.pack import Pack
from videomdm_training.datasets.takes import Options

from ..motions import person

TEXTS = {
    "000001": "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe strolls.#he/PRON#nan#nan\n"
    "he stops.#he/PRON#1.5#3.0\n",
    "000002": "a person waves.#a/DET#0.0#0.0\n",
    "000003": "#a/DET#0.0#0.0\n",
    "000004": "a man sits.#a/DET#0.0#0.0\n",
    "000005": "a man runs.#a/DET#0.0#0.0\n",
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "HumanML3D"
    for name in ("new_joints", "new_joint_vecs", "texts"):
        (root / name).mkdir(parents=True)
    walk, wave = person(80, walking=1.0), person(50, waving=0.4)
    np.save(root / "new_joints" / "000001.npy", walk)
    np.save(root / "new_joints" / "M000001.npy", walk)
    np.save(root / "new_joint_vecs" / "000002.npy", encode(wave).astype(np.float32))
    for name in ("000003", "000004"):
        np.save(root / "new_joints" / f"{name}.npy", walk)
    broken = (root / "new_joints" / "000004.npy").read_bytes()
    (root / "new_joints" / "000004.npy").write_bytes(broken[: len(broken) // 2])
    np.save(root / "new_joints" / "000005.npy", np.where(np.arange(80)[:, None, None] == 9, np.nan, walk))
    for name, text in TEXTS.items():
        (root / "texts" / f"{name}.txt").write_text(text, encoding="utf-8")
    (root / "train.txt").write_text("000001\nM000001\n000003\n000004\n000005\n000006\n")
    (root / "test.txt").write_text("000002\n")
    (tmp_path / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/3/walk02_poses.npy,0,117,000001.npy\n"
    )
    return root


def test_clips_and_their_stretches_are_packed(folder, tmp_path):
    assert detect(folder) == "humanml3d"
    report = prepare_set("humanml3d", folder, tmp_path / "set.pack", Options())
    pack = Pack.load(tmp_path / "set.pack")
    assert set(pack.takes) == {"000001", "000002"}
    whole, stretch, wave = pack.segments
    assert whole.captions == ("a man walks.", "he strolls.") and len(whole) == 80
    assert stretch.captions == ("he stops.",) and (stretch.start_frame, stretch.end_frame) == (30, 60)
    assert whole.subject == "KIT/3" and whole.split == "train" and wave.split == "test"
    assert {s.humanml3d for s in pack.segments} == {"000001", "000002"}
    np.testing.assert_allclose(pack.clip(whole), person(80, walking=1.0), atol=6e-4)
    # made of features: what is lost is only where the clip starts
    np.testing.assert_allclose(pack.clip(wave), person(50, waving=0.4), atol=2e-3)
    assert report.segments == {"train/" + whole.role: 2, "test/prior": 1}
    assert set(report.takes_left_out) == {"000003", "000004", "000005", "000006"} | {
        str(folder / "texts" / "000003.txt") + ":1"
    }
    assert "no caption" in report.takes_left_out["000003"] and "NaN" in report.takes_left_out["000005"]
    assert "cannot be read" in report.takes_left_out["000004"]
    assert "left out: 5" in report.summary()


def test_the_lifter_sees_whole_subjects(folder):
    options = [Options(teacher_part=part) for part in (0.0, 1.0)]
    roles = [
        {s.role for t in humanml3d.read(folder, o, LeftOut()) for s in t.segments if s.split == "train"}
        for o in options
    ]
    assert roles == [{"prior"}, {"teacher"}]
    held_out = [
        s.role for t in humanml3d.read(folder, options[1], LeftOut()) for s in t.segments if s.split == "test"
    ]
    assert held_out == ["prior"]


def test_lists_that_contradict_each_other_are_refused(folder):
    (folder / "val.txt").write_text("000001\n")
    with pytest.raises(UserError, match=r"val\.txt names 000001"):
        humanml3d.read_splits(folder)
    for name in ("train", "val", "test"):
        (folder / f"{name}.txt").unlink()
    with pytest.raises(UserError, match=r"no train\.txt"):
        humanml3d.read_splits(folder)


def test_a_folder_of_which_nothing_is_usable_leaves_no_pack(folder, tmp_path):
    shutil.rmtree(folder / "new_joints")
    shutil.rmtree(folder / "new_joint_vecs")
    (folder / "new_joints").mkdir()
    with pytest.raises(UserError, match="neither joints nor features"):
        prepare_set("humanml3d", folder, tmp_path / "set.pack", Options())
    assert not (tmp_path / "set.pack").exists()


def test_the_published_files_are_read(shared_data, tmp_path):
    """One clip of the published set, once as joints and once as features."""
    published = shared_data / "humanml3d" / "HumanML3D"
    folder = tmp_path / "HumanML3D"
    (folder / "texts").mkdir(parents=True)
    shutil.copytree(published / "new_joints", folder / "new_joints")
    shutil.copytree(published / "new_joint_vecs", folder / "new_joint_vecs")
    sample = shared_data / "humanml3d" / "sample_000000"
    shutil.copy(sample / "new_joint_vecs" / "000000.npy", folder / "new_joint_vecs")
    shutil.copy(sample / "texts" / "000000.txt", folder / "texts")
    shutil.copy(sample / "texts" / "000000.txt", folder / "texts" / "012314.txt")
    shutil.copy(shared_data / "humanml3d" / "index.csv", folder)
    (folder / "train.txt").write_text("012314\n000000\n")
    takes = {take.name: take for take in humanml3d.read(folder, Options(), LeftOut())}
    assert set(takes) == {"012314", "000000"}
    segment = takes["000000"].segments[0]
    assert (
        segment.captions[0] == "a man kicks something or someone with his left leg." and not segment.suspect
    )
    assert segment.subject == "KIT/3"
    joints = np.load(sample / "new_joints" / "000000.npy")
    np.testing.assert_allclose(
        takes["000000"].positions[: len(joints)], joints[: len(takes["000000"].positions)], atol=1e-5
    )


@pytest.mark.parametrize(
    "stretch", ["-1#2.0", "0.0#inf", "inf#0.0", "3.0#1.0", "0.0#1e400", "0.0#1e308", "0.0"]
)
def test_a_stretch_that_is_none_costs_one_line(folder, tmp_path, stretch):
    (folder / "texts" / "000002.txt").write_text(
        f"she waves.#she/P#{stretch}\na person waves.#a/DET#0.0#0.0\n"
    )
    report = prepare_set("humanml3d", folder, tmp_path / "set.pack", Options())
    assert [s.captions for s in Pack.load(tmp_path / "set.pack").select("test")] == [("a person waves.",)]
    assert str(folder / "texts" / "000002.txt") + ":1" in report.takes_left_out


def _archive(file):
    with file.open("wb") as stream:
        np.savez(stream, motion=person(80))


def _half_an_archive(file):
    _archive(file)
    file.write_bytes(file.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (_archive, "cannot be read"),
        (_half_an_archive, "cannot be read"),
        (lambda file: np.save(file, np.full((80, 22, 3), "x")), "real numbers"),
        (lambda file: np.save(file, np.zeros((0, 22, 3))), "shape"),
        (lambda file: np.save(file, person(80) + 1e4), "from the origin"),
    ],
)
def test_one_bad_motion_is_named_and_the_others_are_packed(folder, tmp_path, write, reason):
    (folder / "train.txt").write_text("000001\n000003\n")
    write(folder / "new_joints" / "000001.npy")
    report = prepare_set("humanml3d", folder, tmp_path / "set.pack", Options())
    assert set(Pack.load(tmp_path / "set.pack").takes) == {"000002"}
    assert reason in report.takes_left_out["000001"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe0\x00", b"source_path,start_frame,end_frame,new_name\n./pose_data/a\n"]
)
def test_lists_and_indices_that_cannot_be_read_are_named(folder, content):
    with pytest.raises(UserError, match=r"index\.csv"):
        (folder.parent / "index.csv").write_bytes(content)
        list(humanml3d.read(folder, Options(), LeftOut()))
    (folder / "train.txt").write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(UserError, match=r"train\.txt cannot be read"):
        humanml3d.read_splits(folder)
