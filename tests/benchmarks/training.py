# SPDX-License-Identifier: Apache-2.0
"""Steps a second of the training loop on this machine; with ``--release PATH`` beside the public release's loop.

``python -m tests.benchmarks.training [--release CHECKOUT]``.  Both loops take VideoMDM's losses with multistep
denoising on batches of the same clips: once all equally long, once of mixed lengths as they are drawn in training.
Ours runs through ``engine.run`` with its optimisers, averaging and logs, the release's through its ``TrainLoop``.
Beside the network that is configured, one of ours with as many parameters as the release's is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from videomdm.camera import Camera
from videomdm.diffusion.schedule import cosine
from videomdm.model.denoiser import Denoiser
from videomdm.model.text import STATE
from videomdm_training import engine
from videomdm_training.captions import CaptionTable
from videomdm_training.clips import Clips
from videomdm_training.configuration import load_config
from videomdm_training.fit import FitConfig, VideoMDM
from videomdm_training.normalisation import Normalisation
from videomdm_training.teacher.supervision import Supervision

CLIPS = 2000
LIKE = {"width": 384, "heads": 6, "hidden": 1216}  # 17.9 M parameters, as the release has
# processor time tells the same on a machine that others use, as long as one thread does all the work
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def mixed_lengths() -> list[int]:
    """Frames of ``CLIPS`` clips, spread as HumanML3D's are: 2 to 10 s at 20 fps, the middle at 7 s."""
    spread = torch.distributions.Beta(torch.tensor(2.2), torch.tensor(1.3)).sample((CLIPS,))
    return (40 + 156 * spread).round().int().tolist()


def supervision(lengths: list[int]) -> tuple[Supervision, CaptionTable]:
    """Random clips of ``lengths`` frames, seen by one camera, and a caption."""
    F = sum(lengths)
    features = (0.1 * torch.randn(F, 263)).half()
    frames = {
        "teacher": features,
        "truth": features,
        "keypoints": torch.rand(F, 22, 2) - 0.5,
        "confidence": torch.rand(F, 22),
    }
    M = len(lengths)
    camera = Camera(torch.eye(3).expand(M, 3, 3), torch.tensor([0.0, 0.0, 6.0]).expand(M, 3))
    words = CaptionTable()
    words.add("a person walks")
    words.lengths, words.offsets = torch.tensor([8]), torch.tensor([0])
    words.flat = torch.randn(8, STATE).half()
    clips = Clips(frames, torch.tensor(lengths))
    return Supervision(clips, camera, torch.zeros(M, 1, dtype=torch.long)), words


def ours(lengths: list[int], config: FitConfig, steps: int, multistep: bool, clock: str) -> tuple[float, int]:
    """Median seconds of one of our steps, and the network's parameters."""
    low = 48 if multistep else 1  # every batch, or none, denoises in several steps
    loss = replace(config.loss, multistep=multistep, low_noise_steps=low, buckets=min(low, 4))
    config = replace(config, loss=loss, diffusion_steps=49 if multistep else 50)
    data, words = supervision(lengths)
    normalisation = Normalisation(torch.zeros(263), torch.ones(263))
    losses = VideoMDM(data, words, normalisation, cosine(config.diffusion_steps), config)
    stamps: list[float] = []

    def watched(network, step, generator):
        stamps.append(CLOCKS[clock]())
        # of 49 steps a batch draws the noisiest alone once in 49: that one counts as the rest
        return losses(network, step, generator)

    network = Denoiser(config.sizes)
    settings = replace(config.engine, steps=steps + 3, save_every=10**6, log_every=10, validate_every=10**6)
    with tempfile.TemporaryDirectory() as folder:
        engine.run(network, watched, settings, Path(folder), engine.fabric_for(settings))
    pauses = [after - before for before, after in itertools.pairwise(stamps[1:])]
    return statistics.median(pauses), sum(p.numel() for p in network.parameters())


def theirs(release: Path, threads: int, **order: object) -> dict:
    """What ``release_loop.py`` prints."""
    script = Path(__file__).with_name("release_loop.py")
    done = subprocess.run(
        [sys.executable, script, str(threads), release.resolve(), json.dumps(order)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"The release's loop did not run:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", type=Path, help="checkout of the public release to measure beside ours")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--frames", type=int, default=100, help="of clips of equal length")
    parser.add_argument("--lengths", choices=("equal", "mixed", "both"), default="both")
    parser.add_argument(
        "--steps", type=int, default=12, help="of ours in each figure; the release takes a third"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: processor time, with --threads 1"
    )
    parser.add_argument("--set", action="append", default=[], help="our settings, as in `train fit`")
    parser.add_argument("--release-set", action="append", default=[], help="arguments of the release")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    config = load_config(FitConfig, None, [f"batch={given.batch}", *given.set])
    chance = config.loss.low_noise_steps / config.diffusion_steps
    print(f"batch {given.batch}, {given.threads} threads, torch {torch.__version__}, {given.clock} time")
    print(f"ours in {config.engine.precision}, the release in 32-true")
    print("| loop | parameters | lengths | single, s | multistep, s | steps/s |\n|---|---|---|---|---|---|")
    for name, lengths in (("equal", [given.frames] * CLIPS), ("mixed", mixed_lengths())):
        if given.lengths not in (name, "both"):
            continue
        rates: dict[str, float] = {}
        for loop, sizes in (("ours", config.sizes), ("ours, like size", replace(config.sizes, **LIKE))):
            settings = replace(config, sizes=sizes)
            single, parameters = ours(lengths, settings, given.steps, False, given.clock)
            several, _ = ours(lengths, settings, given.steps, True, given.clock)
            rates[loop] = tell(loop, parameters, name, single, several, chance)
        if given.release:
            drawn = torch.tensor(lengths)[
                torch.randint(CLIPS, (max(2, given.steps // 3), given.batch))
            ].tolist()
            found = theirs(
                given.release,
                given.threads,
                lengths=drawn,
                mixed=name == "mixed",
                settings=given.release_set,
                clock=given.clock,
            )
            single, several = statistics.median(found["single"]), statistics.median(found["multistep"])
            other = tell("release", found["parameters"], name, single, several, found["chance"])
            for loop, rate in rates.items():
                print(f"| {loop} / release | | {name} | | | **{rate / other:.1f} x** |", flush=True)


def tell(loop: str, parameters: int, lengths: str, single: float, several: float, chance: float) -> float:
    """Print a row; the steps a second, when ``chance`` of the batches are denoised in several steps."""
    rate = 1 / ((1 - chance) * single + chance * several)
    print(
        f"| {loop} | {parameters / 1e6:.1f} M | {lengths} | {single:.2f} | {several:.2f} | {rate:.2f} |",
        flush=True,
    )
    return rate


if __name__ == "__main__":
    main()
