# SPDX-License-Identifier: Apache-2.0
"""Supervision that is made once and found again: teaching a data set takes longer than many a slice of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import videomdm
from videomdm.camera import Camera
from videomdm.model.lifter import Lifted, Lifter

from ..cache import Cache, key_of
from ..clips import Clips
from ..views import CameraConfig, DetectorConfig
from .supervision import SourceClip, Supervision, SupervisionConfig, Teach, build_supervision, taught

TRAINING = Path(__file__).parents[1]
# the program's files that say how supervision is made: a change in any of them makes it anew
PACKAGE = (
    "camera.py",
    "camera_fit/*.py",
    "diffusion/*.py",
    "keypoints/*.py",
    "lifting/*.py",
    "limits.py",
    "model/*.py",
    "motion/*.py",
)
CODE = (
    *(path for pattern in PACKAGE for path in Path(videomdm.__file__).parent.glob(pattern)),
    *(TRAINING / name for name in ("clips.py", "occlusion.py", "views.py")),
    *(TRAINING / "teacher" / name for name in ("kept.py", "supervision.py")),
)
FRAMES = "frames."


def kept_supervision(
    cache: Cache | None,
    sources: list[SourceClip],
    lifter: Lifter,
    device: torch.device,
    *,
    views: int,
    seed: int,
    camera: CameraConfig,
    detector: DetectorConfig,
    known: SupervisionConfig,
    align: bool,
    truth: bool,
) -> Supervision:
    """:func:`build_supervision`, or what an earlier one with the same arguments left in ``cache``."""

    def build(teach: Teach | None = None) -> Supervision:
        return build_supervision(
            sources, lifter, device, views=views, seed=seed, camera=camera, detector=detector, known=known,
            align=align, truth=truth, teach=teach,
        )  # fmt: skip

    if cache is None:
        return build()
    teach = partial(kept_taught, cache)
    settings = {
        "device": device.type,
        "views": views,
        "seed": seed,
        "camera": asdict(camera),
        "detector": asdict(detector),
        "known": asdict(known),
        "align": align,
        "truth": truth,
        "lifter": asdict(lifter.config),
        "captions": [clip.captions for clip in sources],
    }
    key = key_of(settings, {**_told(sources), **lifter.state_dict(prefix="lifter.")}, CODE)
    kept = cache.load(key)
    if kept is not None:
        return unpacked(kept, device)
    made = build(teach)
    cache.store(key, packed(made))
    return made


def kept_taught(
    cache: Cache,
    lifter: Lifter,
    keypoints: Tensor,
    confidence: Tensor,
    mask: Tensor,
    known: SupervisionConfig,
) -> Lifted:
    """:func:`taught`, or what it answered before: fitted bodies, which take long, are kept batch by batch.

    Supervisions that differ in cameras or alignment share them, and one that was stopped goes on where it was.
    """
    if known.teacher != "fitted":
        return taught(lifter, keypoints, confidence, mask, known)
    settings = {"fit": asdict(known.fit), "lifter": asdict(lifter.config), "device": keypoints.device.type}
    told = {"keypoints": keypoints, "confidence": confidence, "mask": mask}
    key = key_of(settings, {**told, **lifter.state_dict(prefix="lifter.")}, CODE)
    kept = cache.load(key)
    if kept is None:
        made = taught(lifter, keypoints, confidence, mask, known)
        kept = {"joints": made.joints, "up": made.up}
        cache.store(key, kept)
    return Lifted(kept["joints"].to(keypoints.device), kept["up"].to(keypoints.device))


def packed(data: Supervision) -> dict[str, Tensor]:
    """All of it as tensors by name."""
    frames = {FRAMES + name: values for name, values in data.clips.frames.items()}
    return frames | {
        "lengths": data.clips.lengths,
        "weights": data.clips.weights,
        "R": data.cameras.R,
        "t": data.cameras.t,
        "captions": data.captions,
    }


def unpacked(tensors: dict[str, Tensor], device: torch.device) -> Supervision:
    """The supervision that was :func:`packed`."""
    there = {name: tensor.to(device) for name, tensor in tensors.items()}
    frames = {name.removeprefix(FRAMES): there[name] for name in there if name.startswith(FRAMES)}
    clips = Clips(frames, there["lengths"], there["weights"])
    return Supervision(clips, Camera(there["R"], there["t"]), there["captions"])


def _told(sources: Sequence[SourceClip]) -> dict[str, Tensor]:
    """What is known of the clips, as tensors."""
    seen = [clip.cameras for clip in sources if clip.cameras is not None]
    told = {
        "positions": torch.cat([clip.positions for clip in sources]),
        "lengths": torch.tensor([len(clip.positions) for clip in sources]),
        "weights": torch.tensor([clip.weight for clip in sources], dtype=torch.float64),
        "cameras": torch.tensor([0 if clip.cameras is None else len(clip.cameras.R) for clip in sources]),
    }
    if seen:
        told |= {"R": torch.cat([c.R for c in seen]), "t": torch.cat([c.t for c in seen])}
    return told
