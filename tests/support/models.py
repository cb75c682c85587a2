# SPDX-License-Identifier: Apache-2.0
"""Small models with random weights, for tests of everything around a model."""

from __future__ import annotations

from pathlib import Path


def small_model(folder: Path) -> Path:
    """Write a model folder in which every part is real but small and untrained."""
    import torch

    from videomdm.model.checkpoint import save_model
    from videomdm.model.denoiser import Denoiser, DenoiserConfig
    from videomdm.model.lifter import Lifter, LifterConfig
    from videomdm.motion.representation import POSITIONS
    from videomdm.motion.skeleton import JOINT_NAMES

    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig(width=32, layers=1, heads=2, hidden=48))
    torch.nn.init.normal_(denoiser.write.weight, std=0.05)
    mean, std = torch.zeros(263), torch.full((263,), 0.02)
    mean[3] = 0.9
    # a body of the right height and width, so that what comes out can be retargeted
    heights = dict.fromkeys(JOINT_NAMES, 1.2) | {"head": 1.6, "neck": 1.45, "spine1": 1.0}
    for part, height in (("hip", 0.85), ("knee", 0.5), ("ankle", 0.08), ("foot", 0.02), ("shoulder", 1.4)):
        heights |= {f"{side}_{part}": height for side in ("left", "right")}
    rest = torch.tensor([[_side(name), heights[name], 0.1 * name.endswith("foot")] for name in JOINT_NAMES])
    mean[POSITIONS] = rest[1:].reshape(-1)
    save_model(
        folder / "denoiser.safetensors",
        denoiser,
        {"fps": 20.0, "licence": "CC0-1.0", "commercial": True, "max_seconds": 10.0, "diffusion_steps": 50},
        {"mean": mean, "std": std},
    )
    save_model(
        folder / "lifter.safetensors", Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)), {}
    )
    return folder


def _side(name: str) -> float:
    out = 0.5 if "wrist" in name else 0.35 if "elbow" in name else 0.15
    return out if name.startswith("left") else -out if name.startswith("right") else 0.0
