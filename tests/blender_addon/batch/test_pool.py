# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that die, hang and stumble lose their own job and nothing else.  Real processes with a real Blender."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from videomdm_blender.batch import pool
from videomdm_blender.batch.process import Seat, environment
from videomdm_blender.batch.schedule import Task

PATIENCE = 180.0


def alive(pid: int) -> bool:
    """Whether a process is there and is no corpse that waits for its parent."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Any) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_every_job_gets_its_own_answer(unruly: str, tmp_path: Path) -> None:
    kinds = ["work", "crash", "work", "hang", "refuse", "stumble", "work"]
    tasks = [Task(str(number), f"rig {number}", {"do": kind}) for number, kind in enumerate(kinds)]
    answers = {task.key: answer for task, answer in pool.run(unruly, tasks, 1, 2.0, tmp_path)}
    assert len(answers) == len(kinds)
    pids = [answers[key]["done"]["pid"] for key in "026"]
    assert len(set(pids)) == 3, "crash and hang cost a worker each, refusals do not"
    errors = [answers[key]["error"] for key in "1345"]
    assert [code for *_, code in errors] == ["crashed", "crashed", "teapot", "internal"]
    assert "signal 6" in errors[0][0] or os.name == "nt"
    assert "did not finish within 2 s" in errors[1][0]
    assert "IndexError: list index out of range" in errors[3][0]
    assert "test_pool" not in str(answers) and "SECRET_TOKEN" not in answers["0"]["done"]["variables"]
    assert not any(alive(pid) for pid in pids)
    starts = [answers[key]["start_seconds"] > 0.1 for key in map(str, range(7))]
    assert starts == [True, False, True, False, True, False, False], (
        "a job does not answer for Blender's start"
    )
    log = (tmp_path / "worker-0" / "log.txt").read_text()
    assert "Blender prints what it likes" in log and "and so do its importers" in log


def test_a_rig_that_always_crashes_is_given_up(
    unruly: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MOST_CRASHES", 2)
    tasks = [Task(str(number), "bad rig", {"do": "crash"}) for number in range(4)]
    codes = [answer["error"][2] for _, answer in pool.run(unruly, tasks, 1, 30.0, tmp_path)]
    assert codes == ["crashed"] * 2 + ["not-tried"] * 2


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_worker_that_is_killed_loses_only_its_job(unruly: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def kill() -> None:
        wait_for(lambda: mark.exists() and mark.read_text())
        os.kill(int(mark.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    tasks = [Task("a", "a", {"do": "hang", "mark": str(mark)}), Task("b", "b", {"do": "work"})]
    answers = {task.key: answer for task, answer in pool.run(unruly, tasks, 1, 60.0, tmp_path)}
    killer.join()
    assert "signal 9" in answers["a"]["error"][0] and "done" in answers["b"]


def test_leaving_early_ends_the_workers(unruly: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tasks = [Task("a", "a", {"do": "work"}), Task("b", "b", {"do": "hang", "mark": str(mark)})]
    run = pool.run(unruly, tasks, 1, 60.0, tmp_path)
    assert next(run)[0].key == "a"
    wait_for(lambda: mark.exists() and mark.read_text())
    pid = int(mark.read_text())
    assert alive(pid)
    run.close()  # type: ignore[attr-defined]
    assert not alive(pid)


def test_a_worker_sees_a_clean_environment(tmp_path: Path) -> None:
    variables = environment(tmp_path, {"PATH": "/bin", "BLENDER_USER_SCRIPTS": "/mine", "TOKEN": "x"})
    assert variables["PATH"] == "/bin" and not {"BLENDER_USER_SCRIPTS", "TOKEN"} & variables.keys()
    assert variables["TMPDIR"].startswith(str(tmp_path))


def test_leaving_while_a_worker_starts_does_not_wait_for_its_job(unruly: str, tmp_path: Path) -> None:
    seat = Seat(unruly, tmp_path)
    seat.close()
    answer = seat.perform({"do": "hang"}, 60.0)
    assert answer["error"][2] == "crashed" and answer["seconds"] < 30.0
