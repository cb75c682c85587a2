# SPDX-License-Identifier: Apache-2.0
"""From motion clips to VideoMDM's training clips: 2D keypoints, a camera, and the teacher's approximate 3D.

A motion-capture clip stands in for footage here: a synthetic camera looks at it, a detector's errors are added,
and the lifter sees only those keypoints.  What the model is trained on afterwards holds no ground-truth 3D.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.camera import Camera, seen_from, to_world
from videomdm.diffusion.guidance import align_to_rays
from videomdm.model.lifter import Lifter
from videomdm.motion.representation import decode, encode, start

from ..clips import FRAME_MULTIPLE, Clips
from ..losses import hold_after_end
from ..views import CameraConfig, DetectorConfig, observe, sample_cameras


@dataclass(frozen=True)
class SourceClip:
    """One motion clip before it is seen: positions (T, 22, 3) at 20 fps and the ids of its captions."""

    positions: Tensor
    captions: tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class Supervision:
    """VideoMDM's training clips.

    clips:    frames "teacher" (F, 263) float16 features, "keypoints" (F, 22, 2), "confidence" (F, 22),
              "truth" (F, 263) float16 features of the motion capture, read by baselines and measurements only.
    cameras:  R (M, 3, 3) and t (M, 3), in the coordinates in which the teacher's motion starts at the origin
              facing +Z, as what is diffused does.
    captions: (M, K) caption ids, repeated to K.
    """

    clips: Clips
    cameras: Camera
    captions: Tensor

    def camera(self, index: Tensor) -> Camera:
        """The cameras of clips ``index`` (B,), shaped (B, 1, 3, 3) and (B, 1, 3)."""
        return Camera(self.cameras.R[index][:, None], self.cameras.t[index][:, None])


def _padded(clips: list[SourceClip], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    lengths = torch.tensor([len(c.positions) // FRAME_MULTIPLE * FRAME_MULTIPLE for c in clips])
    T = int(lengths.max())
    rows = [c.positions[torch.arange(T).clamp(max=int(n) - 1)] for c, n in zip(clips, lengths, strict=True)]
    mask = torch.arange(T)[None] < lengths[:, None]
    return torch.stack(rows).to(device), mask.to(device), lengths


def _batches(clips: Iterable[SourceClip], size: int) -> Iterator[list[SourceClip]]:
    chunk: list[SourceClip] = []
    for clip in sorted(clips, key=lambda c: len(c.positions)):
        chunk.append(clip)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@torch.no_grad()
def build_supervision(
    sources: list[SourceClip],
    lifter: Lifter,
    device: torch.device,
    *,
    views: int = 2,
    seed: int = 0,
    camera: CameraConfig | None = None,
    detector: DetectorConfig | None = None,
    align: bool = True,
    batch: int = 64,
) -> Supervision:
    """Look at every clip from ``views`` cameras and let the lifter say what it sees.

    With ``align`` the lifted joints move onto their observed rays, which leaves the lifter's error in depth only.
    """
    camera_config, detector_config = camera or CameraConfig(), detector or DetectorConfig()
    generator = torch.Generator(device).manual_seed(seed)
    lifter = lifter.to(device).eval()
    frames: dict[str, list[Tensor]] = {"teacher": [], "keypoints": [], "confidence": [], "truth": []}
    lengths: list[Tensor] = []
    R: list[Tensor] = []
    t: list[Tensor] = []
    captions: list[tuple[int, ...]] = []
    weights: list[float] = []
    for chunk in tqdm(list(_batches(sources, batch)), desc="teacher", unit="batch"):
        positions, mask, count = _padded(chunk, device)
        truth = encode(positions)
        canonical = decode(truth)  # at the origin, facing +Z, as every prediction will be
        for _ in range(views):
            seen_by = sample_cameras(canonical, mask, generator, camera_config)
            view = observe(canonical, seen_by, generator, detector_config)
            with torch.autocast(device.type, torch.bfloat16):
                lifted = lifter(view.keypoints, view.confidence, mask)
            world = to_world(seen_by, lifted.joints)
            if align:
                visible = (view.confidence > 0).float()
                world = align_to_rays(world, seen_by, view.keypoints, visible)
                world = hold_after_end(world, count.to(device))
            teacher = encode(world)
            # features forget where a clip starts; what is diffused starts where the teacher says
            own = seen_from(seen_by, start(world))
            for name, values in (
                ("teacher", teacher.half()),
                ("truth", truth.half()),
                ("keypoints", view.keypoints),
                ("confidence", view.confidence),
            ):
                frames[name].append(values[mask])
            lengths.append(count)
            R.append(own.R[:, 0])
            t.append(own.t[:, 0])
            captions += [c.captions for c in chunk]
            weights += [c.weight for c in chunk]
    width = max(len(c) for c in captions)
    table = torch.tensor([[c[i % len(c)] for i in range(width)] for c in captions], device=device)
    clips = Clips(
        {name: torch.cat(values) for name, values in frames.items()},
        torch.cat(lengths).to(device),
        torch.tensor(weights, device=device),
    )
    return Supervision(clips, Camera(torch.cat(R), torch.cat(t)), table)
