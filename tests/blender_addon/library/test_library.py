# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes that the backend kept come back, to another Blender too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

PATIENCE = 60.0  # of a busy machine


def test_a_take_of_a_lost_session_comes_back(bpy: Any, mannequin: Any, connected: Any) -> None:
    from videomdm_blender.generate import jobs

    chosen = bpy.context.scene.videomdm
    chosen.prompt, chosen.seconds, chosen.steps, chosen.samples = "a kept walk", 1.0, 2, 2
    bpy.ops.videomdm.generate()
    made = jobs.desk.current
    assert connected.wait(lambda: made.ended, PATIENCE)
    jobs.desk.clear()  # as if Blender had crashed
    bpy.ops.videomdm.list_takes()
    assert connected.wait(lambda: bool(jobs.desk.stored), PATIENCE)
    newest = jobs.desk.stored[0]
    assert (newest.job, newest.caption, newest.samples) == (made.id, "a kept walk", 2)
    assert bpy.ops.videomdm.fetch_take(job=newest.job) == {"FINISHED"}
    fetched = jobs.desk.current
    assert connected.wait(lambda: fetched.ended, PATIENCE)
    assert fetched.state is jobs.State.DONE and fetched.error is None
    assert len(jobs.desk.takes) == 2 and len(bpy.data.actions) == 2
    assert mannequin.animation_data.action.name == fetched.action == "a kept walk.001"
    assert np.array_equal(fetched.takes[1].motion.positions, made.takes[1].motion.positions)


def test_what_is_not_in_the_library(bpy: Any, mannequin: Any, connected: Any) -> None:
    from videomdm import protocol
    from videomdm_blender.generate import jobs

    with pytest.raises(RuntimeError, match="no such take"):
        bpy.ops.videomdm.fetch_take(job="0" * 32)
    jobs.desk.stored.append(protocol.Take("0" * 32, 0.0, "base", "gone", 1, 20, 20.0))
    bpy.ops.videomdm.fetch_take(job="0" * 32)
    job = jobs.desk.current
    assert connected.wait(lambda: job.ended, PATIENCE)
    assert job.state is jobs.State.FAILED and "no such take" in str(job.error)


def test_nobody_to_ask(bpy: Any, addon: None) -> None:
    with pytest.raises(RuntimeError, match="no connection"):
        bpy.ops.videomdm.list_takes()
