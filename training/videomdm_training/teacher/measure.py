# SPDX-License-Identifier: Apache-2.0
"""How noisy is the teacher?  The lifter, and what training makes of its answers, against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from videomdm.camera import Camera, to_world
from videomdm.diffusion.guidance import align_to_rays
from videomdm.lifting import Footage, fit_bodies
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import FPS

from ..clips import hold_after_end
from ..datasets.pack import Pack, Segment
from ..evaluate import lifting, physical
from ..evaluate.distribution import fid
from ..evaluate.evaluator import FrozenEvaluator
from ..evaluate.figures import Figure, Section, summarise
from ..evaluate.filmed import seen_clips
from ..views import CameraConfig, DetectorConfig, View
from .supervision import TEACHER_FIT

NOTES = (
    "Joints about the root, in camera space, from synthetic keypoints with a detector's errors; one camera for each "
    "clip.  `on rays`: after the seen joints have moved to the closest points of their rays (`align_teacher`); "
    "`fitted`: a body fitted to the lifted motion and its keypoints (`known.teacher=fitted`).  FID is that of all "
    "motions to the true ones of the same clips, between which nothing but the teacher's errors lies.  Lifted "
    "motion stands in the world by its true camera."
)


def measure_teacher(
    lifter: Lifter,
    data: Pack,
    splits: Mapping[str, Sequence[Segment]],
    device: torch.device,
    seed: int = 0,
    camera: CameraConfig | None = None,
    detector: DetectorConfig | None = None,
    evaluator: FrozenEvaluator | None = None,
) -> Section:
    """Errors of the lifter, and of what training makes of its answers, on segments by split.

    MPJPE, PA-MPJPE, PCK, acceleration, gravity and depth, physical measures, and FID if there is an evaluator.
    """
    columns: dict[str, dict[str, Figure]] = {}
    lifter = lifter.to(device).eval()
    for split, segments in splits.items():
        errors: dict[str, list[dict[str, float]]] = {}
        motions: dict[str, list[np.ndarray]] = {}
        for batch, view in seen_clips(data, segments, device, seed, split, detector, camera):
            with torch.inference_mode():
                lifted = lifter(view.keypoints, view.confidence, batch.mask)
            fitted = fit_bodies(
                lifted.joints, lifted.up, Footage(view.keypoints, view.confidence), batch.mask, TEACHER_FIT
            )
            truth = view.camera.to_camera(batch.frames["positions"])
            answers = {
                split: lifted.joints,
                f"{split}, on rays": _on_rays(lifted.joints, view, batch.lengths),
                f"{split}, fitted": fitted.joints,
                f"{split}, truth": truth,
            }
            cosine = (lifted.up * view.camera.R[:, 0, :, 1]).sum(-1).clamp(-1, 1)
            off = (lifted.joints[:, :, 0, 2] / truth[:, :, 0, 2] - 1).abs()
            for name, joints in answers.items():
                world = to_world(view.camera, joints)
                for i, n in enumerate(batch.lengths.tolist()):
                    row = physical.plausibility(_array(world[i, :n]), FPS)
                    if joints is not truth:
                        row |= lifting.measure(_array(joints[i, :n]), _array(truth[i, :n]), FPS)
                    if name == split:
                        row |= {"gravity": float(cosine[i].arccos()), "depth": float(off[i, :n].mean())}
                    errors.setdefault(name, []).append(row)
                    motions.setdefault(name, []).append(_array(world[i, :n]))
        columns |= {name: summarise(rows) for name, rows in errors.items()}
        if evaluator is not None and len(segments) > 1:
            real = evaluator.motions(motions.pop(f"{split}, truth"))
            for name, made in motions.items():
                columns[name] |= {"fid": Figure(fid(real, evaluator.motions(made)), 0.0, len(made))}
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
