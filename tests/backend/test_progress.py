# SPDX-License-Identifier: Apache-2.0
"""What long work shows on a terminal, and what it leaves in a log."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORK = """
import time
from videomdm import progress
progress.LOGGED_EVERY = {every}
for _ in progress.progress_bar(range(12), desc="work", unit="step"):
    time.sleep(0.05)
"""


def logged(every: float) -> str:
    code = WORK.format(every=every)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr.decode()


def test_a_log_gets_whole_lines_with_the_time_left() -> None:
    text = logged(every=0.2)
    assert "\r" not in text.replace("\r\n", "\n")
    *_, last = lines = text.splitlines()
    assert 2 <= len(lines) <= 6, text
    assert all(line.startswith("work: ") and "step" in line for line in lines)
    assert "12/12" in last


def test_short_work_leaves_nothing_in_a_log() -> None:
    assert logged(every=30.0) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_gets_a_bar_that_moves() -> None:
    from tests.backend.terminal import run_on_terminal

    text = run_on_terminal([sys.executable, "-c", WORK.format(every=30.0)], check=True).stderr
    assert text.count("\r") >= 5
    assert "12/12" in text
