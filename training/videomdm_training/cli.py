# SPDX-License-Identifier: Apache-2.0
"""``videomdm train``: data, teacher and model, on the command line."""

from __future__ import annotations

import click

from .ablations.command import ablate
from .baselines.command import consensus, flat
from .commands.export import export
from .commands.fit import fit
from .commands.lifter import lifter
from .commands.pictures import curve, sheet
from .commands.transport import join, split
from .evaluate.command import evaluate, evaluator
from .finetune.command import finetune
from .prepare import prepare
from .recipe import base
from .study.command import study
from .teacher.command import lifted, teacher
from .theory.command import theory


class Verbs(click.Group):
    """A group that lists its verbs in the order in which they are needed, each with its whole first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs for ``--help``."""
        rows = [(name, verb.get_short_help_str(limit=200)) for name, verb in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Verbs)
def train() -> None:
    """Prepare data, and train or fine-tune a model from 2D keypoints."""


for verb in (
    prepare, lifter, fit, base, finetune, export, split, join, sheet, curve, teacher, lifted, evaluate, evaluator,
    study, ablate, flat, consensus, theory,
):  # fmt: skip
    train.add_command(verb)
