# SPDX-License-Identifier: Apache-2.0
"""``videomdm train ablate``: a table of runs, one after the other, going on where it stopped."""

from __future__ import annotations

import math
import time
from pathlib import Path

import click

from ..commands import options
from ..commands.fit import fit


@click.command()
@options.data
@options.folder("Of all runs.")
@options.lifter("Model file of the noisy teacher.")
@click.option(
    "--table",
    "table_file",
    type=click.Path(path_type=Path),
    help="Runs and settings.  [default: the method's parts]",
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file that all runs share.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting in all runs."
)
@click.option("--only", multiple=True, help="Of the runs; may be given several times.")
@click.option(
    "--role", type=click.Choice(["all", "prior"]), default="prior", show_default=True, help="Subjects."
)
@options.time_limit
@click.pass_context
def ablate(
    context: click.Context,
    data: tuple[str, ...],
    folder: Path,
    lifter_file: Path,
    table_file: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    role: str,
    time_limit: float,
) -> None:
    """Train every run of a table on PACK and say what each came to; goes on where it stopped.

    Each run is a run folder of `train fit`; ablation.md beside them compares their errors on held-out clips.
    """
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from videomdm.errors import UserError
    from videomdm.motion.clip import write_atomically

    from ..cache import Cache
    from ..configuration import load_config
    from ..engine import fabric_for
    from ..fit import FitConfig
    from .table import METHOD, begin_with, is_finished, outcome, read_table, report

    say = rank_zero_only(click.echo)
    cache = Cache(folder / ".cache")  # no run can be called so
    table = read_table(table_file or METHOD)
    if unknown := sorted(set(only) - table.runs.keys()):
        raise UserError(f"The table has no run {', '.join(unknown)}.", f"It has: {', '.join(table.runs)}.")
    names = table.with_starts(only)
    settings = {name: (*table.settings(name), *overrides) for name in names}
    configs = {name: load_config(FitConfig, config, settings[name]) for name in names}
    fabric = fabric_for(configs[names[0]].engine)  # its processes go from run to run together
    deadline = time.monotonic() + time_limit if time_limit else None
    for name in names:
        if is_finished(folder / name, configs[name]):
            continue
        left = math.inf if deadline is None else deadline - time.monotonic()
        if fabric.broadcast(left <= 0):  # of several processes the first decides for all
            break
        if name in table.starts:
            start = table.starts[name]
            if not is_finished(folder / start, configs[start]):
                break
            if fabric.global_rank == 0:
                begin_with(folder / name, folder / start)
            fabric.barrier()
        say(f"{name}:")
        context.invoke(
            fit,
            data=data,
            folder=folder / name,
            lifter_file=lifter_file,
            config=config,
            overrides=settings[name],
            time_limit=0.0 if deadline is None else max(1e-3, left),
            role=role,
            cache_folder=cache.folder,
            licence="LicenseRef-unknown",
            commercial=False,
        )
        if fabric.global_rank == 0:
            text = report({n: outcome(folder / n) for n in names if (folder / n).is_dir()})
            write_atomically(folder / "ablation.md", text.encode())
    results = {name: outcome(folder / name) for name in names if (folder / name).is_dir()}
    say(report(results))
    open_runs = [name for name in names if not is_finished(folder / name, configs[name])]
    say(f"to go on, run the same command: {', '.join(open_runs)}" if open_runs else "finished")
    others = [name for name in table.runs if not (folder / name).is_dir()]
    if not open_runs and not others:
        cache.remove()
    elif not open_runs and cache.size():
        say(
            f"{cache.folder} ({cache.size() / 1e9:.1f} GB) is kept for the table's other runs: {', '.join(others)}"
        )
