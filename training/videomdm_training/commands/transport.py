# SPDX-License-Identifier: Apache-2.0
"""``videomdm train split`` and ``videomdm train join``: a run on ways that take no large files."""

from __future__ import annotations

from pathlib import Path

import click

from . import options

MIB = 2**20
most = click.option(
    "--most",
    type=click.FloatRange(min=0.1),
    default=15.0,
    show_default=True,
    help="Size of a piece, in MiB.",
)
with_cache = click.option(
    "--with-cache",
    is_flag=True,
    help="Take along what the teacher and the captions came to (for the CMU set up to 2 GB), which takes long to "
    "make again.",
)


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.folder("Of the pieces.")
@most
@with_cache
def split(run: Path, folder: Path, most: float, with_cache: bool) -> None:
    """Make pieces of RUN, the folder of a run or a model, to take to another machine; `join` puts them together."""
    from ..transport import split as split_run

    pieces = split_run(run, folder, int(most * MIB), with_cache).pieces
    click.echo(f"{len(pieces)} pieces, {sum(piece.size for piece in pieces) / MIB:.1f} MiB; {folder}")


@click.command()
@click.argument("pieces", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.folder("The run; a new folder.")
def join(pieces: Path, folder: Path) -> None:
    """Put together the run whose pieces lie in the folder PIECES; pieces that were cut or changed are named."""
    from ..transport import join as join_run

    click.echo(f"{join_run(pieces, folder).name}; {folder}")
