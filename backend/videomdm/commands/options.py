# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from ..connection import default_connection_file

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
