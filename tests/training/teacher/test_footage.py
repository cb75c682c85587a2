# SPDX-License-Identifier: Apache-2.0
"""Training clips of footage: real keypoints, a lifted teacher, an estimated camera, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import look_at, project  # noqa: E402 (after the skip)
from videomdm.camera_fit import intrinsics_guess, to_pixels  # noqa: E402
from videomdm.errors import UserError  # noqa: E402
from videomdm.keypoints import Keypoints  # noqa: E402
from videomdm.keypoints.layout import COUNT, INDEX  # noqa: E402
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.motion.representation import decode  # noqa: E402
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS  # noqa: E402
from videomdm_training.captions import CaptionTable  # noqa: E402
from videomdm_training.datasets.footage import FootageClip, read_footage  # noqa: E402
from videomdm_training.datasets.left_out import LeftOut  # noqa: E402
from videomdm_training.teacher.footage import footage_supervision  # noqa: E402
from videomdm_training.teacher.imported import ImportedMotion  # noqa: E402
from videomdm_training.teacher.supervision import SupervisionConfig  # noqa: E402

from ..motions import person  # noqa: E402

CPU = torch.device("cpu")
CAMERA = look_at(np.array([3.0, 1.4, 5.0]), np.array([0.0, 1.0, 1.0]))


def filmed(motion, fps=20.0, unseen=(), camera=CAMERA):
    """Keypoints of a motion as the camera shows it, 640 x 480."""
    seen, _ = project(camera.to_camera(motion))
    pixels = to_pixels(seen, intrinsics_guess(640, 480))
    points, confidence = np.zeros((len(motion), COUNT, 2)), np.zeros((len(motion), COUNT))
    at = {name: pixels[:, joint] for joint, name in enumerate(JOINT_NAMES)}
    middle = (at["left_hip"] + at["right_hip"]) / 2
    at |= {f"{s}_hip": middle + (at[f"{s}_hip"] - middle) / 0.6 for s in ("left", "right")}
    at |= {f"{s}_ear": at["head"] for s in ("left", "right")}
    at |= {
        f"{s}_big_toe": at[f"{s}_ankle"] + (at[f"{s}_foot"] - at[f"{s}_ankle"]) / 0.85
        for s in ("left", "right")
    }
    for name in INDEX:
        if name in at:
            points[:, INDEX[name]], confidence[:, INDEX[name]] = at[name], 0.9
    confidence[list(unseen)] = 0
    return Keypoints(points, confidence, fps, 640, 480)


@pytest.fixture(scope="module")
def lifter():
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()


def error(data, index):
    """How far the teacher is seen from the keypoints, normalised."""
    batch = data.clips.batch(torch.tensor([index]))
    seen = data.camera(torch.tensor([index])).to_camera(decode(batch.frames["teacher"].float()))
    return (project(seen)[0] - batch.frames["keypoints"]).norm(dim=-1)[batch.frames["confidence"] > 0]


@pytest.mark.parametrize("cameras", ["true", "pnp"])
def test_the_camera_sees_the_teacher_where_the_person_was_filmed(lifter, cameras):
    clips = [FootageClip("a", filmed(person(50, walking=1.0)), ("walks", "strolls"))]
    words = CaptionTable()
    known = SupervisionConfig(cameras=cameras)
    data = footage_supervision(clips, lifter, words, CPU, known=known, mirror=True)
    assert len(data.clips) == 2 and not data.has_truth and data.clips.lengths.tolist() == [48, 48]
    assert words.texts == ["walks", "strolls"] and data.captions.tolist() == [[0, 1], [0, 1]]
    for index in (0, 1):
        assert float(error(data, index).median()) < 1e-3
        feet = decode(data.clips.batch(torch.tensor([index])).frames["teacher"].float())[0][
            :, [7, 8, 10, 11], 1
        ]
        assert abs(float(feet.amin(1).quantile(0.2))) < 2e-3  # half precision
    # the mirrored clip is the mirror image
    plain, mirrored = (data.clips.batch(torch.tensor([i])).frames["keypoints"][0] for i in (0, 1))
    left, right = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")
    torch.testing.assert_close(mirrored[:, left], plain[:, right] * torch.tensor([-1.0, 1.0]))


def test_the_fitted_teacher_has_bones(lifter):
    clips = [FootageClip("a", filmed(person(50, walking=1.0)), ("walks",))]
    drift = {}
    for teacher in ("lifted", "fitted"):
        known = SupervisionConfig(teacher=teacher)
        data = footage_supervision(clips, lifter, CaptionTable(), CPU, known=known, align=False)
        motion = decode(data.clips.batch(torch.tensor([0])).frames["teacher"].float())[0]
        drift[teacher] = float((motion[:, 1:] - motion[:, list(PARENTS[1:])]).norm(dim=-1).std(0).max())
    assert drift["fitted"] < 0.003 < drift["lifted"], drift


def test_long_footage_becomes_several_clips(lifter):
    clips = [FootageClip("a", filmed(np.tile(person(50, waving=0.4), (9, 1, 1))), ("waves to the left",))]
    words = CaptionTable()
    data = footage_supervision(clips, lifter, words, CPU, mirror=True)
    assert data.clips.lengths.tolist() == [200] * 6
    assert words.texts == ["waves to the left", "waves to the right"]
    assert sorted(data.captions[:, 0].tolist()) == [0, 0, 0, 1, 1, 1]


def test_what_another_tool_lifted_teaches_in_its_place(lifter):
    """A true motion, turned in a world of its own and at another rate: the fitted camera finds the filming one."""
    motion = person(72, walking=1.0).astype(np.float64)
    clip = FootageClip(
        "a", filmed(motion, unseen=range(10)), ("walks",)
    )  # the person enters half a second late
    data = footage_supervision(
        [clip], lifter, CaptionTable(), CPU, teachers={"a": ImportedMotion(motion, 20.0)}
    )
    assert data.clips.lengths.tolist() == [60]
    assert float(error(data, 0).median()) < 0.01
    teacher = decode(data.clips.batch(torch.tensor([0])).frames["teacher"].float())[0].numpy()
    pose = teacher - teacher[:, :1]
    assert np.abs(pose - (motion - motion[:, :1])[10:70]).mean() < 0.03
    seen = data.camera(torch.tensor([0])).to_camera(torch.from_numpy(teacher))[0].numpy()
    there = CAMERA.to_camera(motion)[10:70]
    assert np.abs(seen[:, 0, 2] - there[:, 0, 2]).mean() < 0.4  # metres of 5


def test_foreign_poses_about_the_root_are_put_where_the_keypoints_are(lifter):
    """What an image lifter gives: no path, camera axes.  A level camera shows it walking where it was filmed."""
    motion = person(60, walking=1.0).astype(np.float64)
    level = look_at(np.array([3.0, 1.0, 5.0]), np.array([0.0, 1.0, 1.0]))
    pose = level.to_camera(motion) * [1.0, -1.0, -1.0]
    pose = ImportedMotion(pose - pose[:, :1], 20.0, "camera", about_root=True)
    clip = FootageClip("a", filmed(motion, camera=level), ("walks",))
    data = footage_supervision([clip], lifter, CaptionTable(), CPU, teachers={"a": pose}, align=False)
    batch = data.clips.batch(torch.tensor([0]))
    teacher = decode(batch.frames["teacher"].float())[0].numpy()
    assert np.linalg.norm((teacher - teacher[:, :1]) - (motion - motion[:, :1]), axis=-1).mean() < 0.02
    # depth is smoothed in time, which shortens the ends of a way towards the camera
    assert np.linalg.norm(teacher[-1, 0] - teacher[0, 0]) == pytest.approx(2.95, abs=0.45)
    assert float(error(data, 0).median()) < 0.005


def test_unusable_clips_are_named_and_left_out(lifter):
    good = FootageClip("good", filmed(person(50, walking=1.0)), ("walks",))
    short = FootageClip("short", filmed(person(50)).part(0, 15), ("stands",))
    little = filmed(person(50))
    confidence = little.confidence.copy()
    confidence[5:, 6:] = 0
    little = FootageClip("little", Keypoints(little.points, confidence, 20.0, 640, 480), ("stands",))
    wrong = FootageClip("wrong", filmed(person(60, walking=1.0)), ("walks",))
    brief = FootageClip("brief", filmed(person(60, walking=1.0)), ("walks",))
    # a teacher upside down, and one that ends too soon
    upset = person(60, walking=1.0).astype(np.float64) * [1.0, -1.0, -1.0]
    teachers = {"wrong": ImportedMotion(upset[::-1] * 0.3, 20.0), "brief": ImportedMotion(upset[:30], 20.0)}
    left_out = LeftOut()
    data = footage_supervision(
        [good, short, little, wrong, brief], lifter, CaptionTable(), CPU, teachers=teachers, left_out=left_out
    )
    assert {"short", "little", "brief"} <= set(left_out) <= {"short", "little", "brief", "wrong"}
    assert len(data.clips) == 5 - len(left_out)
    assert "less than a second" in left_out["short"] and "few joints" in left_out["little"]
    assert "30 frames" in left_out["brief"]
    with pytest.raises(UserError, match="no clip"):
        footage_supervision([short], lifter, CaptionTable(), CPU)


# -- the folder --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c", "d"):
        filmed(person(40)).save(tmp_path / f"{name}.json")
    return tmp_path


def test_captions_come_from_the_table_and_from_text_files(folder):
    (folder / "captions.csv").write_text(
        'file,caption,split\na.json,"walks, then stops",\na,strolls,\nb,runs,val\n'
    )
    (folder / "c.txt").write_text("jumps\n\n  hops \n")
    left_out = LeftOut()
    clips = read_footage(folder, left_out)
    assert [(c.name, c.captions, c.split) for c in clips] == [
        ("a", ("walks, then stops", "strolls"), "train"),
        ("b", ("runs",), "val"),
        ("c", ("jumps", "hops"), "train"),
    ]
    assert list(left_out) == [str(folder / "d.json")] and "no caption" in left_out[str(folder / "d.json")]


def test_bad_files_are_named(folder):
    data = (folder / "a.json").read_bytes()
    (folder / "a.json").write_bytes(data[: len(data) // 2])
    (folder / "b.json").write_bytes(data.replace(b'"fps":20.0', b'"fps":NaN'))
    (folder / "c.json").write_bytes(data.replace(b"[[", b"[[[1.0,1.0],", 1))
    filmed(person(30), unseen=range(30)).save(folder / "e.json")
    (folder / "captions.csv").write_text(
        "file,caption\n" + "".join(f"{n},stands\n" for n in "abcde") + "gone,stands\nf, \n"
    )
    left_out = LeftOut()
    assert [clip.name for clip in read_footage(folder, left_out)] == ["d"]
    assert {name.removeprefix(str(folder)) for name in left_out} == {
        "/a.json", "/b.json", "/c.json", "/e.json", "/f.json", "/gone.json"
    }  # fmt: skip
    assert "No person" in left_out[str(folder / "e.json")] and "truncated" in left_out[str(folder / "a.json")]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,text\na,b\n", "columns"),
        ("file,caption,split\na,walks,dev\n", "Line 2"),
        ("file,caption,split\na,walks,val\na,strolls,test\n", "Line 3"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(folder, table, words):
    (folder / "captions.csv").write_text(table)
    with pytest.raises(UserError, match=words):
        read_footage(folder)


def test_folders_without_anything_usable_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="no caption"):
        read_footage(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no keypoints"):
        read_footage(tmp_path / "empty")
