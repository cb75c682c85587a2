# SPDX-License-Identifier: Apache-2.0
"""Seconds that a training step of the public VideoMDM release takes; ``training.py`` runs it as a process.

Its model, diffusion, losses, optimiser and EMA run as they are, through its own ``TrainLoop.run_step``.  What a step
does not need and what is not installed (CLIP, SMPL, loggers, evaluators) is absent; captions come as embeddings,
which the release allows; batches lie in memory, collated and padded as its loader pads them (to 196 frames where
lengths are mixed).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import torch

LONGEST = 196  # frames, to which the release pads every motion of HumanML3D
ABSENT = (
    "clip", "wandb", "eval", "sample", "spacy", "smplx", "clearml", "joblib", "model.rotation2xyz", "model.smpl",
    "model.BERT", "data_loaders.get_data", "data_loaders.humanml.networks", "blobfile",
)  # fmt: skip


class Absent(MetaPathFinder, Loader):
    """Importing what is absent gives an empty stand-in."""

    def find_spec(self, name, path=None, target=None):
        absent = any(name == each or name.startswith(f"{each}.") for each in ABSENT)
        return ModuleSpec(name, self, is_package=True) if absent else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        if spec.name == "model.rotation2xyz":
            module.Rotation2xyz = lambda **_: SimpleNamespace(smpl_model=torch.nn.Identity())
        if spec.name == "clip":
            module.load = lambda *_, **__: (torch.nn.Identity(), None)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


class Data(SimpleNamespace):
    """What the loop asks of a loader."""

    def __len__(self) -> int:
        return 1000


def batch(lengths: list[int], frames: int) -> tuple[torch.Tensor, dict]:
    """A collated batch of random motions, cameras and keypoints."""
    B = len(lengths)
    mask = (torch.arange(frames)[None] < torch.tensor(lengths)[:, None])[:, None, None]
    camera = torch.eye(3).flatten().expand(B, 9)
    camera = torch.cat([camera, torch.tensor([0.0, 0.0, 6.0]).expand(B, 3)], 1)
    motion = 0.1 * torch.randn(B, 263, 1, frames)
    extra = {
        "motion_2d": torch.rand(B, frames, 22, 2) - 0.5,
        "scores_2d": torch.rand(B, frames, 22),
        "camera": camera,
        "gt_motion": motion,
    }
    y = {
        "mask": mask,
        "lengths": torch.tensor(lengths),
        "text": ["a person walks"] * B,
        "text_embed": torch.randn(1, B, 512),
    }
    return motion, {"y": y, "extra": extra}


def main(
    release: Path, lengths: list[list[int]], mixed: bool, settings: list[str], clock: Callable[[], float]
) -> None:
    """Print the seconds of single and of multistep steps, and how often the latter come, as JSON."""
    sys.meta_path.insert(0, Absent())
    sys.path.insert(0, str(release))
    os.chdir(release)  # it reads its assets from there
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [
            "train", "--dataset", "humanml", "--video_mdm", "--t_star_method", "multistep_b1_e1_d1",
            "--lambda_consistancy", "1", "--train_platform_type", "NoPlatform", "--save_dir", folder,
            "--batch_size", str(len(lengths[0])), *settings,
        ]  # fmt: skip
        from train.training_loop import TrainLoop
        from utils.model_util import create_model_and_diffusion
        from utils.parser_util import train_args

        args = train_args()
        stds = SimpleNamespace(mean=np.zeros(263, np.float32), std=np.ones(263, np.float32))
        data = Data(dataset=SimpleNamespace(t2m_dataset=stds))
        model, diffusion = create_model_and_diffusion(args, data)
        loop = TrainLoop(args, MagicMock(), model, diffusion, data)
    parameters = sum(p.numel() for p in model.parameters())
    draw = loop.schedule_sampler.sample
    found: dict[str, list[float]] = {"single": [], "multistep": []}
    for number, row in enumerate([lengths[0], lengths[0], *lengths, *lengths]):
        # the first two warm up; then all batches once as single and once as multistep training
        several = number == 1 or number >= 2 + len(lengths)

        def sample(size, device, several=several):
            while True:
                t, weights = draw(size, device)
                if (t.ndim > 1) == several:
                    return t, weights

        loop.schedule_sampler.sample = sample
        motion, cond = batch(row, LONGEST if mixed else max(row))
        began = clock()
        loop.run_step(motion, cond)
        if number > 1:
            found["multistep" if several else "single"].append(clock() - began)
    chance = float(np.mean([draw(1, "cpu")[0].ndim > 1 for _ in range(5000)]))
    print(json.dumps({**found, "chance": chance, "parameters": parameters}))


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    order = json.loads(sys.argv[3])
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    main(Path(sys.argv[2]), order["lengths"], order["mixed"], order["settings"], clocks[order["clock"]])
