# SPDX-License-Identifier: Apache-2.0
"""What the model is trained on: the teacher's motion, and a camera that sees it where the keypoints are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.support.actor import perform  # noqa: E402 (after the skip)

from videomdm.camera import Camera, look_at, project  # noqa: E402
from videomdm.model.checkpoint import load_model  # noqa: E402
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.model.registry import find_model  # noqa: E402
from videomdm.motion.representation import decode  # noqa: E402
from videomdm.motion.skeleton import PARENTS  # noqa: E402
from videomdm_training.clips import Clips  # noqa: E402
from videomdm_training.teacher.supervision import (  # noqa: E402
    SourceClip,
    Supervision,
    SupervisionConfig,
    build_supervision,
)
from videomdm_training.views import DetectorConfig  # noqa: E402

from .motions import person  # noqa: E402


def clip(frames: int, seed: int) -> SourceClip:
    """A body of random proportions that turns and walks."""
    rng = np.random.default_rng(seed)
    body = np.stack([rng.uniform(-0.2, 0.2, 22), np.linspace(0.02, 1.6, 22), rng.uniform(-0.1, 0.1, 22)], -1)
    body[[1, 16], 0], body[[2, 17], 0] = 0.15, -0.15
    time = np.arange(frames)[:, None]
    path = np.concatenate([0.3 * np.sin(time / 20), 0 * time, 0.04 * time], -1)[:, None]
    return SourceClip(torch.tensor(body + path, dtype=torch.float32), (seed,), 1.0)


@pytest.mark.parametrize("align", [False, True])
def test_the_camera_sees_the_teachers_motion_where_the_person_was_seen(align):
    """Where the lifter put them, and where the keypoints are once the teacher is moved onto its rays."""
    torch.manual_seed(0)
    lifter = Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()
    sources = [clip(frames, seed) for seed, frames in enumerate((24, 40, 61))]
    data = build_supervision(sources, lifter, torch.device("cpu"), views=2, seed=3, align=align)
    assert len(data.clips) == 6 and data.clips.lengths.tolist() == [24, 40, 60] * 2
    assert data.captions[:, 0].tolist() == [0, 1, 2] * 2
    for index in range(6):
        batch = data.clips.batch(torch.tensor([index]))
        with torch.no_grad():
            lifted = lifter(batch.frames["keypoints"], batch.frames["confidence"])
        expected = batch.frames["keypoints"] if align else project(lifted.joints)[0]
        teacher = decode(batch.frames["teacher"].float())
        seen = data.camera(torch.tensor([index])).to_camera(teacher)
        apart = (project(seen)[0] - expected).norm(dim=-1)[batch.frames["confidence"] > 0]
        assert apart.median() < 0.01, index  # of a person 0.4 high: bfloat16 and half precision in between


def test_the_same_seed_gives_the_same_training_set():
    torch.manual_seed(0)
    lifter = Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()
    once, again = (build_supervision([clip(24, 0)], lifter, torch.device("cpu"), seed=5) for _ in range(2))
    other = build_supervision([clip(24, 0)], lifter, torch.device("cpu"), seed=6)
    assert torch.equal(once.clips.frames["keypoints"], again.clips.frames["keypoints"])
    assert not torch.equal(once.clips.frames["keypoints"], other.clips.frames["keypoints"])


@pytest.fixture(scope="module")
def lifter():
    torch.manual_seed(0)
    return Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)).eval()


def walks(count):
    return [
        SourceClip(torch.from_numpy(person(frames, walking=1.0, phase=frames / 10)), (index,), 1.0)
        for index, frames in enumerate(range(40, 40 + 8 * count, 8))
    ]


QUIET = DetectorConfig(jitter=0.0, drift=0.0, dropout=0.0)


def test_the_true_teacher_is_the_motion_itself(lifter):
    known = SupervisionConfig(teacher="truth")
    data = build_supervision(walks(2), lifter, torch.device("cpu"), views=1, known=known, detector=QUIET)
    assert torch.equal(data.clips.frames["teacher"][:, :67], data.clips.frames["truth"][:, :67])
    batch = data.clips.batch(torch.tensor([1]))
    seen = data.camera(torch.tensor([1])).to_camera(decode(batch.frames["truth"].float()))
    assert float((project(seen)[0] - batch.frames["keypoints"]).abs().max()) < 2e-3  # half precision


def test_the_fitted_teacher_is_a_body_where_the_person_was_seen():
    """Its bones keep their lengths, and its joints are nearer to the keypoints than the lifted ones."""
    lifter = load_model(find_model("base") / "lifter.safetensors", Lifter).network
    actor = SourceClip(torch.from_numpy(perform(2.0).motion.positions).float(), (0,), 1.0)
    off, drift = {}, {}
    for teacher in ("lifted", "fitted"):
        known = SupervisionConfig(teacher=teacher)
        detector = DetectorConfig(jitter=0.0)
        data = build_supervision(
            [actor], lifter, torch.device("cpu"), views=2, detector=detector, known=known, align=False
        )
        batch = data.clips.batch(torch.arange(2))
        motion = decode(batch.frames["teacher"].float())
        seen = data.camera(batch.index).to_camera(motion)
        apart = (project(seen)[0] - batch.frames["keypoints"]).norm(dim=-1) * seen[..., 2]
        off[teacher] = float(apart[batch.frames["confidence"] > 0].median())
        lengths = (motion[:, :, 1:] - motion[:, :, list(PARENTS[1:])]).norm(dim=-1)
        drift[teacher] = float(lengths.std(1).max())
    assert off["fitted"] < min(0.01, 0.5 * off["lifted"]), off
    assert drift["fitted"] < 0.003 < drift["lifted"], drift  # half precision


def test_fitted_cameras_find_the_true_ones_where_the_motion_is_true(lifter):
    looks = [
        build_supervision(
            walks(6), lifter, torch.device("cpu"), views=1, seed=2, detector=QUIET,
            known=SupervisionConfig(teacher="truth", cameras=cameras),
        ).cameras
        for cameras in ("true", "pnp")
    ]  # fmt: skip
    assert float((looks[0].centre - looks[1].centre).norm(dim=-1).max()) < 0.05
    assert float((looks[0].R - looks[1].R).abs().max()) < 0.01


def test_fitted_cameras_need_nothing_of_the_true_ones(lifter):
    """The lifted motion stands in its own level world, and the camera sees it where the keypoints are."""
    known = SupervisionConfig(cameras="pnp")
    data = build_supervision(
        walks(3), lifter, torch.device("cpu"), views=1, known=known, detector=QUIET, align=False
    )
    batch = data.clips.batch(torch.tensor([2]))
    teacher = decode(batch.frames["teacher"].float())
    seen = data.camera(torch.tensor([2])).to_camera(teacher)
    with torch.no_grad():
        lifted = lifter(batch.frames["keypoints"], batch.frames["confidence"])
    # an untrained lifter: its motion explains the keypoints badly, and the fitted camera no worse than its own
    own = (project(lifted.joints)[0] - batch.frames["keypoints"]).square().sum(-1).mean()
    assert float((project(seen)[0] - batch.frames["keypoints"]).square().sum(-1).mean()) < 1.2 * float(own)


def test_noisy_cameras_see_the_truth_beside_its_keypoints(lifter):
    off = []
    for degrees in (0.0, 3.0):
        known = SupervisionConfig(teacher="truth", cameras="noisy", camera_degrees=degrees, camera_shift=0.0)
        data = build_supervision(walks(6), lifter, torch.device("cpu"), views=1, known=known, detector=QUIET)
        batch = data.clips.batch(data.clips.order)
        seen = data.camera(data.clips.order).to_camera(decode(batch.frames["truth"].float()))
        apart = (project(seen)[0] - batch.frames["keypoints"]).norm(dim=-1)[batch.mask]
        off.append(float(apart.median()))
    assert off[0] < 1e-3 and 0.02 < off[1] < 0.15  # 3 degrees about each of two axes are 0.07


def test_seen_joints_can_count_alike(lifter):
    known = SupervisionConfig(confidence="seen")
    data = build_supervision(walks(2), lifter, torch.device("cpu"), views=1, known=known)
    assert set(data.clips.frames["confidence"].unique().tolist()) == {0.0, 1.0}


def test_real_cameras_are_looked_through_one_after_the_other(lifter):
    walk = walks(1)[0]
    cameras = [
        look_at(torch.tensor(place), torch.tensor([0.0, 1.0, 1.0]))
        for place in ([4.0, 1.5, 1.0], [0.0, 1.2, 6.0])
    ]
    real = Camera(torch.stack([c.R for c in cameras]), torch.stack([c.t for c in cameras]))
    known = SupervisionConfig(teacher="truth")
    data = build_supervision(
        [SourceClip(walk.positions, (0,), 1.0, real), walk], lifter, torch.device("cpu"), views=3, known=known,
        detector=QUIET,
    )  # fmt: skip
    # the synthetic view of the one clip comes before the three of the other
    for index, camera in zip((3, 4, 5), (0, 1, 0), strict=True):
        batch = data.clips.batch(torch.tensor([index]))
        there = project(cameras[camera].to_camera(walk.positions))[0]
        assert float((batch.frames["keypoints"][0] - there).abs().max()) < 1e-4
        seen = data.camera(torch.tensor([index])).to_camera(decode(batch.frames["truth"].float()))
        assert float((project(seen)[0][0] - there).abs().max()) < 2e-3


def test_joined_sets_are_drawn_by_their_weights(lifter):
    many = build_supervision(walks(12), lifter, torch.device("cpu"), views=1)
    few = build_supervision(
        [replace(c, captions=(50, 51)) for c in walks(3)], lifter, torch.device("cpu"), views=1
    )
    both = Supervision.join([(many, 1.0), (few, 3.0)])
    assert len(both.clips) == 15 and both.has_truth
    assert both.captions[0].tolist() == [0, 0] and both.captions[-1].tolist() == [50, 51]
    drawn = both.clips.draw(20_000, torch.Generator().manual_seed(0))
    assert float((drawn >= 12).float().mean()) == pytest.approx(0.75, abs=0.02)
    batch = both.clips.batch(torch.tensor([13]))
    assert torch.equal(batch.frames["keypoints"], few.clips.batch(torch.tensor([1])).frames["keypoints"])
    assert torch.equal(both.camera(torch.tensor([13])).R, few.camera(torch.tensor([1])).R)
    without = replace(
        few, clips=Clips({k: v for k, v in few.clips.frames.items() if k != "truth"}, few.clips.lengths)
    )
    assert not Supervision.join([(many, 1.0), (without, 1.0)]).has_truth
    with pytest.raises(ValueError, match="weights"):
        Supervision.join([(many, 0.0)])
