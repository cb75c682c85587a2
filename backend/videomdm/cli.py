# SPDX-License-Identifier: Apache-2.0
"""``videomdm <verb>``: the command line.

The verbs are the entry points of the group ``videomdm.commands``, each a click command.  A verb's module is
imported only when the verb runs, so that ``videomdm --help`` is quick; what ``--help`` says of each verb
stands here.  A :class:`videomdm.errors.UserError` becomes one line on stderr and exit status 2.
"""

from __future__ import annotations

import io
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from . import __version__
from .errors import Cancelled, UserError

GROUP = "videomdm.commands"
INTERRUPTED = 130  # what shells give a program that Ctrl-C ended

SUMMARIES = {
    "generate": "Make motion from a prompt.",
    "serve": "Run the backend that Blender and other clients talk to.",
    "models": "List the models that can be used.",
    "keypoints": "Detect 2D keypoints in footage.",
    "lift": "Make 3D motion from 2D keypoints.",
    "retarget": "Put a motion onto a character rig.",
    "batch": "Put many motions onto many rigs.",
    "mapping": "See, check and save which bone is which.",
    "certify": "Measure how well a rig takes motions.",
    "train": "Train, fine-tune and evaluate models.",
}


class _BadInput(click.ClickException):
    exit_code = 2


class Verbs(click.Group):
    """A group whose commands are found among the installed entry points and loaded when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The installed verbs, those of ``SUMMARIES`` first and in its order."""
        installed = _installed()
        return [verb for verb in SUMMARIES if verb in installed] + sorted(installed.keys() - SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb; UserError where packages that it needs are missing."""
        found = _installed().get(cmd_name)
        if found is None:
            return None
        try:
            command = found.load()
        except ImportError as error:
            raise UserError(
                f"`videomdm {cmd_name}` cannot be loaded: {error}.",
                "Install what it needs: pip install 'videomdm[backend,video,train]'.",
                "not-installed",
            ) from error
        assert isinstance(command, click.Command), f"{found.value} is no click command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs for ``--help``, without loading those that ``SUMMARIES`` knows."""
        rows = []
        for verb in self.list_commands(ctx):
            if verb not in SUMMARIES:
                command = self.get_command(ctx, verb)
                rows.append((verb, command.get_short_help_str() if command else ""))
            else:
                rows.append((verb, SUMMARIES[verb]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; errors that a person can act on become one line."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _BadInput(" ".join(str(error).split())) from error
        except (KeyboardInterrupt, Cancelled) as error:
            click.echo("Cancelled.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from error


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="videomdm")
def main() -> None:
    """Words and ordinary video become 3D human motion."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path that the console cannot show is no error
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
