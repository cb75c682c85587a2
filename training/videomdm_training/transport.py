# SPDX-License-Identifier: Apache-2.0
"""A run or a model as small pieces, for ways that take no large files: mail, job systems, repositories.

The pieces one after the other are an ordinary tar archive, so ``cat run.tar.* | tar x`` reads them, too.  A
manifest, written last, holds the checksum of each; what was cut or changed on the way is named, and nothing is
unpacked then.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from videomdm.errors import UserError
from videomdm.motion.files import read_bytes, write_atomically

MANIFEST = "pieces.json"
LEFT_OUT = ("cache", "tensorboard")  # folders that the program makes again, or does not read
VERSION = 1


class Piece(msgspec.Struct, frozen=True):
    """One file of an archive: its name, its size in bytes, its SHA-256."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The pieces of the archive of the folder ``name``, in order."""

    version: int
    name: str
    pieces: tuple[Piece, ...]


class _Pieces(io.RawIOBase):
    """A file for ``tarfile`` to write, which ends up as pieces of at most ``most`` bytes."""

    def __init__(self, folder: Path, name: str, most: int) -> None:
        self.folder = folder
        self.name = name
        self.most = most
        self.held = bytearray()
        self.pieces: list[Piece] = []

    def write(self, data: Any) -> int:
        """Take bytes, and cut off what makes a piece."""
        self.held += data
        while len(self.held) >= self.most:
            self._cut(self.most)
        return len(data)

    def finish(self) -> tuple[Piece, ...]:
        if self.held:
            self._cut(len(self.held))
        return tuple(self.pieces)

    def _cut(self, size: int) -> None:
        data = bytes(self.held[:size])
        del self.held[:size]
        name = f"{self.name}.tar.{len(self.pieces):05d}"
        write_atomically(self.folder / name, data)
        self.pieces.append(Piece(name, size, hashlib.sha256(data).hexdigest()))


def split(run: Path, folder: Path, most: int) -> Manifest:
    """Write the files of ``run`` into ``folder`` as pieces of at most ``most`` bytes, and their manifest.

    Caches and TensorBoard's logs are left out.  UserError where there is nothing to write, or pieces of something
    else lie there.
    """
    files = [
        path
        for path in sorted(run.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") or part in LEFT_OUT for part in path.relative_to(run).parts)
    ]
    if not files:
        raise UserError(f"There is nothing to split in {run}.", "Give the folder of a run or of a model.")
    if folder.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{folder} lies within {run}.", "Choose a folder beside it.")
    if (folder / MANIFEST).is_file():
        before = _manifest(folder)
        if before.name != run.resolve().name:
            raise UserError(f"{folder} holds the pieces of {before.name}.", "Choose another folder.")
        (folder / MANIFEST).unlink()  # first, so that a half-written set is none
        for piece in before.pieces:
            (folder / piece.name).unlink(missing_ok=True)
    pieces = _Pieces(folder, run.resolve().name, most)
    with tarfile.open(fileobj=pieces, mode="w|", dereference=True) as archive:
        for path in files:
            archive.add(path, path.relative_to(run).as_posix(), recursive=False)
    manifest = Manifest(VERSION, pieces.name, pieces.finish())
    write_atomically(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def join(folder: Path, run: Path) -> Manifest:
    """Put together what :func:`split` left in ``folder``, as the new folder ``run``; all of it or nothing.

    UserError where pieces are missing or damaged, or ``run`` exists.
    """
    if run.exists():
        raise UserError(f"{run} exists.", "Choose another folder, or move it away.")
    manifest = _manifest(folder)
    _check(folder, manifest.pieces)
    run.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run.parent, prefix=f".{run.name}.") as made:
        whole = Path(made) / "archive"
        with open(whole, "wb") as file:
            for piece in manifest.pieces:
                file.write((folder / piece.name).read_bytes())
        try:
            _unpack(whole, Path(made) / "run")
        except (tarfile.TarError, EOFError) as error:
            raise UserError(
                f"The pieces in {folder} are no archive ({error}).", "Split the run again."
            ) from error
        (Path(made) / "run").rename(run)
    return manifest


def _manifest(folder: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(read_bytes(folder / MANIFEST, 2**20), type=Manifest, strict=True)
    except msgspec.DecodeError as error:
        raise UserError(f"{folder / MANIFEST} is damaged ({error}).", "Fetch it again.") from error
    if manifest.version != VERSION:
        raise UserError(
            f"{folder / MANIFEST} is of version {manifest.version}.", f"This program reads version {VERSION}."
        )
    if any(Path(piece.name).name != piece.name for piece in manifest.pieces):
        raise UserError(f"{folder / MANIFEST} names files elsewhere.", "Do not use it.")
    return manifest


def _check(folder: Path, pieces: Sequence[Piece]) -> None:
    wrong = []
    for piece in pieces:
        path = folder / piece.name
        if not path.is_file():
            wrong.append(f"{piece.name} is missing")
        elif path.stat().st_size != piece.size or _sha256(path) != piece.sha256:
            wrong.append(f"{piece.name} is damaged")
    if wrong:
        raise UserError(f"Of the pieces in {folder} {', '.join(wrong)}.", "Fetch those again.")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    """Plain files below ``folder``, and nothing else."""
    with tarfile.open(archive, mode="r:") as file:
        for member in file:
            path = PurePosixPath(member.name)
            if not member.isfile() or path.is_absolute() or ".." in path.parts or "\\" in member.name:
                raise tarfile.TarError(f"{member.name} is not a plain file of the run")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.extractfile(member)
            assert content is not None  # of a plain file
            with open(target, "xb") as out:
                shutil.copyfileobj(content, out)
