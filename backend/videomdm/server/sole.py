# SPDX-License-Identifier: Apache-2.0
"""One server for each connection file: a second one would take the first one's clients away."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import UserError


@contextlib.contextmanager
def sole_server(connection_file: Path) -> Iterator[None]:
    """Held while a server runs; UserError (code "already-running") where another one holds it.

    It is a lock of the operating system, which lets go of it however the process ends.
    """
    path = connection_file.with_name(f".{connection_file.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("ab")
    except OSError as error:
        raise UserError(
            f"The connection file {connection_file} cannot be written ({error.strerror}).",
            "Choose another place with --connection-file.",
        ) from error
    with file:
        if _is_locked(file):
            raise UserError(
                f"A videomdm server runs already; its connection file is {connection_file}.",
                "Use that one, stop it, or give this one a file of its own with --connection-file.",
                "already-running",
            )
        yield


def _is_locked(file: IO[bytes]) -> bool:
    """Lock the file; True where another process has done so.  File systems without locks know of no other."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return False
