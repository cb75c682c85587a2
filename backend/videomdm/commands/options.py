# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share, and what their values must be."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..connection import default_connection_file
from ..errors import UserError

CLIP_ENDINGS = (".npz", ".bvh")

seed = click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed makes the same motion."
)
guidance = click.option(
    "--guidance", type=float, default=2.5, show_default=True, help="How closely to follow the words."
)
steps = click.option(
    "--steps", type=int, default=20, show_default=True, help="Denoising steps; more are slower."
)
output = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write, .npz or .bvh.",
)
model = click.option("--model", default="", help="Model to use, by name or folder.  [default: the server's]")
connection_file = click.option(
    "--connection-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=default_connection_file,
    show_default="connection.json in the user's data folder",
    help="Where the server's address and token are kept.",
)
curve_dir = click.option(
    "--curve-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of CURVE keys: encrypt the connection.",
)
library = click.option(
    "--library",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps every finished take.  [default: library in the user's data folder]",
)
pipeline = click.option(
    "--pipeline",
    envvar="VIDEOMDM_PIPELINE",
    default="videomdm.pipeline:Pipeline",
    hidden=True,
    help="module:class of the pipeline that the server runs.",
)


@dataclass(frozen=True)
class Backend:
    """Where a verb finds a running server, and how it starts one of its own where none runs."""

    connection_file: Path
    curve_dir: Path | None
    library: Path | None
    pipeline: str


def backend(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that make a :class:`Backend`, which the verb gets as ``backend``."""

    @connection_file
    @curve_dir
    @library
    @pipeline
    @functools.wraps(verb)
    def with_backend(
        connection_file: Path, curve_dir: Path | None, library: Path | None, pipeline: str, **others: Any
    ) -> None:
        verb(backend=Backend(connection_file, curve_dir, library, pipeline), **others)

    return with_backend


def check_clip(output: Path) -> None:
    """Raise UserError unless a clip can be written there: before the work, not after it."""
    if output.suffix.lower() not in CLIP_ENDINGS:
        raise UserError(
            f"{output} ends in {output.suffix or 'nothing'}; motions are written as "
            f"{' or '.join(CLIP_ENDINGS)}.",
            "Choose a name with one of these endings.",
        )
    check_writable(output)


def check_writable(output: Path) -> None:
    """Raise UserError unless a file can be written there, in a folder that is made if need be."""
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{folder} is no folder that can be written to.", "Choose another place.")
    if output.is_dir():
        raise UserError(f"{output} is a folder.", "Name the file to write.")
