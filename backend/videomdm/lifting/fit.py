# SPDX-License-Identifier: Apache-2.0
"""A body fitted to footage: bones of one length, seen from one still camera, standing on one floor.

A network that lifts keypoints frame by frame does not quite obey them, and its bones change length.  Here the most
probable motion is found, all frames together, that

* shows every seen joint where it was seen (confidence squared as weight; what lies far off counts linearly),
* has a skeleton: bones of a constant length near the model's, a stiff pelvis, a chest that bends little,
* stays near an expected pose, which may be off along the ray twice as far as across it,
* moves smoothly, and whose feet, where they rest, do not slide and lie on one floor.

A bone's length and the places of its ends in the image tell how far it leans, and the expected pose tells which
way; so obeying the keypoints corrects depth, too.  Everything is in camera space, in metres.  Shape letters:
T frames, J 22 joints, 21 bones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..camera import homogeneous
from ..motion.body import BONE_LENGTHS
from ..motion.clip import FPS
from ..motion.skeleton import CONTACT_JOINTS, JOINT_COUNT, JOINT_NAMES, MIRROR, PARENTS
from .footage import Footage

STAGES, ITERATIONS = 3, 20  # resting feet are found anew at the beginning of each stage


@dataclass(frozen=True)
class FitConfig:
    """Standard deviations of what a fitted body obeys, in metres unless said otherwise.

    observed:     of seen joints across their rays, at confidence 1.
    outlier:      so many of them off, a seen joint begins to count linearly.
    expected:     how far the expected pose is trusted, as a multiple of ``DEPTH_ERROR``.  Its errors in
                  neighbouring frames are one and the same, so it counts less than they alone would let it.
    acceleration: of a joint's second difference between frames.
    root:         of the root against the expected one.
    proportions:  of a bone's length, as a part of it.
    slide:        of a resting foot between two frames; height: of its height above the floor.
    gravity:      of the expected direction of gravity, radians.
    """

    observed: float = 0.012
    outlier: float = 4.0
    expected: float = 2.0
    acceleration: float = 0.04
    root: float = 0.3
    proportions: float = 0.06
    slide: float = 0.012
    height: float = 0.02
    gravity: float = 0.03


@dataclass(frozen=True)
class Fitted:
    """joints (T, 22, 3) in camera space, and up (3,) against gravity."""

    joints: Tensor
    up: Tensor


# How far the lifter's joints about the root are off along the ray on validation clips, metres; across it is half.
_DEPTH_ERROR = {
    "pelvis": 0.012, "hip": 0.012, "spine1": 0.015, "spine2": 0.022, "spine3": 0.025, "knee": 0.06,
    "ankle": 0.085, "foot": 0.09, "neck": 0.042, "collar": 0.034, "head": 0.05, "shoulder": 0.036,
    "elbow": 0.074, "wrist": 0.112,
}  # fmt: skip
DEPTH_ERROR = torch.tensor(
    [next(value for part, value in _DEPTH_ERROR.items() if part in name) for name in JOINT_NAMES]
)

# Joints that keep their distance over the training clips: both, the distance, and how far to trust it on strangers.
_KEPT = (
    ("left_hip", "right_hip", 0.119, 0.006),
    ("left_hip", "spine1", 0.223, 0.006),
    ("right_hip", "spine1", 0.223, 0.006),
    ("spine1", "spine3", 0.200, 0.015),
    ("spine3", "neck", 0.219, 0.015),
    ("neck", "left_collar", 0.122, 0.02),
    ("neck", "right_collar", 0.126, 0.02),
    ("left_collar", "right_collar", 0.146, 0.02),
    ("left_shoulder", "right_shoulder", 0.380, 0.02),
    ("left_collar", "right_shoulder", 0.268, 0.02),
    ("right_collar", "left_shoulder", 0.268, 0.02),
    ("spine3", "left_shoulder", 0.205, 0.02),
    ("spine3", "right_shoulder", 0.205, 0.02),
    ("neck", "left_shoulder", 0.238, 0.02),
    ("neck", "right_shoulder", 0.244, 0.02),
)
_ENDS = torch.tensor([[JOINT_NAMES.index(name) for name in pair[:2]] for pair in _KEPT]).T
_DISTANCE, _DISTANCE_ERROR = (torch.tensor([pair[i] for pair in _KEPT]) for i in (2, 3))

_PARENTS = torch.tensor(PARENTS[1:])
_LENGTHS = torch.tensor(BONE_LENGTHS[1:], dtype=torch.float32)
_MIRRORED_BONES = torch.tensor(MIRROR[1:]) - 1
_FEET = list(CONTACT_JOINTS)
# Heights of ankles and toes of somebody who stands, over the training clips.
RESTING = torch.tensor([0.068 if "ankle" in JOINT_NAMES[joint] else 0.014 for joint in CONTACT_JOINTS])
# Beyond these a foot counts little as resting: m/s across and along the ray, where speed is poorly seen, and m.
_RESTING_ACROSS, _RESTING_ALONG, _RESTING_HEIGHT = 0.5, 1.0, 0.1
_INDEPENDENT = 10.0  # frames in which errors are one and the same


def _bones_above() -> Tensor:
    """(22, 21): 1 where a bone lies between the root and the joint."""
    above = torch.zeros(JOINT_COUNT, JOINT_COUNT - 1)
    for joint in range(1, JOINT_COUNT):
        above[joint] = above[PARENTS[joint]]
        above[joint, joint - 1] = 1
    return above


_ABOVE = _bones_above()


class _Body:
    """The unknowns: the root's path, the bones' directions, their lengths, and gravity."""

    def __init__(self, expected: Tensor, up: Tensor, config: FitConfig) -> None:
        self.config = config
        self.up = up
        # all unknowns are of the order of a tenth, which the optimiser likes
        self.root = expected[:, 0].clone().requires_grad_()
        bones = F.normalize(expected[:, 1:] - expected[:, _PARENTS], dim=-1)
        self.directions = (0.3 * bones).requires_grad_()
        self.lengths = torch.zeros(JOINT_COUNT - 1, requires_grad=True)
        self.tilt = torch.zeros(3, requires_grad=True)

    @property
    def unknowns(self) -> list[Tensor]:
        return [self.root, self.directions, self.lengths, self.tilt]

    def joints(self) -> Tensor:
        """(T, 22, 3)."""
        both_sides = (self.lengths + self.lengths[_MIRRORED_BONES]) / 2
        lengths = _LENGTHS * torch.exp(self.config.proportions * both_sides)
        bones = F.normalize(self.directions, dim=-1) * lengths[:, None]
        return self.root[:, None] + _ABOVE @ bones

    def against_gravity(self) -> Tensor:
        """(3,)."""
        return F.normalize(self.up + 0.1 * self.tilt, dim=-1)


class _Terms:
    """What the unknowns must obey: squared errors over their variances, a mean over frames."""

    def __init__(self, footage: Footage, expected: Tensor, config: FitConfig) -> None:
        self.config = config
        self.rays = F.normalize(homogeneous(footage.keypoints), dim=-1)
        self.trust = footage.weights**2 / config.observed**2
        self.seen_feet = footage.seen[:, _FEET]
        self.root = expected[:, 0].clone()
        self.pose = expected - expected[:, :1]
        self.view = F.normalize(expected, dim=-1)
        self.depth = (config.expected * DEPTH_ERROR[1:]) ** -2
        self.across = 4 * self.depth
        self.resting: Tensor | None = None

    @torch.no_grad()
    def find_resting_feet(self, joints: Tensor, up: Tensor) -> None:
        """Feet (T, 4) that are slow, low and seen, from 0 to 1."""
        feet = joints[:, _FEET]
        height = feet @ up - RESTING
        moved = torch.cat([feet[:1], feet, feet[-1:]])
        between = torch.full((len(feet), 1), 2.0)
        between[[0, -1]] = 1.0
        velocity = (moved[2:] - moved[:-2]) * FPS / between[..., None]
        along = (velocity * F.normalize(feet, dim=-1)).sum(-1) ** 2
        across = velocity.square().sum(-1) - along
        above = (height - torch.quantile(height.amin(1), 0.2)).clamp(min=0)
        unlike = across / _RESTING_ACROSS**2 + along / _RESTING_ALONG**2 + (above / _RESTING_HEIGHT) ** 2
        self.resting = torch.exp(-unlike) * self.seen_feet

    def __call__(self, body: _Body) -> Tensor:
        config, joints = self.config, body.joints()
        along = (joints * self.rays).sum(-1, keepdim=True)
        off = (joints - along * self.rays).square().sum(-1) * self.trust
        knee = config.outlier**2
        total = (2 * knee * ((1 + off / knee).sqrt() - 1)).sum()

        error = joints[:, 1:] - joints[:, :1] - self.pose[:, 1:]
        deep = (error * self.view[:, 1:]).sum(-1) ** 2
        total = total + (deep * self.depth + (error.square().sum(-1) - deep) * self.across).sum()
        total = total + (body.root - self.root).square().sum() / config.root**2

        apart = (joints[:, _ENDS[0]] - joints[:, _ENDS[1]]).norm(dim=-1)
        total = total + ((apart - _DISTANCE) / _DISTANCE_ERROR).square().sum()
        total = total + len(joints) / _INDEPENDENT * body.lengths.square().sum()

        bend = joints[2:] - 2 * joints[1:-1] + joints[:-2]
        total = total + bend.square().sum() / config.acceleration**2
        if self.resting is not None:
            total = total + self._on_floor(joints, body.against_gravity(), self.resting)
            turned = body.against_gravity() - body.up
            total = total + _INDEPENDENT * turned.square().sum() / config.gravity**2
        return total / len(joints)

    def _on_floor(self, joints: Tensor, up: Tensor, resting: Tensor) -> Tensor:
        feet = joints[:, _FEET]
        height = feet @ up - RESTING
        floor = (height * resting).sum() / resting.sum().clamp(min=1e-3)
        slide = (feet[1:] - feet[:-1]).square().sum(-1) * torch.minimum(resting[1:], resting[:-1])
        lift = (height - floor).square() * resting
        return lift.sum() / self.config.height**2 + slide.sum() / self.config.slide**2


def fit_body(
    expected: Tensor,
    up: Tensor,
    footage: Footage,
    config: FitConfig | None = None,
    stage: Callable[[float, Tensor, Tensor], None] | None = None,
) -> Fitted:
    """The most probable body near ``expected`` (T, 22, 3), with gravity near ``up`` (3,), both in camera space.

    ``stage`` hears of every stage: how much is done, the joints so far, and up.  It may raise Cancelled.  Runs on
    the CPU, where so many small operations are fastest, and answers on the device of ``expected``.
    """
    config = config or FitConfig()
    device = expected.device
    with torch.inference_mode(False), torch.enable_grad():
        # tensors of inference mode cannot take part in a derivative; their clones can
        expected, up = (values.detach().float().cpu().clone() for values in (expected, up))
        seen = Footage(*(x.float().cpu().clone() for x in (footage.keypoints, footage.weights)))
        body, terms = _Body(expected, up, config), _Terms(seen, expected, config)
        for number in range(STAGES):
            if number:
                terms.find_resting_feet(body.joints(), body.against_gravity())
            _descend(body, terms)
            if stage is not None:
                joints, vertical = body.joints().detach(), body.against_gravity().detach()
                stage((number + 1) / STAGES, joints.to(device), vertical.to(device))
        return Fitted(body.joints().detach().to(device), body.against_gravity().detach().to(device))


def _descend(body: _Body, terms: _Terms) -> None:
    """L-BFGS (Nocedal, 1980) on all unknowns."""
    optimiser = torch.optim.LBFGS(
        body.unknowns, max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = terms(body)
        loss.backward()
        return loss

    optimiser.step(closure)
