# SPDX-License-Identifier: Apache-2.0
"""Linters and tests, and the one line that sums them up."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import xml.etree.ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import processes
from .environments import LINT, Environment
from .install import ensure, find_python
from .processes import ROOT, Stop, run, say

SOURCES = [str(ROOT / folder) for folder in ("backend", "training", "blender_addon")]
RUN_LIMIT = 45 * 60  # seconds; a test run that takes longer hangs


@dataclass
class Outcome:
    """What one step of the tests found."""

    step: str
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    note: str = ""

    @property
    def good(self) -> bool:
        return self.failed == self.errors == 0


def lint_steps() -> list[Outcome]:
    """The linters, one after the other."""
    python = ensure(LINT)
    mypy: list[str | Path] = [python, "-m", "mypy", "--no-error-summary"]
    steps: dict[str, list[str | Path]] = {
        "ruff check": [python, "-m", "ruff", "check", "--output-format=concise", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "types": [*mypy, "-p", "videomdm", "-p", "videomdm_training"],
        "types of the add-on (strict, Blender's stubs)": [
            *mypy, "--strict", "--follow-imports=silent", "-p", "videomdm_blender",
        ],
        "types of dev.py": [*mypy, "--strict", "dev.py"],
        "import walls": [LINT.script("lint-imports")],
    }  # fmt: skip
    outcomes = []
    for step, command in steps.items():
        say(f"lint: {step}")
        good = run(command, RUN_LIMIT, PYTHONPATH=os.pathsep.join(SOURCES)) == 0
        outcomes.append(Outcome(f"lint: {step}", passed=int(good), failed=int(not good)))
    return outcomes


def pytest_step(environment: Environment, folders: Sequence[str], options: argparse.Namespace) -> Outcome:
    """One run of pytest, its counts taken from its own report."""
    step = f"tests in {environment.name}"
    try:
        python = ensure(environment)
    except Stop as stop:
        missing = find_python(environment.python) is None
        return Outcome(step, skipped=int(missing), errors=int(not missing), note=f"NOT RUN: {stop}")
    say(f"{step} ({environment.purpose})")
    report = processes.HOME / f"report-{environment.name}.xml"
    report.unlink(missing_ok=True)
    paths = [] if any(word.startswith("tests") for word in options.rest) else folders
    settings = [f"--numprocesses={options.workers}", "--dist=loadfile", f"--junit-xml={report}"]
    command = [python, "-m", "pytest", *settings, *paths, *options.rest]
    status = run(command, RUN_LIMIT, OMP_NUM_THREADS="1")
    outcome = Outcome(step)
    if status == 5 and options.rest:
        outcome.note = "no test selected"
        return outcome
    with contextlib.suppress(OSError, xml.etree.ElementTree.ParseError):
        for suite in xml.etree.ElementTree.parse(report).iter("testsuite"):
            outcome.failed += int(suite.get("failures", 0))
            outcome.errors += int(suite.get("errors", 0))
            outcome.skipped += int(suite.get("skipped", 0))
            outcome.passed += int(suite.get("tests", 0))
    outcome.passed -= outcome.failed + outcome.errors + outcome.skipped
    if status != 0 and outcome.good:
        outcome.errors += 1
        outcome.note = f"pytest ended with status {status}"
    return outcome


def close(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print what happened, ending with one line like pytest's; returns the exit status."""
    for outcome in outcomes:
        say(f"{'ok    ' if outcome.good else 'FAILED'}  {outcome.step}  {outcome.note}".rstrip())
    names = ("failed", "passed", "skipped", "errors")
    counts = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in names}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no tests ran"
    clock = time.strftime("%H:%M:%S", time.gmtime(seconds)).removeprefix("0")
    print(f" {words} in {seconds:.2f}s ({clock}) ".center(100, "="), flush=True)
    return int(not all(outcome.good for outcome in outcomes))
