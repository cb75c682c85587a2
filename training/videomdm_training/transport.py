# SPDX-License-Identifier: Apache-2.0
"""A run or a model as small pieces, for ways that take no large files: mail, job systems, repositories.

The pieces one after the other are an ordinary tar archive, so ``cat run.tar.* | tar x`` reads them, too.  A
manifest, written last, holds the checksum of each; what was cut or changed on the way is named, and nothing is
unpacked then.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import msgspec

from videomdm.errors import UserError
from videomdm.motion.files import read_bytes, write_atomically

from .cache import PART

MANIFEST = "pieces.json"
MANIFEST_BYTES = 4 * 2**20  # more than that of MOST_PIECES with the longest names
MOST_PIECES = 5000
CACHE = "cache"  # which the program can make again, in minutes or hours
LEFT_OUT = ("tensorboard",)  # which the program does not read
VERSION = 1
# a set is numbered from 0 or from here, whichever the set before it is not: both can lie in one folder
SECOND_SET = 50_000


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
    """A file for ``tarfile`` to write, which ends up as pieces of at most ``most`` bytes, numbered from ``first``."""

    def __init__(self, folder: Path, name: str, most: int, first: int) -> None:
        self.folder = folder
        self.name = name
        self.most = most
        self.first = first
        self.held = bytearray()
        self.pieces: list[Piece] = []

    def write(self, data: Any) -> int:
        """Take bytes, and cut off what makes a piece; UserError where there would be too many."""
        self.held += data
        while len(self.held) >= self.most:
            self._cut(self.most)
        return len(data)

    def finish(self) -> tuple[Piece, ...]:
        if self.held:
            self._cut(len(self.held))
        return tuple(self.pieces)

    def _cut(self, size: int) -> None:
        if len(self.pieces) == MOST_PIECES:
            raise UserError(
                f"These would be more than {MOST_PIECES} pieces of {self.most / 2**20:g} MiB.",
                "Make larger ones with --most.",
            )
        data = bytes(self.held[:size])
        del self.held[:size]
        name = f"{self.name}.tar.{self.first + len(self.pieces):05d}"
        write_atomically(self.folder / name, data)
        self.pieces.append(Piece(name, size, hashlib.sha256(data).hexdigest()))


def split(run: Path, folder: Path, most: int, cache: bool = False) -> Manifest:
    """Write the files of ``run`` into ``folder`` as pieces of at most ``most`` bytes, and their manifest.

    An earlier set of the same run stays whole until the new one is.  TensorBoard's logs are left out, and caches
    unless ``cache``.  UserError where there is nothing to write, where pieces of something else lie there, where
    there would be more than ``MOST_PIECES``, or where a file cannot be read.
    """
    files = list(_files(run, cache))
    if not files:
        raise UserError(f"There is nothing to split in {run}.", "Give the folder of a run or of a model.")
    if folder.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{folder} lies within {run}.", "Choose a folder beside it.")
    name = run.resolve().name
    before: tuple[Piece, ...] = ()
    if (folder / MANIFEST).is_file():
        there = _manifest(folder)
        if there.name != name:
            raise UserError(f"{folder} holds the pieces of {there.name}.", "Choose another folder.")
        before = there.pieces
    _keep_only(folder, name, before)
    first = SECOND_SET if any(piece.name == f"{name}.tar.00000" for piece in before) else 0
    with _removing(folder, name, before):
        pieces = _Pieces(folder, name, most, first)
        with tarfile.open(fileobj=pieces, mode="w|", dereference=True) as archive:
            for path in files:
                _add(archive, path, path.relative_to(run).as_posix())
        manifest = Manifest(VERSION, name, pieces.finish())
        write_atomically(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    _keep_only(folder, name, manifest.pieces)
    return manifest


def _files(run: Path, cache: bool) -> Iterator[Path]:
    """What of a run is to travel; no file that is being written."""
    left_out = LEFT_OUT if cache else (*LEFT_OUT, CACHE)
    for path in sorted(run.rglob("*")):
        parts = path.relative_to(run).parts
        hidden = any(part.startswith(".") or part in left_out for part in parts)
        if not hidden and path.suffix != PART and path.is_file():
            yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file as it is now, though a run may replace or lengthen it meanwhile; nothing of whose it is."""
    try:
        with open(path, "rb") as file:
            member = archive.gettarinfo(
                arcname=name, fileobj=file
            )  # its size is that of the file that is open
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            archive.addfile(member, file)
    except OSError as error:
        raise UserError(
            f"The file {path} cannot be read, or was changed meanwhile ({error}).", "Split the run again."
        ) from error


def _keep_only(folder: Path, name: str, pieces: Iterable[Piece]) -> None:
    """Remove pieces of ``name`` that are not among these: of an earlier set, or of one that was never finished."""
    kept = {piece.name for piece in pieces}
    own = re.compile(re.escape(name) + r"\.tar\.\d{5}")
    for path in list(folder.glob("*.tar.*")) if folder.is_dir() else []:
        if own.fullmatch(path.name) and path.name not in kept:
            path.unlink(missing_ok=True)


@contextmanager
def _removing(folder: Path, name: str, before: Sequence[Piece]) -> Iterator[None]:
    """Where the block fails, only the pieces ``before`` are left."""
    try:
        yield
    except BaseException:
        _keep_only(folder, name, before)
        raise


def join(folder: Path, run: Path) -> Manifest:
    """Put together what :func:`split` left in ``folder``, as the new folder ``run``; all of it or nothing.

    UserError where pieces are missing or damaged, or ``run`` exists.
    """
    if run.exists():
        raise UserError(f"{run} exists.", "Choose another folder, or move it away.")
    manifest = _manifest(folder)
    try:
        _check(folder, manifest.pieces)
        run.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=run.parent, prefix=f".{run.name}.") as made:
            whole = Path(made) / "archive"
            with open(whole, "wb") as file:
                for piece in manifest.pieces:
                    file.write((folder / piece.name).read_bytes())
            _unpack(whole, Path(made) / "run")
            (Path(made) / "run").rename(run)
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"The pieces in {folder} cannot be put together as {run} ({error}).",
            "Make room if there is none, or split the run again.",
        ) from error
    return manifest


def _manifest(folder: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(
            read_bytes(folder / MANIFEST, MANIFEST_BYTES), type=Manifest, strict=True
        )
    except (msgspec.DecodeError, RecursionError) as error:
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
    """Plain files below ``folder``, and nothing else; TarError where there is anything else, or nothing."""
    folder.mkdir()
    with tarfile.open(archive, mode="r:") as file:
        for member in file:
            if not _is_plain(member):
                raise tarfile.TarError(f"{member.name} is not a plain file of the run")
            target = folder / tarfile.data_filter(member, str(folder)).name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.extractfile(member)
            assert content is not None  # of a plain file
            with open(target, "xb") as out:
                shutil.copyfileobj(content, out)
    if not any(folder.iterdir()):
        raise tarfile.TarError("they hold no files")


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file with content of its own and a name below the folder, on every system."""
    path = PureWindowsPath(member.name)
    outside = path.drive or path.root or ".." in path.parts or PurePosixPath(member.name).is_absolute()
    return member.isreg() and not member.issparse() and not outside and "\\" not in member.name
