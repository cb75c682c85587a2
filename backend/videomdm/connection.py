# SPDX-License-Identifier: Apache-2.0
"""The connection file: how a client finds the server of this user, and proves that it may talk to it.

A running server keeps one JSON file, readable by its user alone (mode 0600), with its address, its token and
its process id.  Whoever can read the file may use the server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from .errors import UserError
from .motion.files import write_atomically

MOST_BYTES = 64 * 1024  # what is larger is no connection file


class Connection(msgspec.Struct, frozen=True):
    """Where a server listens and what opens it.

    address: ZeroMQ address, "tcp://127.0.0.1:43127".
    token:   the secret of the handshake.
    pid:     process id of the server on its machine, 0 where it is not known.
    server:  id of this run of the server.
    curve:   whether the server accepts only encrypted (CURVE) connections.
    """

    address: str
    token: str
    pid: int = 0
    server: str = ""
    curve: bool = False


def data_folder() -> Path:
    """The folder for this user's connection file and library, as the platform has it.

    The environment variable VIDEOMDM_DATA names another one.
    """
    if chosen := os.environ.get("VIDEOMDM_DATA"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "videomdm"


def default_connection_file() -> Path:
    """Where a server writes its connection file, and a client looks for it, unless told otherwise."""
    return data_folder() / "connection.json"


def write_connection(path: Path, connection: Connection) -> None:
    """Write the file, whole or not at all; at no moment is the token readable by others.

    On Windows, which has no file modes, the file has the permissions of its folder: in the default place these
    are the user's own.
    """
    try:
        write_atomically(path, msgspec.json.format(msgspec.json.encode(connection), indent=2), private=True)
    except UserError as error:
        raise UserError(error.message, "Choose another place with --connection-file.") from error


def read_connection(path: Path) -> Connection:
    """Read a connection file; UserError where there is none (code "no-server") or it is damaged."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Connection)
    except OSError as error:
        raise UserError(
            f"No videomdm server runs here: {path} cannot be read ({error.strerror}).",
            "Start one with `videomdm serve`.",
            "no-server",
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"{path} is not a connection file of videomdm ({error}).",
            "Start the server again with `videomdm serve`.",
        ) from error


def remove_connection(path: Path, server: str) -> None:
    """Remove the file if it is still that of the server with this id."""
    try:
        if read_connection(path).server == server:
            path.unlink(missing_ok=True)
    except (UserError, OSError):
        return  # gone, or another program's file: not ours to remove; on Windows a reader may hold it


def is_gone(connection: Connection) -> bool:
    """Whether the server's process certainly has ended; False where that cannot be known."""
    if os.name != "posix" or connection.pid <= 0 or connection.curve:
        return False  # on Windows signal 0 would end the process; with CURVE it may be another machine's id
    try:
        os.kill(connection.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
