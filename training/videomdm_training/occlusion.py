# SPDX-License-Identifier: Apache-2.0
"""What hides joints from a camera, and how detectors differ from joint to joint.

Shape letters: B batch, T frames, J 22 joints, S parts of the body that hide others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from videomdm.motion.skeleton import JOINT_NAMES

_JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}


def _indices(*names: str) -> list[int]:
    return [_JOINT[name] for name in names]


# How far annotators of COCO lie apart (its OKS constants), as parts of the person's size.
_SPREAD = {
    "pelvis": 0.107, "hip": 0.107, "spine": 0.107, "knee": 0.087, "ankle": 0.089, "foot": 0.089, "neck": 0.079,
    "collar": 0.079, "head": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
}  # fmt: skip
JOINT_SPREAD = torch.tensor(
    [next(value for part, value in _SPREAD.items() if part in name) for name in JOINT_NAMES]
)
JOINT_SPREAD = JOINT_SPREAD / JOINT_SPREAD.mean()

# What something in the way, or the image's edge, hides together.
HIDDEN_TOGETHER = (
    _indices("left_elbow", "left_wrist"),
    _indices("right_elbow", "right_wrist"),
    _indices("left_knee", "left_ankle", "left_foot"),
    _indices("right_knee", "right_ankle", "right_foot"),
    _indices(*(f"{side}_{part}" for side in ("left", "right") for part in ("knee", "ankle", "foot"))),
)

# What a detector takes for each other: both arms, both legs.
SWAPPED_TOGETHER = tuple(
    tuple(_indices(*(f"{side}_{part}" for part in parts)) for side in ("left", "right"))
    for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle", "foot"))
)

# Parts that hide joints behind them: two ends and a radius in metres.
_PARTS = (
    ("pelvis", "neck", 0.14),
    ("head", "neck", 0.09),
    *((f"{side}_hip", f"{side}_knee", 0.08) for side in ("left", "right")),
    *((f"{side}_knee", f"{side}_ankle", 0.06) for side in ("left", "right")),
    *((f"{side}_shoulder", f"{side}_elbow", 0.05) for side in ("left", "right")),
)
_ENDS = torch.tensor([_indices(a, b) for a, b, _ in _PARTS])
_RADIUS = torch.tensor([radius for _, _, radius in _PARTS])
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "collar", "hip")
_TOUCHES = torch.tensor(
    [
        [
            name in (a, b) or (a == "pelvis" and any(part in name for part in (*_TRUNK, "head")))
            for a, b, _ in _PARTS
        ]
        for name in JOINT_NAMES
    ]
)
_BEHIND = 0.05  # metres behind the middle of a part, from which on it hides


def hidden_by_body(seen: Tensor) -> Tensor:
    """(B, T, J) bool: joints of (B, T, J, 3), in camera space, that lie behind another part of the same body."""
    ends = seen[:, :, _ENDS.to(seen.device)]  # (B, T, S, 2, 3)
    depth = ends[..., 2].clamp(min=0.3)
    image = ends[..., :2] / depth[..., None]
    joint_depth = seen[..., 2].clamp(min=0.3)
    joint = (seen[..., :2] / joint_depth[..., None])[:, :, :, None]  # (B, T, J, 1, 2)
    start, along = image[:, :, None, :, 0], (image[..., 1, :] - image[..., 0, :])[:, :, None]
    length = along.square().sum(-1).clamp(min=1e-9)
    place = (((joint - start) * along).sum(-1) / length).clamp(0, 1)  # (B, T, J, S)
    apart = (joint - start - place[..., None] * along).norm(dim=-1)
    there = depth[:, :, None, :, 0] + place * (depth[..., 1] - depth[..., 0])[:, :, None]
    radius = _RADIUS.to(seen.device) / there
    covers = (apart < radius) & (joint_depth[..., None] > there + _BEHIND)
    return (covers & ~_TOUCHES.to(seen.device)).any(-1)
