# SPDX-License-Identifier: Apache-2.0
"""``videomdm models``: what can be used here."""

from __future__ import annotations

import click

from ..errors import UserError
from ..model.registry import available_models


@click.command()
def models() -> None:
    """List the models that can be used."""
    found = available_models()
    if not found:
        raise UserError("No model is installed.", "Train one with `videomdm train`.", "no-model")
    heads = ("name", "fps", "longest", "skeleton", "commercial use", "licence", "adapts")
    columns = len(heads) if any(info.base for info in found) else len(heads) - 1
    rows: list[tuple[str, ...]] = [heads[:columns]]
    rows += [
        (
            info.name,
            f"{info.fps:g}",
            f"{info.max_seconds:g} s",
            info.skeleton,
            "yes" if info.commercial else "no",
            info.licence,
            info.base,
        )[:columns]
        for info in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
