# SPDX-License-Identifier: Apache-2.0
"""Runs in pieces: what comes out is what went in, whatever happens on the way is named, nothing leaves the folder."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

pytest.importorskip("torch")

from videomdm.errors import UserError
from videomdm_training import transport
from videomdm_training.transport import MANIFEST, join, split

from .conftest import Train
from .test_recipe import SETTINGS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    for name, size in {"state.pt": 250_000, "config.json": 10, "model/denoiser.safetensors": 0}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(i * i % 251 for i in range(size)))
    for name in ("cache/x.safetensors", "model/tensorboard/events", ".state.1234.pt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not needed")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def needed(run: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(run).items() if data != b"not needed"}


@pytest.mark.parametrize("most", [1000, 65_536, 10**9])
def test_what_is_joined_is_what_was_split(run, tmp_path, most):
    pieces = split(run, tmp_path / "pieces", most).pieces
    assert len(pieces) == max(1, -(-sum(p.size for p in pieces) // most))
    assert all((tmp_path / "pieces" / p.name).stat().st_size == p.size <= most for p in pieces)
    join(tmp_path / "pieces", tmp_path / "new" / "again")
    assert contents(tmp_path / "new" / "again") == needed(run)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["again"]


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar here")
def test_the_pieces_are_a_tar_archive(run, tmp_path):
    names = [piece.name for piece in split(run, tmp_path / "pieces", 70_000).pieces]
    archive = b"".join((tmp_path / "pieces" / name).read_bytes() for name in names)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "x", "-C", tmp_path / "out"], input=archive, check=True)
    assert contents(tmp_path / "out") == needed(run)


def test_links_of_a_run_travel_as_what_they_link_to(run, tmp_path):
    whole = needed(run)
    (run / "link.pt").symlink_to(run / "state.pt")
    (run / "hard.pt").hardlink_to(run / "state.pt")
    split(run, tmp_path / "pieces", 70_000)
    join(tmp_path / "pieces", tmp_path / "again")
    assert contents(tmp_path / "again") == whole | dict.fromkeys(("link.pt", "hard.pt"), whole["state.pt"])


def test_a_later_split_replaces_the_earlier_one_and_only_of_the_same_run(run, tmp_path):
    out = tmp_path / "pieces"
    split(run, out, 20_000)
    (run / "state.pt").write_bytes(b"later")
    split(run, out, 20_000)
    assert len(contents(out)) == 2  # one piece and the manifest: none of the old ones
    join(out, tmp_path / "again")
    assert (tmp_path / "again" / "state.pt").read_bytes() == b"later"
    other = tmp_path / "other"
    shutil.copytree(run, other)
    before = contents(out)
    with pytest.raises(UserError, match="holds the pieces of run"):
        split(other, out, 20_000)
    assert contents(out) == before


def test_a_split_that_fails_leaves_the_earlier_set_whole(run, tmp_path, monkeypatch):
    """Whatever stops it, what was there can be joined, and what it had begun does not lie about."""
    out = tmp_path / "pieces"
    split(run, out, 20_000)
    before, whole = contents(out), needed(run)
    (run / "state.pt").write_bytes(b"later" * 50_000)
    written = []

    def full(path: Path, data: bytes) -> Path:
        if len(written) == 3:
            raise UserError("The disk is full.")
        path.write_bytes(data)
        written.append(path)
        return path

    with monkeypatch.context() as patch:
        patch.setattr(transport, "write_atomically", full)
        with pytest.raises(UserError, match="full"):
            split(run, out, 20_000)
    assert len(written) == 3 and contents(out) == before
    join(out, tmp_path / "again")
    assert contents(tmp_path / "again") == whole


def test_pieces_of_a_split_that_was_killed_are_cleared_away(run, tmp_path):
    out = tmp_path / "pieces"
    for _ in range(3):
        split(run, out, 20_000)
        for left in ("run.tar.00900", "run.tar.50900", "notes.tar.gz"):
            (out / left).write_bytes(b"half")
    names = {piece.name for piece in split(run, out, 20_000).pieces} | {MANIFEST, "notes.tar.gz"}
    assert set(contents(out)) == names


def test_too_many_pieces_are_none(run, tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "MOST_PIECES", 200)
    with pytest.raises(UserError, match="more than 200 pieces"):
        split(run, tmp_path / "pieces", 1000)
    assert not contents(tmp_path / "pieces")


def test_the_longest_manifest_can_be_read(tmp_path):
    name = "n" * 240
    piece = {"name": f"{name}.tar.00000", "size": 10**9, "sha256": "0" * 64}
    manifest = {"version": 1, "name": name, "pieces": [piece] * transport.MOST_PIECES}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest, indent=1))
    with pytest.raises(UserError, match="is missing"):
        join(tmp_path, tmp_path / "again")


def test_the_cache_travels_only_if_asked(run, tmp_path):
    (run / "cache" / "tmp1.part").write_bytes(b"being written")
    split(run, tmp_path / "pieces", 70_000, cache=True)
    join(tmp_path / "pieces", tmp_path / "again")
    (run / "cache" / "tmp1.part").unlink()
    assert contents(tmp_path / "again") == needed(run) | {"cache/x.safetensors": b"not needed"}


def test_a_run_that_goes_on_meanwhile_is_split_whole_or_not_at_all(run, tmp_path, monkeypatch):
    """A file that a run replaces is the old or the new one; one that vanishes is named."""
    gettarinfo = tarfile.TarFile.gettarinfo

    def replaced(archive: tarfile.TarFile, *given, **named):
        member = gettarinfo(archive, *given, **named)
        if member.name == "state.pt":
            (run / "new.pt").write_bytes(b"new" * 100_000)
            (run / "new.pt").replace(run / "state.pt")
        return member

    old = needed(run)
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "gettarinfo", replaced)
        split(run, tmp_path / "pieces", 70_000)
    join(tmp_path / "pieces", tmp_path / "again")
    assert contents(tmp_path / "again") == old

    def vanished(archive: tarfile.TarFile, *_, **__):
        raise FileNotFoundError(2, "No such file")

    before = contents(tmp_path / "pieces")
    monkeypatch.setattr(tarfile.TarFile, "gettarinfo", vanished)
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        split(run, tmp_path / "pieces", 70_000)
    assert contents(tmp_path / "pieces") == before


def test_pieces_do_not_say_whose_they_are(run, tmp_path):
    split(run, tmp_path / "pieces", 10**9)
    (whole,) = (tmp_path / "pieces").glob("*.tar.*")
    with tarfile.open(whole) as archive:
        owners = {(member.uid, member.gid, member.uname, member.gname) for member in archive}
    assert owners == {(0, 0, "", "")}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "001 is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "001 is damaged"),
        (lambda path: path.write_bytes(b"?" + path.read_bytes()[1:]), "001 is damaged"),
    ],
)
def test_damaged_pieces_are_named_and_nothing_is_written(run, tmp_path, damage, words):
    pieces = split(run, tmp_path / "pieces", 100_000).pieces
    damage(tmp_path / "pieces" / pieces[1].name)
    with pytest.raises(UserError, match=words):
        join(tmp_path / "pieces", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pieces", "run"]


def forged(folder: Path, *members: tarfile.TarInfo, data: bytes = b"") -> None:
    """A set of one piece whose archive holds ``members``, all checksums right."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    piece_of(folder, stream.getvalue())


