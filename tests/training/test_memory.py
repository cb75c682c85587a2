# SPDX-License-Identifier: Apache-2.0
"""What a training no longer uses goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HOLES = """
import torch
from videomdm_training.memory import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

tensors = [torch.ones(16_000) for _ in range(6_000)]
del tensors[::2], tensors[:-1]  # the last one keeps the heap from shrinking
before = resident()
give_back()
print(before, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what was freed")
def test_what_was_freed_between_what_is_used_goes_back_to_the_system():
    """366 MiB in small tensors, all freed but the last one."""
    pytest.importorskip("torch")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", HOLES], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    before, after = map(float, done.stdout.split())
    assert before - after > 250
