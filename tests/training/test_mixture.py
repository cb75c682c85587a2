# SPDX-License-Identifier: Apache-2.0
"""Several sources at once: packs and footage, their weights, and real cameras that a pack knows of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import look_at, project  # noqa: E402 (after the skip)
from videomdm.errors import UserError  # noqa: E402
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.motion.clip import Motion  # noqa: E402
from videomdm.motion.representation import decode  # noqa: E402
from videomdm_training import sources  # noqa: E402
from videomdm_training.captions import CaptionTable  # noqa: E402
from videomdm_training.datasets.pack import Pack, Segment  # noqa: E402
from videomdm_training.fit import FitConfig  # noqa: E402
from videomdm_training.mixture import DataSource, gather  # noqa: E402
from videomdm_training.teacher.supervision import SupervisionConfig, build_supervision  # noqa: E402
from videomdm_training.views import DetectorConfig  # noqa: E402

from .motions import person, write_pack  # noqa: E402
from .teacher.test_footage import filmed  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [("a.pack", "a.pack", 1.0), ("a.pack:2.5", "a.pack", 2.5), ("C:/data/a.pack", "C:/data/a.pack", 1.0)],
)
def test_sources_and_their_weights(text, path, weight):
    assert DataSource.parse(text) == DataSource(Path(path), weight)


@pytest.mark.parametrize("text", ["a.pack:0", "a.pack:-1", "a.pack:nan", "a.pack:inf"])
def test_weights_that_draw_nothing_are_refused(text):
    with pytest.raises(UserError, match="weight"):
        DataSource.parse(text)


@pytest.fixture(scope="module")
def lifter():
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()


def test_a_pack_and_footage_train_together(lifter, tmp_path):
    pack = write_pack(tmp_path / "set.pack")
    footage = tmp_path / "footage"
    footage.mkdir()
    for name in ("a", "b", "c"):
        filmed(person(60, walking=1.0)).save(footage / f"{name}.json")
    (footage / "captions.csv").write_text("file,caption,split\na,walks,\nb,strolls,\nc,runs,test\n")
    (footage / "lifted").mkdir()
    Motion(person(60, walking=1.0), 20.0).save(footage / "lifted" / "b.npz")
    words = CaptionTable()
    config = FitConfig(views=1, mirror=False)
    given = [DataSource(pack), DataSource(footage, 3.0)]
    mixture = gather(given, lifter, words, config, CPU, role="prior")
    assert mixture.credit == "made by formula"
    assert {"walks", "strolls"} <= set(words.texts) and "runs" not in words.texts
    data = mixture.training
    assert not data.has_truth and mixture.validation is not None and mixture.validation.has_truth
    from_footage = torch.tensor(
        [words.texts[i] in ("walks", "strolls") for i in data.captions[:, 0].tolist()]
    )
    assert int(from_footage.sum()) == 2
    drawn = data.clips.draw(10_000, torch.Generator().manual_seed(0))
    assert float(from_footage[drawn].float().mean()) == pytest.approx(0.75, abs=0.03)


def test_a_single_pack_is_looked_at_as_ever(lifter, tmp_path):
    pack = Pack.load(write_pack(tmp_path / "set.pack"))
    config = FitConfig(views=2)
    words, again = CaptionTable(), CaptionTable()
    mixed = gather([DataSource(tmp_path / "set.pack")], lifter, words, config, CPU).training
    alone = build_supervision(
        sources.source_clips(pack, pack.select("train"), again, True), lifter, CPU, views=2
    )
    assert all(torch.equal(mixed.clips.frames[n], alone.clips.frames[n]) for n in mixed.clips.frames)
    assert set(alone.clips.frames) - set(mixed.clips.frames) == {"truth"}  # which supervises nothing here
    assert torch.equal(mixed.clips.sorted_weights, alone.clips.sorted_weights)


def test_packs_without_captioned_training_segments_are_refused(lifter, tmp_path):
    walk = person(60, walking=1.0)
    segment = Segment("a", "a", 0, 60, "train", "teacher", (), "own", "a", "")
    Pack.save(tmp_path / "set.pack", {"a": walk}, [segment], {})
    with pytest.raises(UserError, match="no captioned segment"):
        gather([DataSource(tmp_path / "set.pack")], lifter, CaptionTable(), FitConfig(), CPU)
    pack = Pack.load(tmp_path / "set.pack")
    assert len(sources.position_clips(pack, pack.select("train", "teacher"), CPU)) == 1
    with pytest.raises(UserError, match="no such segment"):
        sources.position_clips(pack, pack.select("train", "prior"), CPU)


def test_real_cameras_of_a_pack_see_its_clips_and_their_mirror_images(lifter, tmp_path):
    walk = person(80, walking=1.0)
    camera = look_at(np.array([3.0, 1.5, 5.0]), np.array([0.0, 1.0, 1.5]))
    segment = Segment("a", "a", 20, 80, "train", "prior", ("walks left",), "own", "a", "")
    notes = {"cameras": {"a": [{"R": camera.R.tolist(), "t": camera.t.tolist()}]}}
    Pack.save(tmp_path / "set.pack", {"a": walk}, [segment], notes)
    pack = Pack.load(tmp_path / "set.pack")
    clips = sources.source_clips(pack, pack.select("train"), CaptionTable(), True)
    there = project(camera.to_camera(walk))[0][20:]
    known, quiet = SupervisionConfig(teacher="truth"), DetectorConfig(jitter=0.0, drift=0.0, dropout=0.0)
    data = build_supervision(clips, lifter, CPU, views=1, known=known, detector=quiet)
    seen = data.clips.batch(torch.tensor([0, 1])).frames["keypoints"].numpy()
    np.testing.assert_allclose(seen[0], there, atol=2e-3)
    np.testing.assert_allclose(seen[1, :, 0], there[:, 0] * [-1, 1], atol=2e-3)  # the pelvis, mirrored
    batch = data.clips.batch(torch.tensor([1]))
    again = data.camera(torch.tensor([1])).to_camera(decode(batch.frames["truth"].float()))
    assert float((project(again)[0] - batch.frames["keypoints"]).abs().max()) < 3e-3
