# SPDX-License-Identifier: Apache-2.0
"""Commands whose stderr is a terminal, as it is for who types them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from threading import Thread
from typing import Any


def run_on_terminal(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` with text, in which stderr is a terminal of 100 columns; its text is the result's stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    read: list[bytes] = []
    reader = Thread(target=_read_all, args=(ours, read))
    reader.start()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, **options)
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout, b"".join(read).decode())


def _read_all(terminal: int, read: list[bytes]) -> None:
    try:
        while data := os.read(terminal, 65536):
            read.append(data)
    except OSError:  # so Linux says that nobody has the other end open any more
        return
