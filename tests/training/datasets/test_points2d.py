# SPDX-License-Identifier: Apache-2.0
"""2D-only sets: the NBA form and others become folders of keypoint files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.keypoints.joints import to_joints
from videomdm.keypoints.layout import INDEX
from videomdm.motion.skeleton import JOINT_NAMES
from videomdm_training.datasets.footage import is_footage, read_footage
from videomdm_training.datasets.formats import detect, prepare_set
from videomdm_training.datasets.points2d import NBA, to_keypoints
from videomdm_training.datasets.takes import Options

from ..motions import person


def nba(frames=120):
    """(T, 16, 3) the person from the front in the set's units, about the hips, y up, with confidence."""
    walk = person(frames, waving=0.4)
    middle = (walk[:, 1] + walk[:, 2]) / 2
    at = {name: (walk[:, JOINT_NAMES.index(name)] - middle) * 2 for name in JOINT_NAMES}
    at |= {"mid_hip": 0 * middle, "nose": at["head"], "head_top": at["head"] + [0, 0.4, 0]}
    xy = np.stack([at[name][:, :2] for name in NBA.points], axis=1)
    return np.concatenate([xy, np.full((frames, 16, 1), 0.9)], axis=-1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nba" / "motions").mkdir(parents=True)
    for number in range(11):
        np.save(tmp_path / "nba" / "motions" / f"{number:02d}.npy", nba())
    return tmp_path / "nba"


def test_the_nba_form_becomes_footage(folder, tmp_path):
    assert detect(folder) == "points2d"
    values = nba()
    values[:, 3, 2] = 0.2  # the right ankle, less sure than the set's threshold
    np.save(folder / "motions" / "01.npy", values)
    out = tmp_path / "pack"
    report = prepare_set("points2d", folder, out, Options(caption="a person plays basketball"))
    assert report.takes == 11 and not report.takes_left_out and is_footage(out)
    with pytest.raises(UserError, match="no preparing"):
        detect(out)
    clips = read_footage(out)
    assert [clip.split for clip in clips].count("train") == 9
    assert (clips[4].split, clips[9].split) == ("val", "test")
    clip = clips[1]
    assert clip.captions == ("a person plays basketball",) and clip.keypoints.fps == 60
    assert not clip.keypoints.confidence[:, INDEX["right_ankle"]].any()
    assert clip.keypoints.confidence[:, INDEX["left_ankle"]].min() > 0.8
    assert not clip.keypoints.confidence[:, INDEX["left_ear"]].any()  # not in the set: unseen
    xy, weight = to_joints(clip.keypoints)
    left, head, foot = (JOINT_NAMES.index(name) for name in ("left_ankle", "neck", "left_foot"))
    assert (xy[:, left, 1] > xy[:, head, 1] + 100).all()  # y is down in images
    assert not weight[:, foot].any()


def test_a_layout_names_other_points_in_pixels(tmp_path):
    source = tmp_path / "set"
    source.mkdir()
    (source / "layout.json").write_text(
        json.dumps({"points": ["nose", "", "left_wrist"], "fps": 25, "width": 640, "height": 480})
    )
    (source / "captions.csv").write_text("file,caption,split\na,somebody waves,val\nb,,\n")
    xy = np.random.default_rng(0).uniform(100, 300, (50, 3, 2))
    np.save(source / "a.npy", xy)
    np.save(source / "b.npy", xy)
    report = prepare_set("points2d", source, tmp_path / "out", Options())
    (clip,) = read_footage(tmp_path / "out")
    assert (clip.keypoints.width, clip.split, clip.captions) == (640, "val", ("somebody waves",))
    np.testing.assert_allclose(clip.keypoints.points[:, INDEX["left_wrist"]], xy[:, 2], atol=0.01)
    assert list(report.takes_left_out) == [str(source / "b.npy")]


def test_bad_arrays_are_named_and_left_out(folder, tmp_path):
    motions = folder / "motions"
    nan = nba()
    nan[4, 4, 0] = np.nan
    np.save(motions / "00.npy", nan)
    np.save(motions / "01.npy", nba()[:, :13])
    np.save(motions / "02.npy", nba(30))
    data = (motions / "03.npy").read_bytes()
    (motions / "03.npy").write_bytes(data[: len(data) // 2])
    np.save(motions / "04.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    report = prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays"))
    reasons = {name[-6:]: reason for name, reason in report.takes_left_out.items()}
    assert report.takes == 6 and set(reasons) == {f"{n:02d}.npy" for n in range(5)}
    assert (
        "NaN" in reasons["00.npy"] and "(120, 13, 3)" in reasons["01.npy"] and "second" in reasons["02.npy"]
    )
    assert "readable" in reasons["03.npy"] and "readable" in reasons["04.npy"]


def _with(point):
    values = nba()
    values[5, 3] = point
    return values


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (_with([np.nan, 0.0, NBA.threshold]), "NaN"),
        (_with([0.0, 0.0, np.inf]), "NaN"),
        (_with([1e300, 0.0, 0.9]), "infinite"),
        (np.full((120, 16, 3), "x"), "real numbers"),
        (nba() * [1, 1, 0], "No person"),
        (np.zeros((0, 16, 3)), "second"),
    ],
)
def test_one_bad_array_is_named_and_the_others_are_written(folder, tmp_path, values, reason):
    np.save(folder / "motions" / "07.npy", values)
    report = prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays"))
    assert report.takes == len(read_footage(tmp_path / "out")) == 10
    assert [name[-6:] for name in report.takes_left_out] == ["07.npy"]
    assert reason in next(iter(report.takes_left_out.values()))


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_archives_that_are_called_arrays_are_left_out(folder, tmp_path, part):
    np.savez(tmp_path / "x.npz", a=nba())
    data = (tmp_path / "x.npz").read_bytes()
    (folder / "motions" / "07.npy").write_bytes(data[: int(part * len(data))])
    report = prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays"))
    assert report.takes == 10 and [name[-6:] for name in report.takes_left_out] == ["07.npy"]


