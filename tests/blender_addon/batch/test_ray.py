# SPDX-License-Identifier: GPL-3.0-or-later
"""``--engine ray`` on a cluster of this machine: the same files, and workers that die lose their own job."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videomdm.errors import UserError
from videomdm_blender.batch import ray_engine
from videomdm_blender.batch.schedule import Task

from .test_pool import alive, wait_for
from .test_verb import batch

ray = pytest.importorskip("ray", reason="Ray is not installed here: pip install 'videomdm[farm]'")


@pytest.fixture(scope="module")
def cluster(bpy: Any) -> Iterator[None]:
    """Two cores of Ray's counting, whose workers find the module ``unruly``."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=80 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
        )
    yield
    ray.shutdown()


def test_the_files_are_those_of_this_machines_workers(
    cluster: None, hero: Path, make_clips: Callable[..., list[Path]], tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    make_clips(clips, "a", "b")
    (tmp_path / "broken.fbx").write_bytes(b"nothing")
    found = {}
    for engine in ("ray", "local"):
        arguments = [clips, hero, tmp_path / "broken.fbx", "-o", tmp_path / engine, "--engine", engine]
        result = batch(*arguments, "--format", "bvh,glb", "--jobs", 2)
        assert result.exit_code == 1 and "2 done, 0 skipped, 2 failed" in result.output, result.output
        assert "Blender cannot read the rig" in result.output
        found[engine] = {path.name: path.read_bytes() for path in (tmp_path / engine / "hero").iterdir()}
    assert found["ray"] == found["local"] and set(found["ray"]) == {"a.bvh", "a.glb", "b.bvh", "b.glb"}

    (tmp_path / "broken.fbx").unlink()
    again = batch(clips, hero, "-o", tmp_path / "ray", "--engine", "ray", "--format", "bvh,glb")
    assert again.exit_code == 0 and "0 done, 2 skipped" in again.output
    entries = map(json.loads, (tmp_path / "ray" / "report.jsonl").read_text().splitlines())
    assert {entry["worker"] for entry in entries} <= {0, 1}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell who started whom")
def test_workers_that_die_lose_their_own_job(cluster: None, tmp_path: Path) -> None:
    """Once the worker is killed, once the actor of Ray beside it."""
    marks = [tmp_path / "worker", tmp_path / "actor"]

    def kill() -> None:
        for mark in marks:
            wait_for(lambda mark=mark: mark.exists() and mark.read_text())
            pid = int(mark.read_text())
            beside = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(pid if mark.name == "worker" else beside, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    tasks = [Task(mark.name, mark.name, {"do": "hang", "mark": str(mark)}) for mark in marks]
    tasks += [Task(kind, kind, {"do": kind}) for kind in ("work", "crash", "refuse")]
    answers = {task.key: answer for task, answer in ray_engine.run("unruly", tasks, 1, 60.0, tmp_path)}
    killer.join()
    codes = {key: answer["error"][2] for key, answer in answers.items() if "error" in answer}
    assert codes == {"worker": "crashed", "actor": "crashed", "crash": "crashed", "refuse": "teapot"}
    assert (
        "signal 9" in answers["worker"]["error"][0] and "Ray lost the worker" in answers["actor"]["error"][0]
    )
    assert answers["work"]["worker"] == 0 and "done" in answers["work"]


def test_leaving_early_ends_the_workers_in_the_middle_of_a_job(cluster: None, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tasks = [Task("a", "a", {"do": "work"}), Task("b", "b", {"do": "hang", "mark": str(mark)})]
    run = ray_engine.run("unruly", tasks, 1, 600.0, tmp_path)
    assert next(run)[0].key == "a"
    wait_for(lambda: mark.exists() and mark.read_text())
    run.close()  # type: ignore[attr-defined]
    wait_for(lambda: not alive(int(mark.read_text())))


def test_more_workers_than_places_do_not_hold_up_the_work(cluster: None, tmp_path: Path) -> None:
    tasks = [Task(str(number), str(number), {"do": "work"}) for number in range(4)]
    answers = [answer for _, answer in ray_engine.run("unruly", tasks, 4, 60.0, tmp_path)]
    assert len(answers) == 4 and len({answer["done"]["pid"] for answer in answers}) <= 2


def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ray.shutdown()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(UserError, match=r"The Ray cluster at 127\.0\.0\.1:\d+ cannot be used") as caught:
            next(ray_engine.run("unruly", [Task("a", "a", {"do": "work"})], 1, 60.0, tmp_path))
    assert "RAY_ADDRESS" in caught.value.advice
