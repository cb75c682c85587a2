# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm batch`` from end to end: real rigs, real workers, interrupted runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from .test_pool import alive, wait_for

Make = Callable[..., list[Path]]


def batch(*arguments: object) -> Result:
    """Run the verb in this process; its workers are processes of their own."""
    from videomdm_blender.batch.verb import batch as verb

    return CliRunner().invoke(verb, list(map(str, arguments)))


def report(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]


def test_a_bad_rig_fails_alone_and_what_is_done_is_skipped(
    hero: Path, make_clips: Make, tmp_path: Path
) -> None:
    clips, rigs, out = tmp_path / "clips", tmp_path / "rigs", tmp_path / "out"
    make_clips(clips, "a", "b")
    rigs.mkdir()
    shutil.copyfile(hero, rigs / "hero.blend")
    (rigs / "broken.fbx").write_bytes(b"Kaydara FBX Binary  \x00 and then nothing")

    told = batch(clips, rigs, "-o", out, "--format", "glb,bvh", "--jobs", 1, "--dry-run")
    assert told.exit_code == 0 and "4 of 4 jobs to do" in told.output and not out.exists()

    first = batch(clips, rigs, "-o", out, "--format", "glb,bvh", "--jobs", 1)
    assert first.exit_code == 1, first.output
    assert "2 done, 0 skipped, 2 failed" in first.output and "Blender cannot read the rig" in first.output
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert made == ["hero/a.bvh", "hero/a.glb", "hero/b.bvh", "hero/b.glb", "report.jsonl"]
    assert (out / "hero/a.glb").read_bytes()[:4] == b"glTF"
    assert {entry["status"] for entry in report(out)} == {"done", "failed"}

    make_clips(clips, "b")  # another motion under the same name
    before = (out / "hero/a.glb").stat().st_mtime_ns
    (rigs / "broken.fbx").unlink()
    (out / "hero/a.bvh").unlink()
    again = batch(clips, rigs, "-o", out, "--format", "glb,bvh", "--jobs", 1)
    assert again.exit_code == 0 and "2 done, 0 skipped" in again.output, again.output
    assert (out / "hero/a.glb").stat().st_mtime_ns > before
    last = batch(clips, rigs, "-o", out, "--format", "glb,bvh", "--jobs", 1)
    assert last.exit_code == 0 and "0 done, 2 skipped, 0 failed" in last.output


def test_a_killed_run_is_taken_up_again(hero: Path, make_clips: Make, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    make_clips(clips, *"abcdef")
    command = [sys.executable, "-c", "from videomdm_blender.batch.verb import batch; batch()"]
    arguments = [str(clips), str(hero), "-o", str(out), "--format", "blend", "--jobs", "1"]
    killed = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (out / "report.jsonl").exists() and len(report(out)) >= 2)
    workers = [int(pid) for pid in children(killed.pid)]
    killed.kill()
    killed.wait()
    assert killed.stdout is not None
    killed.stdout.close()
    wait_for(lambda: not any(alive(pid) for pid in workers))
    finished = len(report(out))
    assert 2 <= finished < 6

    again = batch(*arguments)
    assert again.exit_code == 0 and f"{6 - finished} done, {finished} skipped" in again.output, again.output
    assert len({entry["key"] for entry in report(out)}) == 6
    assert sorted(path.name for path in out.iterdir()) == ["hero", "report.jsonl"]


def children(pid: int) -> list[str]:
    """Processes that a process has started; none where the system does not tell."""
    tasks = Path(f"/proc/{pid}/task")
    return [word for path in tasks.glob("*/children") for word in path.read_text().split()]


def test_mistakes_are_named_before_anything_starts(tmp_path: Path) -> None:
    from videomdm.errors import UserError

    for arguments, words in (
        ((tmp_path, "-o", tmp_path / "out", "--shard", "3/2"), "no shard"),
        ((tmp_path, "-o", tmp_path / "out", "--format", "obj"), "no format"),
        ((tmp_path, "-o", tmp_path / "out"), "neither clips nor rigs"),
    ):
        result = batch(*arguments)
        assert isinstance(result.exception, UserError) and words in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_advice_is_to_install_it(hero: Path, make_clips: Make, tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", "a")
    result = batch(tmp_path / "clips", hero, "-o", tmp_path / "out", "--engine", "ray")
    assert "videomdm[farm]" in str(result.exception) and not (tmp_path / "out").exists()
