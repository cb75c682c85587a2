# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: a bar that moves on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

LOGGED_EVERY = 30.0  # seconds between two lines of a log


def progress_bar(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """tqdm on stderr, with its arguments; where nobody watches it, a whole line each half minute.

    tqdm's own ten rewritten lines a second make a log of megabytes that no pager shows.  Work that takes less than
    half a minute leaves no line there at all.
    """
    stream = sys.stderr
    if stream.isatty():
        return tqdm(iterable, file=stream, **options)
    every = {"mininterval": LOGGED_EVERY, "maxinterval": LOGGED_EVERY, "delay": LOGGED_EVERY}
    return tqdm(iterable, file=_Log(stream), **(every | options))


class _Log:
    """Turns what tqdm writes over one line of a terminal into lines of their own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if line := text.strip():
            self._stream.write(line + "\n")

    def flush(self) -> None:
        self._stream.flush()
