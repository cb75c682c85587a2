# SPDX-License-Identifier: Apache-2.0
"""The table of an ablation, and what its runs came to."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from videomdm.errors import UserError
from videomdm.model.registry import CONFIG
from videomdm.motion.clip import write_atomically

from ..configuration import lasting, load_config
from ..engine import LOG, STATE, last_step
from ..fit import NORMALISATION, FitConfig

METHOD = Path(__file__).with_name("method.toml")


@dataclass(frozen=True)
class Table:
    """Runs by name, each a list of settings on top of the ``common`` ones.

    starts: the earlier run whose last state a run begins with, by the run's name; steps that several runs have in
            common are then taken once.
    """

    runs: dict[str, list[str]]
    common: list[str] = field(default_factory=list)
    starts: dict[str, str] = field(default_factory=dict)

    def settings(self, name: str) -> tuple[str, ...]:
        """All settings of a run; later ones win."""
        return (*self.common, *self.runs[name])

    def with_starts(self, chosen: Iterable[str]) -> list[str]:
        """``chosen`` runs and those that they begin with, in the table's order; all runs where none is chosen."""
        wanted = set(chosen) or set(self.runs)
        for name in reversed(self.runs):  # a start comes before what it starts
            if name in wanted and name in self.starts:
                wanted.add(self.starts[name])
        return [name for name in self.runs if name in wanted]


def read_table(path: Path) -> Table:
    """Read a table; UserError where it is none or a name cannot be a folder's."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        table = msgspec.convert(values, Table, strict=True)
        unknown = sorted(values.keys() - {"runs", "common", "starts"})
    except (OSError, ValueError) as error:  # ValueError: TOML, text and msgspec
        raise UserError(
            f"The table {path} cannot be used ({error}).",
            'Write it as common = ["KEY=VALUE"] and, under [runs], name = ["KEY=VALUE"].',
        ) from error
    wrong = [name for name in table.runs if not re.fullmatch(r"[A-Za-z0-9_-]+", name)]
    if unknown or wrong or not table.runs:
        raise UserError(
            f"The table {path} has no runs, or names that cannot be used: {', '.join(unknown + wrong) or 'none'}.",
            "Name runs with letters, digits, - and _; beside them only `common` and `starts` are known.",
        )
    order = list(table.runs)
    for name, start in table.starts.items():
        if name not in order or start not in order[: order.index(name)]:
            raise UserError(
                f"The table {path} lets {name} begin with {start}, which is no earlier run.",
                'Under [starts], write RUN = "EARLIER RUN".',
            )
    return table


def begin_with(folder: Path, start: Path) -> None:
    """Let the run in ``folder`` go on from what the run in ``start`` came to, unless it has begun already."""
    if (folder / STATE).is_file():
        return
    for name in (NORMALISATION, LOG, STATE):  # the state last: with it the run has begun
        write_atomically(folder / name, (start / name).read_bytes())


def outcome(folder: Path) -> dict[str, float]:
    """What a run's log says last of each number."""
    found: dict[str, float] = {}
    if (folder / LOG).is_file():
        for line in (folder / LOG).read_text(encoding="utf-8").splitlines():
            found |= {name: float(value) for name, value in json.loads(line).items()}
    return found


def is_finished(folder: Path, config: FitConfig) -> bool:
    """Whether a run of ``config`` came to its end; UserError where the finished one is of other settings."""
    if last_step(folder) < config.engine.steps:
        return False
    before = load_config(FitConfig, folder / CONFIG)
    if lasting(before) != lasting(config):
        raise UserError(
            f"The run in {folder} is finished, with other settings than the table gives it now.",
            "Choose another folder, or move that run away.",
        )
    return True


def report(results: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table: steps, seconds and validation errors (millimetres about the root) of every run."""
    names = sorted({n for r in results.values() for n in r if n.startswith("validation/")}, key=_level)
    heads = ["run", "steps", "seconds", *(f"{name.removeprefix('validation/')}, mm" for name in names)]
    rows = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for run, values in results.items():
        numbers = [f"{values[name]:.0f}" if name in values else "" for name in ("step", "seconds")]
        numbers += [f"{1000 * values[name]:.1f}" if name in values else "" for name in names]
        rows.append("| " + " | ".join([run, *numbers]) + " |")
    return "\n".join(rows) + "\n"


def _level(name: str) -> tuple[int, str]:
    last = name.rpartition("/")[2]
    return (int(last), "") if last.isdigit() else (1 << 30, last)
