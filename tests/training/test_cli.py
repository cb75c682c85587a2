# SPDX-License-Identifier: Apache-2.0
"""``videomdm train --help``: all verbs, in the order of the work, each with a whole sentence."""

from __future__ import annotations

from .conftest import Train


def test_help_lists_the_verbs_in_the_order_of_the_work(train: Train):
    lines = train("--help").output.split("Commands:")[1].splitlines()
    verbs = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert verbs[:3] == ["prepare", "lifter", "fit"]
    assert {"base", "finetune", "export", "evaluate", "evaluator", "study", "ablate"} < set(verbs)
    assert not any("..." in line for line in lines)
