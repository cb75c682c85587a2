# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jobs there are, what they are called, and when they are done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from videomdm.errors import UserError
from videomdm_blender.batch.jobs import BatchJob, Hashes, collect, parse_formats
from videomdm_blender.batch.ledger import Ledger, is_done
from videomdm_blender.batch.run import plan
from videomdm_blender.batch.shard import Shard
from videomdm_blender.edit.settings import TakeSettings

DEFAULTS = BatchJob(clip=Path(), rig=Path(), formats=("glb",))
Make = Callable[..., list[Path]]


@pytest.fixture
def folders(tmp_path: Path, make_clips: Make) -> Path:
    """clips/{a,b}.npz, rigs/{hero.fbx,hero.glb,other/hero.glb}"""
    make_clips(tmp_path / "clips", "a", "b")
    for name in ("hero.fbx", "hero.glb", "other/hero.glb", ".hidden/x.glb", "notes.txt"):
        path = tmp_path / "rigs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_folders_are_every_clip_on_every_rig(folders: Path) -> None:
    jobs = collect([folders / "clips", folders / "rigs"], DEFAULTS, folders / "out")
    assert [job.name for job in jobs] == [
        f"{rig}/{clip}" for rig in ("hero_fbx", "rigs_hero_glb", "other_hero_glb") for clip in ("a", "b")
    ]
    assert jobs == collect([folders / "rigs", folders / "clips"], DEFAULTS, folders / "out")


def test_results_are_not_taken_for_rigs(folders: Path) -> None:
    out = folders / "rigs" / "made"
    out.mkdir()
    (out / "a.glb").write_text("a result")
    assert len(collect([folders / "clips", folders / "rigs"], DEFAULTS, out)) == 6


def test_a_list_has_settings_of_its_own_and_paths_beside_it(folders: Path) -> None:
    lines = [
        {
            "clip": "clips/a.npz",
            "rig": "rigs/hero.fbx",
            "name": "shots/010",
            "fps": 30,
            "formats": ["fbx", "usd"],
        },
        {
            "clip": "clips/b.npz",
            "rig": "rigs/hero.fbx",
            "controls": "ik",
            "settings": {"mirror": True, "blend_in": 1},
        },
    ]
    path = folders / "jobs.jsonl"
    path.write_text("\n".join([*map(json.dumps, lines), ""]))
    one, two = collect([path], replace(DEFAULTS, start_frame=101), folders / "out")
    assert one.clip == folders / "clips/a.npz" and one.start_frame == 101 and one.fps == 30
    assert one.outs(Path("out")) == [Path("out/shots/010.fbx"), Path("out/shots/010.usd")]
    assert (two.name, two.controls, two.formats) == ("hero/b", "ik", ("glb",))
    assert (one.settings.mirror, two.settings.mirror, two.settings.blend_in) == (False, True, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 2 of .*jobs.jsonl"),
        ("[]", "not an object"),
        ('{"clip": "a.npz"}', "no rig"),
        ('{"clip": "a.npz", "rig": "r.fbx", "frames": 1}', "unknown frames"),
        ('{"clip": "a.npz", "rig": "r.fbx", "fps": "30"}', "fps is '30'"),
        ('{"clip": "a.npz", "rig": "r.fbx", "start_frame": true}', "start_frame is True"),
        ('{"clip": "a.npz", "rig": "r.fbx", "name": "../r"}', "below the folder"),
        ('{"clip": "a.npz", "rig": "r.fbx", "controls": "xk"}', "xk"),
        ('{"clip": "a.npz", "rig": "r.fbx", "formats": ["obj"]}', "obj is no format"),
        ('{"clip": "a.npz", "rig": "r.fbx", "contact": "never"}', "contact is 'never'"),
        ('{"clip": "a.npz", "rig": "r.fbx", "settings": {"loops": 1}}', "unknown setting loops"),
        ('{"clip": "a.npz", "rig": "r.fbx", "settings": {"mirror": 1}}', "setting mirror is 1"),
        ('{"clip": "a.npz", "rig": "r.fbx", "settings": {"root": "tail"}}', "root cannot be 'tail'"),
        ('{"clip": "a.npz", "rig": "r.fbx", "settings": {"push_down": true}}', "cannot hold NLA"),
        ('{"clip": "b.npz", "rig": "r.fbx", "name": "same"}', "would both be written to"),
    ],
)
def test_bad_lists_are_refused_by_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"clip": "a.npz", "rig": "r.fbx", "name": "same"}\n' + line)
    with pytest.raises(UserError, match=words) as caught:
        collect([path], DEFAULTS, tmp_path)
    assert caught.value.advice


def test_sources_without_clips_or_rigs_are_refused(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for sources, words in (
        (["none"], "does not exist"),
        (["empty"], "neither clips nor rigs"),
        (["clips"], "no rigs"),
        (["rigs"], "no clips"),
    ):
        with pytest.raises(UserError, match=words):
            collect([folders / source for source in sources], DEFAULTS, tmp_path / "out")


def test_formats_and_shards_are_read() -> None:
    assert parse_formats("fbx, .GLB,fbx") == ("fbx", "glb")
    for text in ("", "obj,fbx"):
        with pytest.raises(UserError, match="no format"):
            parse_formats(text)
    for text in ("0/4", "5/4", "1-4", "a/b", "1/0"):
        with pytest.raises(UserError, match="no shard"):
            Shard.parse(text)


def test_shards_are_disjoint_and_make_up_the_whole() -> None:
    things = list(range(11))
    parts = [Shard.parse(f"{i}/4").part(things) for i in (1, 2, 3, 4)]
    assert sorted(thing for part in parts for thing in part) == things and {len(part) for part in parts} == {
        2,
        3,
    }


def test_a_job_is_known_by_contents_and_settings(folders: Path) -> None:
    job = replace(DEFAULTS, clip=folders / "clips/a.npz", rig=folders / "rigs/hero.fbx", name="x")
    key = Hashes().key(job)
    moved = folders / "moved" / "hero.fbx"
    moved.parent.mkdir()
    moved.write_bytes(job.rig.read_bytes())
    assert Hashes().key(replace(job, rig=moved)) == key
    changed = [
        replace(job, fps=30.0),
        replace(job, settings=TakeSettings(mirror=True)),
        replace(job, formats=("fbx",)),
    ]
    assert all(Hashes().key(other) != key for other in changed)
    job.rig.write_text("another rig")
    assert Hashes().key(job) != key


def test_the_ledger_survives_a_torn_line_and_lost_files(folders: Path) -> None:
    out = folders / "out"
    out.mkdir()
    jobs = collect([folders / "clips", folders / "rigs/hero.fbx"], DEFAULTS, out)
    one, two = plan(jobs, out, Shard())
    ledger = Ledger(out, Shard())
    ledger.note({"key": one.key, "status": "failed"})
    with ledger.path.open("a") as file:
        file.write('{"key": "torn')
    result = one.job.outs(out)[0]
    result.parent.mkdir(parents=True)
    result.write_text("whole")
    ledger.note({"key": one.key, "status": "done", "files": {"hero/a.glb": 5}})
    assert [entry.done for entry in plan(jobs, out, Shard())] == [True, False]
    assert [entry.done for entry in plan(jobs, out, Shard(1, 2))] == [True], "a shard reads all reports"
    assert not is_done(two.job, two.key, ledger.done(), out)
    result.write_text("cut")
    assert not plan(jobs, out, Shard())[0].done