def test_nan_where_nothing_is_seen_does_no_harm(folder, tmp_path):
    np.save(folder / "motions" / "07.npy", _with([np.nan, np.nan, NBA.threshold - 1e-6]))
    assert prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays")).takes == 11


def test_people_of_the_nba_set_are_as_large_as_its_camera_saw_them(tmp_path):
    """MAS stores X / (Z + 7) * 7 / 0.75; the rays of the keypoints are X / (Z + 7)."""
    bodies = np.random.default_rng(0).uniform([-1, -1, 6], [1, 1, 8], (60, 16, 3))
    seen = bodies[..., :2] / bodies[..., 2:]
    np.save(tmp_path / "a.npy", np.concatenate([seen * 7 / 0.75, np.ones((60, 16, 1))], axis=-1))
    keypoints = to_keypoints(tmp_path / "a.npy", None)
    rays = (keypoints.points - [500, 500]) / keypoints.provenance["focal_length"] * [1, -1]
    named = [INDEX[name] for name in NBA.points]
    np.testing.assert_allclose(rays[:, named], seen, atol=1e-5)


def test_a_set_of_one_clip_has_something_to_train_on(folder, tmp_path):
    for file in sorted((folder / "motions").iterdir())[1:]:
        file.unlink()
    prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays"))
    assert [clip.split for clip in read_footage(tmp_path / "out")] == ["train"]


@pytest.mark.parametrize(
    "layout",
    [
        "{",
        '{"points": ["nose"], "fps": 30}',
        '{"points": ["nose"], "fps": 30, "width": 9, "height": 9, "distance": 2}',
        '{"points": ["snout"], "fps": 30, "width": 9, "height": 9}',
        '{"points": ["nose"], "fps": 30, "width": 9, "height": 9, "colour": "red"}',
        '{"points": ["nose"], "fps": 0.5, "width": 9, "height": 9}',
        '{"points": ["nose"], "fps": 30, "width": 9, "height": 40000}',
    ],
)
def test_layouts_that_say_too_little_are_refused_and_nothing_is_written(folder, tmp_path, layout):
    (folder / "layout.json").write_text(layout)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="layout"):
        prepare_set("points2d", folder, tmp_path / "out", Options(caption="he plays"))
    assert sorted(tmp_path.iterdir()) == before


def test_clips_without_words_make_no_set(folder, tmp_path):
    with pytest.raises(UserError, match="no caption"):
        prepare_set("points2d", folder, tmp_path / "out", Options())
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists"):
        prepare_set("points2d", folder, tmp_path / "there", Options(caption="x"))


JHMDB = (
    "shoulder_centre", "", "nose", "right_shoulder", "left_shoulder", "right_hip", "left_hip", "right_elbow",
    "left_elbow", "right_knee", "left_knee", "right_wrist", "left_wrist", "right_ankle", "left_ankle",
)  # fmt: skip


def test_people_in_real_videos_become_training_clips(shared_data, tmp_path):
    """J-HMDB: 15 joints by hand, from videos of a second or so, through the shipped lifter."""
    torch = pytest.importorskip("torch")
    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter
    from videomdm.model.registry import find_model
    from videomdm.motion.representation import decode
    from videomdm_training.captions import CaptionTable
    from videomdm_training.teacher.footage import footage_supervision

    with np.load(shared_data / "keypoints2d" / "jhmdb.npz") as archive:
        points, lengths = archive["test_keypoints"].astype(np.float64), archive["test_lengths"]
        labels = archive["test_labels"]
    source = tmp_path / "jhmdb"
    source.mkdir()
    (source / "layout.json").write_text(json.dumps({"points": JHMDB, "fps": 30, "width": 640, "height": 480}))
    rows = ["file,caption,split"]
    for number, clip in enumerate(np.split(points, np.cumsum(lengths)[:-1])[:60]):
        np.save(source / f"{number:03d}.npy", 350 * clip + [320, 240])
        rows.append(f"{number:03d},a person does {labels[number]},train")
    (source / "captions.csv").write_text("\n".join(rows))
    report = prepare_set("points2d", source, tmp_path / "out", Options())
    assert set(report.takes_left_out.values()) <= {"it is shorter than a second"}
    assert report.takes + len(report.takes_left_out) == 60 and report.takes > 30
    lifter = load_model(find_model("base") / "lifter.safetensors", Lifter).network
    clips = read_footage(tmp_path / "out")
    data = footage_supervision(clips, lifter, CaptionTable(), torch.device("cpu"))
    assert len(data.clips) >= 0.9 * len(clips)
    batch = data.clips.batch(data.clips.order)
    height = decode(batch.frames["teacher"].float())[..., 1][batch.mask]
    tall = (height.amax(-1) - height.amin(-1)).median()
    assert 1.1 < float(tall) < 1.8  # metres; people sit and bend, too
