# SPDX-License-Identifier: Apache-2.0
"""How noisy is the teacher?  The lifter against the truth on held-out segments, as the training sees both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.camera import Camera
from videomdm.diffusion.guidance import align_to_rays
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import FPS

from ..clips import Batch
from ..datasets.pack import Pack, Segment
from ..evaluate import lifting
from ..evaluate.figures import Section, summarise
from ..losses import hold_after_end
from ..sources import position_clips
from ..views import CameraConfig, DetectorConfig, View, observe, sample_cameras

BATCH = 16
NOTES = (
    "Joints about the root, in camera space, from synthetic keypoints with a detector's errors; one camera for each "
    "clip.  `on rays`: after the seen joints have moved to the closest points of their rays, as training takes them."
)


def measure_teacher(
    lifter: Lifter,
    data: Pack,
    splits: Mapping[str, Sequence[Segment]],
    device: torch.device,
    seed: int = 0,
    camera: CameraConfig | None = None,
    detector: DetectorConfig | None = None,
) -> Section:
    """MPJPE, PA-MPJPE, PCK, acceleration, gravity and depth of the lifter on segments by split."""
    columns = {}
    lifter = lifter.to(device).eval()
    for split, segments in splits.items():
        alone: list[dict[str, float]] = []
        moved: list[dict[str, float]] = []
        looked = _views(
            data, segments, device, seed, split, camera or CameraConfig(), detector or DetectorConfig()
        )
        for batch, view in looked:
            with torch.inference_mode():
                lifted = lifter(view.keypoints, view.confidence, batch.mask)
            truth = view.camera.to_camera(batch.frames["positions"])
            aligned = _on_rays(lifted.joints, view, batch.lengths)
            cosine = (lifted.up * view.camera.R[:, 0, :, 1]).sum(-1).clamp(-1, 1)
            off = (lifted.joints[:, :, 0, 2] / truth[:, :, 0, 2] - 1).abs()
            for i, n in enumerate(batch.lengths.tolist()):
                real = _array(truth[i, :n])
                whole = {"gravity": float(cosine[i].arccos()), "depth": float(off[i, :n].mean())}
                alone.append(lifting.measure(_array(lifted.joints[i, :n]), real, FPS) | whole)
                moved.append(lifting.measure(_array(aligned[i, :n]), real, FPS))
        columns[split] = summarise(alone)
        columns[f"{split}, on rays"] = summarise(moved)
    return Section("The teacher", NOTES, columns)


def _on_rays(joints: Tensor, view: View, lengths: Tensor) -> Tensor:
    B = len(joints)
    still = Camera(
        torch.eye(3, device=joints.device).expand(B, 1, 3, 3), torch.zeros(B, 1, 3, device=joints.device)
    )
    aligned = align_to_rays(joints, still, view.keypoints, (view.confidence > 0).float())
    return hold_after_end(aligned, lengths)


def _array(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()


def _views(
    data: Pack,
    segments: Sequence[Segment],
    device: torch.device,
    seed: int,
    words: str,
    camera: CameraConfig,
    detector: DetectorConfig,
) -> Iterator[tuple[Batch, View]]:
    clips = position_clips(data, segments, device)
    generator = torch.Generator(device).manual_seed(seed)
    with tqdm(total=len(clips), desc=words, unit="clip") as bar:
        for index in clips.order.split(BATCH):
            batch = clips.batch(index)
            positions = batch.frames["positions"]
            seen_by = sample_cameras(positions, batch.mask, generator, camera)
            yield batch, observe(positions, seen_by, generator, detector)
            bar.update(len(index))
