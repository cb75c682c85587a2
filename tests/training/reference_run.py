# SPDX-License-Identifier: Apache-2.0
"""A seeded training of 200 steps whose losses must come out the same, bit for bit.

``python -m tests.training.reference_run`` prints them as JSON, floats as hexadecimal; after a change that is meant to
change them, write that to ``tests/training/reference_curve.json``.
"""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

STEPS = 200


def machine() -> dict[str, str]:
    """What the last bits of a sum depend on: libraries, and the maker and instructions of the CPU."""
    import numpy
    import torch

    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    makers = [line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")]
    return {
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "machine": platform.machine(),
        "maker": makers[0] if makers else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def losses() -> list[str]:
    """The loss of every step: VideoMDM's losses after a start on the teacher's features, both optimisers."""
    import torch

    from videomdm.diffusion.schedule import cosine
    from videomdm.model.denoiser import Denoiser, DenoiserConfig
    from videomdm.model.lifter import Lifter, LifterConfig
    from videomdm.model.text import STATE
    from videomdm_training import engine
    from videomdm_training.captions import CaptionTable
    from videomdm_training.fit import FitConfig, LossConfig, VideoMDM
    from videomdm_training.normalisation import Normalisation
    from videomdm_training.teacher.supervision import SourceClip, build_supervision

    from .motions import variety

    torch.set_num_threads(1)
    torch.manual_seed(0)
    words = CaptionTable()
    sources = [SourceClip(torch.from_numpy(m), (words.add(text),), 1.0) for m, text in variety(8)]
    # token states stand in for the text encoder's
    words.lengths = torch.tensor([4] * len(words.texts))
    words.offsets = torch.arange(len(words.texts)) * 4
    words.flat = torch.randn(4 * len(words.texts), STATE).half()
    config = FitConfig(
        engine=engine.EngineConfig(
            steps=STEPS, learning_rate=2e-3, warmup=10, precision="32-true", accelerator="cpu", log_every=STEPS,
            save_every=STEPS, seed=5,
        ),
        sizes=DenoiserConfig(width=32, layers=1, heads=2, hidden=48),
        loss=LossConfig(teacher_steps=160, position=1.0, velocity=20.0),
        batch=3,
        views=1,
    )  # fmt: skip
    lifter = Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32))
    data = build_supervision(sources, lifter, torch.device("cpu"), views=1)
    step_losses = VideoMDM(data, words, Normalisation.of(data.clips.frames["teacher"]), cosine(50), config)
    seen: list[str] = []

    def watched(network, step, generator):
        total = 0.0
        for part in step_losses(network, step, generator):
            total += float(part["loss"])
            yield part
        seen.append(total.hex())

    with tempfile.TemporaryDirectory() as folder:
        engine.run(
            Denoiser(config.sizes), watched, config.engine, Path(folder), engine.fabric_for(config.engine)
        )
    return seen


if __name__ == "__main__":
    print(json.dumps({"made_on": machine(), "losses": losses()}, indent=0))
