# SPDX-License-Identifier: GPL-3.0-or-later
"""From the operator to the Action, with a real backend."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videomdm import limits, protocol
from videomdm.motion import Motion

PATIENCE = 60.0  # of a busy machine


@pytest.fixture
def jobs(connected: Any) -> Any:
    from videomdm_blender.generate import jobs

    return jobs


def ask(bpy: Any, prompt: str, **settings: Any) -> None:
    """Press Generate."""
    chosen = bpy.context.scene.videomdm
    chosen.prompt = prompt
    for name, value in {"seconds": 1.0, "steps": 3, **settings}.items():
        setattr(chosen, name, value)
    assert bpy.ops.videomdm.generate() == {"FINISHED"}


def finish(connected: Any, jobs: Any) -> Any:
    """Wait for the newest job."""
    job = jobs.desk.current
    assert connected.wait(lambda: job.ended, PATIENCE), job
    return job


def run_until_running(connected: Any, jobs: Any) -> Any:
    job = jobs.desk.current
    assert connected.wait(lambda: job.state is jobs.State.RUNNING and job.fraction > 0, PATIENCE), job
    return job


def snapshot(bpy: Any, armature: Any) -> tuple[object, ...]:
    """What a generation may not change when it fails."""
    return (
        [action.name for action in bpy.data.actions],
        armature.animation_data is None,
        [tuple(map(tuple, bone.matrix_basis)) for bone in armature.pose.bones],
        len(bpy.data.objects),
        bpy.context.scene.frame_current,
    )


def test_a_prompt_becomes_an_action(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    bpy.context.scene.frame_set(11)
    ask(bpy, "a person   walks\n on", seconds=2.0, random_seed=False, seed=7)
    job = finish(connected, jobs)
    assert job.error is None and job.state is jobs.State.DONE
    action = mannequin.animation_data.action
    assert action.name == job.action == "a person walks on"
    assert action.frame_range[0] == 11
    fps = bpy.context.scene.render.fps
    assert action.frame_range[1] == pytest.approx(11 + 2.0 * fps, abs=0.1 * fps)
    assert jobs.desk.takes[0].motion.provenance["seed"] == 7
    hips = mannequin.pose.bones["Hips"]
    bpy.context.scene.frame_set(11)
    start = np.array(mannequin.matrix_world @ hips.head)
    bpy.context.scene.frame_set(11 + fps)
    travelled = np.array(mannequin.matrix_world @ hips.head) - start
    assert -1.5 < travelled[1] < -0.9  # about 1.2 m in the first second, to the front


def test_progress_grows_and_names_the_stage(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    ask(bpy, "a person walks", steps=20)
    job = jobs.desk.current
    seen: list[float] = []
    stages: set[str] = set()

    def note() -> bool:
        seen.append(job.fraction)
        stages.add(job.stage)
        return bool(job.ended)

    assert connected.wait(note, PATIENCE)
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert sum(0 < fraction < 1 for fraction in seen) > 2
    assert any("of 20" in stage for stage in stages)


def test_one_undo_takes_the_take_back(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    name = mannequin.name
    bpy.ops.ed.undo_push(message="before")
    ask(bpy, "a person walks")
    finish(connected, jobs)
    assert len(bpy.data.actions) == 1
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == 0
    assert (
        bpy.data.objects[name].animation_data is None or bpy.data.objects[name].animation_data.action is None
    )
    bpy.ops.ed.redo()
    assert bpy.data.objects[name].animation_data.action.name == "a person walks"


def test_existing_animation_stays(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    bone = mannequin.pose.bones["Head"]
    bone.rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    bone.keyframe_insert("rotation_quaternion", frame=3)
    before = mannequin.animation_data.action
    ask(bpy, "a person walks")
    finish(connected, jobs)
    assert mannequin.animation_data.action is not before
    assert before.name in bpy.data.actions and before.users > 0
    assert tuple(before.frame_range) == (3, 3)


def test_all_takes_are_listed_and_can_be_applied_again(
    bpy: Any, mannequin: Any, connected: Any, jobs: Any
) -> None:
    ask(bpy, "a person walks", samples=3)
    finish(connected, jobs)
    assert len(jobs.desk.takes) == 3 and len(bpy.data.actions) == 1
    bpy.context.scene.frame_set(40)
    assert bpy.ops.videomdm.apply_take(index=2) == {"FINISHED"}
    assert len(bpy.data.actions) == 2
    assert mannequin.animation_data.action.frame_range[0] == 40
    with pytest.raises(RuntimeError, match="no such take"):
        bpy.ops.videomdm.apply_take(index=3)


def test_cancel_and_then_the_next_one_works(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    before = snapshot(bpy, mannequin)
    ask(bpy, "a slow walk")
    slow = run_until_running(connected, jobs)
    assert bpy.ops.videomdm.cancel() == {"FINISHED"}
    assert slow.state is jobs.State.CANCELLING
    ask(bpy, "a person walks")  # at once, while the other is still being cancelled
    job = finish(connected, jobs)
    assert connected.wait(lambda: slow.ended, PATIENCE)
    assert slow.state is jobs.State.CANCELLED and slow.takes == []
    assert job.state is jobs.State.DONE and job.action == "a person walks"
    assert [take.name for take in jobs.desk.takes] == ["a person walks"]
    assert before[0] == [] and [action.name for action in bpy.data.actions] == ["a person walks"]


def test_a_late_result_of_a_cancelled_job_is_dropped(
    bpy: Any, mannequin: Any, connected: Any, jobs: Any
) -> None:
    ask(bpy, "a slow walk")
    job = run_until_running(connected, jobs)
    jobs.cancel(job)
    assert connected.wait(lambda: job.ended, PATIENCE)
    still = np.zeros((20, 22, 3))
    jobs.hear(protocol.Result(job.id, [Motion(still)]))
    assert jobs.desk.takes == [] and len(bpy.data.actions) == 0


def test_what_the_model_refuses_is_said(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    before = snapshot(bpy, mannequin)
    ask(bpy, "refuse this")
    job = finish(connected, jobs)
    assert job.state is jobs.State.FAILED
    assert str(jobs.desk.error) == "The puppet refuses. Ask for something else."
    assert snapshot(bpy, mannequin) == before


def test_a_worker_that_dies_leaves_the_scene_as_it_was(
    bpy: Any, mannequin: Any, connected: Any, jobs: Any
) -> None:
    before = snapshot(bpy, mannequin)
    ask(bpy, "crash now")
    job = finish(connected, jobs)
    assert job.state is jobs.State.FAILED and "memory" in str(job.error)
    assert snapshot(bpy, mannequin) == before
    ask(bpy, "a person walks")
    assert finish(connected, jobs).state is jobs.State.DONE


def test_a_killed_backend_leaves_the_scene_as_it_was(
    bpy: Any, mannequin: Any, addon: None, serve_command: list[str], puppet_data: Path
) -> None:
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase
    from videomdm_blender.generate import jobs

    session = hub.start_backend(serve_command, puppet_data / "connection.json", puppet_data / "serve.log")
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    assert hub.hub.status.local
    before = snapshot(bpy, mannequin)
    ask(bpy, "a slow walk")
    job = run_until_running(hub, jobs)
    os.kill(session.backend.pid, signal.SIGKILL)
    assert hub.wait(lambda: job.ended, PATIENCE)
    assert job.state is jobs.State.FAILED
    assert "memory" in str(job.error) and "start it again" in str(job.error)
    assert hub.hub.status.phase is Phase.FAILED and hub.hub.session is None
    assert snapshot(bpy, mannequin) == before
    with pytest.raises(RuntimeError, match="no connection"):
        bpy.ops.videomdm.generate()


def test_a_restarted_backend_is_asked_again(
    bpy: Any,
    mannequin: Any,
    addon: None,
    start_puppet: Callable[[Path], subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase
    from videomdm_blender.generate import jobs

    process = start_puppet(tmp_path)
    hub.connect(tmp_path / "connection.json")
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    ask(bpy, "a person walks", steps=100)
    job = run_until_running(hub, jobs)
    process.kill()
    process.wait()
    assert hub.wait(lambda: hub.hub.status.phase is Phase.LOST, PATIENCE)
    assert "died" in str(hub.hub.status.error)
    assert not job.ended
    start_puppet(tmp_path)
    assert hub.wait(lambda: job.ended, PATIENCE)
    assert job.state is jobs.State.DONE and mannequin.animation_data.action.name == job.action


def test_cancel_without_a_backend_ends_the_job(
    bpy: Any,
    mannequin: Any,
    addon: None,
    start_puppet: Callable[[Path], subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase
    from videomdm_blender.generate import jobs

    process = start_puppet(tmp_path)
    hub.connect(tmp_path / "connection.json")
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    ask(bpy, "a slow walk")
    job = run_until_running(hub, jobs)
    process.kill()
    process.wait()
    assert hub.wait(lambda: hub.hub.status.phase is Phase.LOST, PATIENCE)
    bpy.ops.videomdm.cancel()
    assert job.state is jobs.State.CANCELLED
    hub.disconnect(wait=True)
    assert hub.wait(lambda: hub.hub.session is None, PATIENCE)


def test_without_an_armature_it_says_what_to_do(bpy: Any, connected: Any, jobs: Any) -> None:
    with pytest.raises(RuntimeError, match=r"No armature is active\. Select the armature"):
        bpy.ops.videomdm.generate()
    assert jobs.desk.running == []


def test_a_click_on_the_skin_means_its_armature(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    bpy.context.view_layer.objects.active = mannequin.children[0]
    ask(bpy, "a person walks")
    assert finish(connected, jobs).state is jobs.State.DONE
    assert mannequin.animation_data.action is not None


def test_a_deleted_armature_keeps_the_take(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    from videomdm_blender.mannequin.build import build_mannequin

    ask(bpy, "a person walks")
    bpy.data.objects.remove(mannequin)
    job = finish(connected, jobs)
    assert job.state is jobs.State.FAILED and "no longer in the scene" in str(job.error)
    assert len(jobs.desk.takes) == 1 and len(bpy.data.actions) == 0
    other = build_mannequin(bpy.context.scene, "Other")
    bpy.context.view_layer.objects.active = other
    assert bpy.ops.videomdm.apply_take() == {"FINISHED"}
    assert other.animation_data.action.name == "a person walks"


def test_another_file_keeps_the_take(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    ask(bpy, "a person walks", steps=20)
    job = run_until_running(connected, jobs)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert connected.wait(lambda: job.ended, PATIENCE)
    assert job.state is jobs.State.FAILED and "no longer in the scene" in str(job.error)
    assert len(jobs.desk.takes) == 1 and len(bpy.data.actions) == 0


def test_what_the_rig_hides_of_the_take_is_said(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    mannequin.data.pose_position = "REST"
    ask(bpy, "a person walks")
    assert finish(connected, jobs).state is jobs.State.DONE
    assert any("rest position" in note for note in jobs.desk.notes)
    mannequin.data.pose_position = "POSE"
    assert bpy.ops.videomdm.apply_take() == {"FINISHED"}
    assert not any("rest position" in note for note in jobs.desk.notes)


def test_a_renamed_armature_is_found(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    ask(bpy, "a person walks")
    mannequin.name = "Renamed"
    assert finish(connected, jobs).state is jobs.State.DONE


def test_a_take_waits_until_edit_mode_is_left(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    ask(bpy, "a person walks")
    bpy.ops.object.mode_set(mode="EDIT")
    job = jobs.desk.current
    assert connected.wait(lambda: job.state is jobs.State.ARRIVED, PATIENCE)
    connected.pump()
    assert job.state is jobs.State.ARRIVED and len(bpy.data.actions) == 0
    bpy.ops.object.mode_set(mode="OBJECT")
    assert finish(connected, jobs).state is jobs.State.DONE
    assert len(bpy.data.actions) == 1


def test_the_largest_seed_and_length_fit(bpy: Any, mannequin: Any, connected: Any, jobs: Any) -> None:
    chosen = bpy.context.scene.videomdm
    chosen.seed = 2**31 - 1
    assert chosen.seed == limits.MAX_SEED
    ask(bpy, "x" * 2000, random_seed=False, seconds=1000.0)
    job = finish(connected, jobs)
    assert job.state is jobs.State.DONE
    assert job.request.seed == limits.MAX_SEED and job.request.seconds == limits.MAX_SECONDS
    assert len(job.request.prompt) == limits.MAX_PROMPT_CHARACTERS


def test_random_seeds_differ_and_are_shown(
    bpy: Any, mannequin: Any, connected: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.randint", lambda low, high: high)  # the draw that must not overflow
    ask(bpy, "a person walks", random_seed=True)
    assert bpy.context.scene.videomdm.seed == limits.MAX_SEED
    assert finish(connected, jobs).request.seed == limits.MAX_SEED


def test_names_fit_blender_in_any_script(jobs: Any) -> None:
    assert jobs.take_name(" a  person\twalks ") == "a person walks"
    assert jobs.take_name("") == "VideoMDM"
    assert len(jobs.take_name("歩" * 100).encode()) <= 58
