# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all, and read only while they are of a sensible size."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

MOST_BYTES = 512 * 2**20  # hours of motion or keypoints; what is larger is another kind of file
_WRITE_ADVICE = "Choose a folder that is writable and has room, and close programs that have the file open."


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, private: bool = False) -> Iterator[Path]:
    """A new, empty file beside ``path`` that takes its name when the block ends without an error.

    It has the ending of ``path``, and the permissions that the user's umask gives to new files; ``private``
    ones only their owner can read, from the first moment on.  Folders are made as needed.  UserError where the
    system refuses, also to what the block writes; nothing is left behind then.
    """
    path = Path(path)
    temporary = path.parent / f".{path.stem[:60]}.{secrets.token_hex(4)}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}).", _WRITE_ADVICE) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    """``os.replace``; on Windows again for a second while another program has one of the files open.

    Virus scanners look at every new file there, and clients read the connection file at any time.
    """
    for wait in (0.01, 0.05, 0.2, 0.8) if os.name == "nt" else ():
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(wait)
        else:
            return
    os.replace(source, target)


def write_atomically(path: str | os.PathLike[str], data: bytes, *, private: bool = False) -> Path:
    """Write ``data`` to ``path`` so that the file is either the old one or the complete new one.

    Permissions and errors as in :func:`replacing`.
    """
    with replacing(path, private=private) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def read_bytes(path: str | os.PathLike[str], most: int = MOST_BYTES) -> bytes:
    """The bytes of a file; UserError where it cannot be read or has more than ``most`` bytes."""
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UserError(
            f"The file {path} cannot be read ({error.strerror}).", "Check the path and its permissions."
        ) from error
    if len(data) > most:
        raise UserError(
            f"The file {path} has more than {most / 2**20:.0f} MiB.", "Check that it is the file you meant."
        )
    return data
