# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as a command: keep its chatter off the terminal, tell how far the work is, and end without hanging."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

import click

from videomdm.errors import UserError


class Report:
    """Tells a person which stage runs and how long each took."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.seconds: dict[str, float] = {}

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._out, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """A stage of the work; yields a function that takes the fraction that is done."""
        started = time.monotonic()
        self._line(name, "...")

        def progress(fraction: float) -> None:
            self._line(name, f"{100 * fraction:3.0f} %")

        yield progress
        self.seconds[name] = time.monotonic() - started
        self._line(name, f"{self.seconds[name]:5.1f} s", end="\n")

    def _line(self, name: str, text: str, end: str = "") -> None:
        """Write over the line of the stage on a terminal; elsewhere write only how it ended."""
        line = f"{name:.<32} {text}"
        if self._out.isatty():
            print(f"\r{line:<60}", end=end, file=self._out, flush=True)
        elif end:
            print(line, end=end, file=self._out, flush=True)


@contextmanager
def hushed(log: Path) -> Iterator[Report]:
    """Send what Blender prints to a file; yields what still reaches the terminal."""
    with os.fdopen(os.dup(1), "w") as terminal, log.open("wb") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield Report(terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)


def run(command: click.Command) -> NoReturn:
    """Run a command and end the process at once: Blender's own clean-up can hang.

    The exit status is 2 where a person can do something about the failure, as for all commands of videomdm.
    """
    status = 1
    try:
        command.main(standalone_mode=False)
        status = 0
    except UserError as error:
        status = 2
        click.echo(f"\nError: {error}", err=True)
    except click.ClickException as error:
        status = error.exit_code
        error.show()
    except (click.Abort, KeyboardInterrupt):
        status = 130
        click.echo("Cancelled.", err=True)
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    if "bpy" in sys.modules:  # what Blender would have tidied up
        shutil.rmtree(sys.modules["bpy"].app.tempdir, ignore_errors=True)
    os._exit(status)
