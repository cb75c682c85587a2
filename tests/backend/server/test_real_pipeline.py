# SPDX-License-Identifier: Apache-2.0
"""The wire around the product's own pipeline, with a small untrained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from videomdm import protocol
from videomdm.errors import Cancelled, UserError
from videomdm.motion.representation import decode

pytest.importorskip("torch")

if TYPE_CHECKING:
    from tests.backend.conftest import Backend

WAIT = 60.0


@pytest.fixture(scope="module")
def real(start_backend: Callable[..., Backend], tmp_path_factory: pytest.TempPathFactory) -> Backend:
    from tests.support.models import small_model

    folder = tmp_path_factory.mktemp("real")
    model = small_model(folder / "models" / "small")
    return start_backend(
        folder, "--pipeline", "videomdm.pipeline:Pipeline", "--model", str(model), "--device", "cpu"
    )


def test_a_prompt_becomes_motion(real: Backend) -> None:
    told: list[Any] = []
    with real.client() as client:
        assert client.hello is not None
        assert client.hello.default == "small" and client.hello.device == "CPU"
        assert client.hello.models[0].name == "small"
        job = protocol.TextJob("a person walks", 2.0, seed=3, steps=6, samples=2)
        motions = client.generate(job, on_event=told.append, timeout=WAIT)
        again = client.generate(
            protocol.TextJob("a person walks", 2.0, seed=3, steps=6, model="small"), timeout=WAIT
        )
    assert [len(motion) for motion in motions] == [40, 40]
    assert motions[0].features is not None
    np.testing.assert_allclose(decode(motions[0].features), motions[0].positions, atol=1e-3)
    np.testing.assert_allclose(again[0].positions, motions[0].positions, atol=1e-5)
    assert motions[0].caption == "a person walks"
    assert motions[0].provenance["model"] == "small"
    fractions = [event.fraction for event in told if isinstance(event, protocol.Progress)]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 6


def test_cancel_between_two_steps_and_go_on(real: Backend) -> None:
    with real.client() as client:
        job = protocol.TextJob("a person walks", 10.0, steps=50, samples=4)

        def stop(event: Any) -> None:
            if isinstance(event, protocol.Progress) and event.fraction > 0:
                client.cancel(job.job)

        with pytest.raises(Cancelled):
            client.generate(job, on_event=stop, timeout=WAIT)
        assert client.generate(protocol.TextJob("a person jumps", 1.0, steps=2), timeout=WAIT)


def test_keypoints_become_motion(real: Backend) -> None:
    rng = np.random.default_rng(0)
    points = (np.linspace(200, 500, 27)[None, :, None] + rng.normal(size=(50, 27, 2))).astype(np.float32)
    with real.client() as client:
        job = protocol.LiftJob(
            points, np.full((50, 27), 0.9, np.float32), 25.0, 1280, 720, "noise.mp4", steps=3
        )
        (motion,) = client.generate(job, timeout=WAIT)
        assert motion.fps == 20.0
        assert len(motion) == pytest.approx(40, abs=1)
        unseen = protocol.LiftJob(points, np.zeros((50, 27), np.float32), 25.0, 1280, 720, steps=3)
        with pytest.raises(UserError, match="person"):
            client.generate(unseen, timeout=WAIT)
