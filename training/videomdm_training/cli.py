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
from .evaluate.command import evaluate, evaluator
from .finetune.command import finetune
from .prepare import prepare
from .recipe import base
from .study.command import study
from .teacher.command import lifted, teacher
from .theory.command import theory


@click.group()
def train() -> None:
    """Prepare data, and train or fine-tune a model from 2D keypoints."""


for verb in (
    prepare, lifter, fit, base, finetune, export, sheet, curve, teacher, lifted, evaluate, evaluator, study, ablate,
    flat, consensus, theory,
):  # fmt: skip
    train.add_command(verb)
