# SPDX-License-Identifier: Apache-2.0
"""What the model is trained on: the teacher's motion, and a camera that sees it where the keypoints are."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import project  # noqa: E402 (after the skip)
from videomdm.model.lifter import Lifter, LifterConfig  # noqa: E402
from videomdm.motion.representation import decode  # noqa: E402
from videomdm_training.teacher.supervision import SourceClip, build_supervision  # noqa: E402


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
