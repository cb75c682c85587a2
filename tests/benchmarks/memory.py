# SPDX-License-Identifier: Apache-2.0
"""Peak memory and processor time of training on a pack, start-up included.

``python -m tests.benchmarks.memory PACK``.  Runs `videomdm train` with few steps of each kind: a lifter; the
denoiser's first start, which lifts the data and encodes the captions, for one step; the same run started again, with
steps on the keypoints that denoise in several steps, a validation and a picture of samples; and `train base`, all in
one process.  Memory is what the operating system says of the finished process (``ru_maxrss``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from videomdm_training.cache import Cache

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ``ru_maxrss``
FEW = ("engine.steps=4", "engine.validate_every=4", "engine.save_every=4", "engine.accelerator=cpu")
# after one step on the teacher's features, nearly all batches are denoised in several steps
SEVERAL = ("loss.teacher_steps=1", "loss.low_noise_steps=48")


def measured(name: str, *words: object, settings: tuple[str, ...] = ()) -> None:
    """Run ``videomdm train`` with its arguments and print a row; what it says goes to stderr."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "videomdm.cli", "train", *map(str, words), *overrides]
    child = subprocess.Popen(command, stdout=sys.stderr)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{name} did not run")
    print(
        f"| {name} | {used.ru_maxrss * UNIT / 2**30:.2f} | {used.ru_utime + used.ru_stime:.0f} |", flush=True
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--only", choices=("base", "fit"))
    parser.add_argument("--set", action="append", default=[], help="settings of the denoiser's training")
    given = parser.parse_args()
    settings = (*FEW, *SEVERAL, *given.set)
    print("| run | peak, GiB | processor, s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if given.only != "base":
            measured("lifter", "lifter", given.pack, "-o", folder / "lifter", settings=FEW)
            fit = (
                "fit",
                given.pack,
                "-o",
                folder / "fit",
                "--lifter",
                folder / "lifter" / "lifter.safetensors",
            )
            measured("fit, first start, one step", *fit, "--time-limit", "0.001", settings=settings)
            print(
                f"kept for the next start: {Cache(folder / 'fit' / 'cache').size() / 1e9:.2f} GB",
                file=sys.stderr,
            )
            measured("fit, started again, three steps", *fit, settings=settings)
        if given.only != "fit":
            stages = [f"lifter.{s}" for s in FEW] + [f"fit.{s}" for s in settings]
            measured("base", "base", given.pack, "-o", folder / "base", settings=tuple(stages))


if __name__ == "__main__":
    main()
