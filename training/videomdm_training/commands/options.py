# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs of ``videomdm train`` take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

pack = click.argument("pack", type=click.Path(path_type=Path))
data = click.argument("data", nargs=-1, required=True, metavar="PACK[:WEIGHT]...")


def folder(text: str) -> Option:
    """``-o``: the folder to write, which must be named."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("-o", "--out", "folder", required=True, type=kind, help=text)


run_folder = folder("Run folder.")


def lifter(text: str) -> Option:
    """``--lifter``: the model file of the noisy teacher, or a folder that holds it, which must be named."""
    return click.option(
        "--lifter",
        "lifter_file",
        required=True,
        type=click.Path(path_type=Path),
        callback=_in_folder,
        help=text,
    )


def _in_folder(context: click.Context, option: click.Parameter, path: Path) -> Path:
    from videomdm.model.registry import LIFTER

    return path / LIFTER if path.is_dir() else path


config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="TOML file, or the config.json of another run; defaults where it is silent.",
)
overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one setting, such as engine.steps=5000; may be given several times.",
)
time_limit = click.option(
    "--time-limit",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Save and stop after so many seconds, having done one thing at least: a step, or teaching a batch of clips; "
    "0: never.",
)
role = click.option(
    "--role",
    type=click.Choice(["all", "prior"]),
    default="all",
    show_default=True,
    help="Of packs: all subjects, or those only on whose 3D no lifter was trained.",
)
UNKNOWN = "LicenseRef-unknown"
licence = click.option(
    "--licence",
    default=UNKNOWN,
    show_default=True,
    help="SPDX name of the weights' licence; a run that goes on keeps what it was told.",
)
commercial = click.option(
    "--commercial", is_flag=True, help="The data permits commercial use of the weights: say so in them."
)


def told(file: Path, licence: str, commercial: bool = False) -> tuple[str, bool]:
    """Licence and commercial use as the command says, or, where it says nothing, as the run's model file does."""
    from videomdm.model.registry import read_header

    if licence != UNKNOWN or commercial or not file.is_file():
        return licence, commercial
    meta = read_header(file)["meta"]
    return str(meta.get("licence", licence)), bool(meta.get("commercial", False))


picture = click.option(
    "-o",
    "--out",
    "picture",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG file to write.",
)