def piece_of(folder: Path, whole: bytes) -> None:
    """A set of one piece with these bytes, all checksums right."""
    folder.mkdir()
    (folder / "x.tar.000").write_bytes(whole)
    piece = {"name": "x.tar.000", "size": len(whole), "sha256": sha256(whole).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps({"version": 1, "name": "x", "pieces": [piece]}))


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/outside",
        "a/../../outside",
        "..\\outside",
        "C:/outside",
        "C:outside",
        "//host/a/outside",
    ],
)
def test_an_archive_writes_nothing_outside(tmp_path, name):
    forged(tmp_path / "pieces", tarfile.TarInfo(name), data=b"bad")
    with pytest.raises(UserError, match="not a plain file"):
        join(tmp_path / "pieces", tmp_path / "in" / "again")
    assert not list(tmp_path.rglob("*outside")) and not list((tmp_path / "in").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_not_unpacked(tmp_path, kind):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, "/etc/passwd"
    forged(tmp_path / "pieces", link)
    with pytest.raises(UserError, match="not a plain file"):
        join(tmp_path / "pieces", tmp_path / "again")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), (), ("",), (".",), ("a" * 300,)])
def test_an_archive_that_no_split_writes_is_refused(tmp_path, names):
    forged(tmp_path / "pieces", *map(tarfile.TarInfo, names), data=b"x")
    with pytest.raises(UserError, match="cannot be put together"):
        join(tmp_path / "pieces", tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["pieces"]


def test_an_archive_with_broken_headers_is_refused(run, tmp_path):
    """Whatever byte of the headers is wrong: joined, or one sentence, and never a part of a run."""
    split(run, tmp_path / "pieces", 10**9)
    (file,) = (tmp_path / "pieces").glob("*.tar.*")
    with tarfile.open(file) as archive:
        places = [member.offset for member in archive]
    whole, chance = file.read_bytes(), random.Random(0)
    for number in range(150):
        broken = bytearray(whole)
        at = chance.choice(places)
        for _ in range(3):
            broken[at + chance.randrange(512)] = chance.choice((0, 0x80, 0xFF, ord("7")))
        header = broken[at : at + 512]
        header[148:156] = b" " * 8
        broken[at + 148 : at + 156] = b"%06o\0 " % sum(header)  # so that the checksum hides none of it
        pieces, again = tmp_path / f"pieces{number}", tmp_path / "joined" / f"{number}"
        piece_of(pieces, bytes(broken[: -chance.randrange(20_000) or None]))
        try:
            join(pieces, again)
        except UserError as error:
            assert "cannot be put together" in error.message and not again.exists()
        else:
            assert contents(again)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("pieces")}
    assert left == {"run", "joined"} and not list((tmp_path / "joined").glob(".*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ('{"version": 1, "name": "x", "pieces": 3}', "damaged"),
        pytest.param('{"deep": ' + 100_000 * "[" + 100_000 * "]" + "}", "damaged", id="deep"),
        ('{"version": 9, "name": "x", "pieces": []}', "version 9"),
        ('{"version": 1, "name": "x", "pieces": [{"name": "../a", "size": 1, "sha256": ""}]}', "elsewhere"),
        ('{"version": 1, "name": "x", "pieces": []}', "cannot be put together"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path, text, words):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=words):
        join(tmp_path, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_cannot_be_split_or_joined_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="nothing to split"):
        split(tmp_path / "empty", tmp_path / "pieces", 1000)
    with pytest.raises(UserError, match="within"):
        split(run, run / "pieces", 1000)
    split(run, tmp_path / "pieces", 100_000)
    with pytest.raises(UserError, match="exists"):
        join(tmp_path / "pieces", run)


def test_a_training_goes_on_elsewhere_from_its_pieces(train: Train, pack_file, tmp_path):
    from videomdm_training.engine import load_state

    here, there, pieces = tmp_path / "here" / "base", tmp_path / "there" / "base", tmp_path / "pieces"
    words = ("--pieces", pieces, "--most", 0.1)
    stopped = train("base", pack_file, "-o", here, "--time-limit", 1e-3, *words, settings=SETTINGS)
    assert "run the same command" in stopped.output
    assert max(path.stat().st_size for path in pieces.glob("*.tar.*")) <= 0.1 * 2**20
    train("join", pieces, "-o", there)
    assert load_state(there / "lifter" / "state.pt")["step"] == 1
    shutil.rmtree(here)
    train("base", pack_file, "-o", there, *words, settings=SETTINGS)
    train("join", pieces, "-o", tmp_path / "done")
    assert contents(tmp_path / "done" / "model") == contents(there / "model") != {}
    train("split", there / "model", "-o", tmp_path / "model.pieces")
    assert (tmp_path / "model.pieces" / "model.tar.00000").is_file()
