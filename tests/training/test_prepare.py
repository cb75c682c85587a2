# SPDX-License-Identifier: Apache-2.0
"""`videomdm train prepare` on a few real takes: the pack, the report, interruptions and faults."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from videomdm.errors import UserError
from videomdm_training.datasets.pack import Pack
from videomdm_training.prepare import prepare, prepare_pack

TAKES = 6


@pytest.fixture(scope="module")
def originals(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first takes of the archive as files."""
    folder = tmp_path_factory.mktemp("takes")
    with tarfile.open(shared_data / "cmu" / "bvh.tar.xz", "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and member.name.endswith(".bvh"):
                (folder / Path(member.name).name).write_bytes(content.read())
                if len(list(folder.iterdir())) == TAKES:
                    break
    return folder


@pytest.fixture
def source(originals: Path, shared_data: Path, tmp_path: Path) -> Path:
    """A source with those takes and all their segments; its files may be changed."""
    folder = tmp_path / "source"
    folder.mkdir()
    names = set()
    for take in originals.iterdir():
        (folder / take.name).write_bytes(take.read_bytes())
        names.add(take.stem)
    lines = (shared_data / "cmu" / "segments.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["clip"] in names]
    assert kept
    (folder / "segments.jsonl").write_text("\n".join(kept))
    return folder


def edit_segments(source: Path, change) -> None:
    path = source / "segments.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps(row) for row in change(rows)))


def test_the_command_packs_and_reports(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.pack"
    result = CliRunner().invoke(prepare, [str(source), "-o", str(out), "--jobs", "2"])
    assert result.exit_code == 0, result.output
    pack = Pack.load(out)
    rows = [json.loads(line) for line in (source / "segments.jsonl").read_text().splitlines()]
    assert [segment.id for segment in pack.segments] == [row["segment"] for row in rows]
    for segment, row in zip(pack.segments, rows, strict=True):
        assert segment.captions == tuple(row["captions"])
        assert segment.start_frame == pytest.approx(row["start"] * 20, abs=0.51)
        assert segment.end_frame == pytest.approx(row["end"] * 20, abs=1.51)
        assert bool(segment.suspect) >= bool(row.get("suspect"))
        assert np.isfinite(pack.clip(segment)).all()
    for rows_of_take in pack.takes.values():
        first = pack.positions[rows_of_take][0]
        np.testing.assert_allclose(first[0, ::2], 0.0, atol=1e-3)
        assert first[1, 0] + first[16, 0] > first[2, 0] + first[17, 0]  # left is +X
    report = json.loads((tmp_path / "set.report.json").read_text())
    assert report["takes"] == len(pack.takes)
    assert sum(report["segments"].values()) == len(pack.segments)
    assert f"{len(pack.takes)} takes" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.pack", "set.report.json", "source"]


def test_what_cannot_be_used_is_left_out_and_named(source: Path, tmp_path: Path) -> None:
    takes = sorted(path.stem for path in source.glob("*.bvh"))
    broken, unnamed, absent, jumpy = takes[:4]
    (source / f"{broken}.bvh").write_text("HIERARCHY\nROOT hip")
    (source / f"{absent}.bvh").unlink()
    text = (source / f"{jumpy}.bvh").read_text().splitlines()
    text[-20] = "9999 " + text[-20].split(" ", 1)[1]  # the root flies off for a frame
    (source / f"{jumpy}.bvh").write_text("\n".join(text))

    def change(rows: list[dict]) -> list[dict]:
        rows = [row for row in rows if row["clip"] != unnamed]
        last = max((row for row in rows if row["clip"] == takes[-1]), key=lambda row: row["end"])
        return [*rows, last | {"segment": "short", "start": last["end"] - 0.3}]

    edit_segments(source, change)
    report = prepare_pack(source, tmp_path / "set.pack", jobs=1)
    pack = Pack.load(tmp_path / "set.pack")
    assert not {broken, unnamed, absent} & set(pack.takes)
    assert "no MOTION" in report.takes_left_out[broken]
    assert report.takes_left_out[unnamed] == "no segment names it"
    assert report.takes_left_out[absent] == "the source has no such take"
    assert "shorter" in report.segments_left_out["short"]
    assert any(key.startswith(broken) for key in report.segments_left_out)
    flagged = [key for key in report.segments_suspect if key.startswith(jumpy)]
    assert flagged
    assert not {segment.id for segment in pack.select()} & set(flagged)
    assert "segments left out" in report.summary()


def test_an_interrupted_run_goes_on_where_it_stopped(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.pack"
    takes = sorted(source.glob("*.bvh"))
    archive = source / "bvh.tar.xz"
    with tarfile.open(archive, "w:xz", preset=0) as tar:
        for take in takes:
            tar.add(take, take.name)
            take.unlink()
    complete = archive.read_bytes()
    archive.write_bytes(complete[: int(len(complete) * 0.7)])
    with pytest.raises(UserError, match="damaged or incomplete"):
        prepare_pack(source, out, jobs=1)
    assert not out.exists()
    kept = list((tmp_path / ".set.pack.work").glob("*.npz"))
    assert 0 < len(kept) < len(takes)
    kept[0].write_bytes(b"cut off")  # what was half-written is made again
    archive.write_bytes(complete)
    report = prepare_pack(source, out, jobs=1)
    assert report.reused == len(kept) - 1
    assert report.takes == len(Pack.load(out).takes)
    assert not (tmp_path / ".set.pack.work").exists()


def test_changed_takes_are_converted_again(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.pack"
    text = (source / "segments.jsonl").read_text()
    edit_segments(source, lambda rows: [row | {"start": row["end"] - 0.1} for row in rows])
    with pytest.raises(UserError, match="No segment"):
        prepare_pack(source, out, jobs=1)
    (source / "segments.jsonl").write_text(text)
    take = min(source.glob("*.bvh"))
    lines = take.read_text().splitlines()
    lines[-1] = lines[-2]
    take.write_text("\n".join(lines))
    report = prepare_pack(source, out, jobs=1)
    assert report.reused == len(list(source.glob("*.bvh"))) - 1 - len(report.takes_left_out)


def test_faults_of_the_source_are_sentences(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        prepare_pack(tmp_path / "none", tmp_path / "set.pack")
    for take in source.glob("*.bvh"):
        take.unlink()
    with pytest.raises(UserError, match="neither"):
        prepare_pack(source, tmp_path / "set.pack")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Results cannot be kept"):
        prepare_pack(source, tmp_path / "file" / "set.pack")
