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
B clips, T frames, J 22 joints, 21 bones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..camera import homogeneous
from ..errors import UserError
from ..motion.body import BONE_LENGTHS
from ..motion.clip import FPS
from ..motion.skeleton import CONTACT_JOINTS, JOINT_COUNT, JOINT_NAMES, MIRROR, PARENTS
from .descent import minimise
from .footage import Footage

STAGES = 3  # resting feet are found anew at the beginning of each


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
    iterations:   of the minimiser in each stage.
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
    iterations: int = 20

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value < math.inf and (name, value) != ("proportions", 0.0):  # 0: rigid lengths
                raise UserError(f"The fit's {name} is {value:g}.", "Give a number above 0.")


@dataclass(frozen=True)
class Fitted:
    """joints (T, 22, 3) in camera space, and up (3,) against gravity; or rows of these, one for each clip."""

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
    """The unknowns: the root's path, the bones' directions, their lengths, and gravity.

    In memory a row for each clip, so that one minimisation serves them all.
    """

    def __init__(self, expected: Tensor, up: Tensor, config: FitConfig) -> None:
        self.config = config
        self.up = up
        T = expected.shape[1]
        self.shapes = ((T, 3), (T, JOINT_COUNT - 1, 3), (JOINT_COUNT - 1,), (3,))
        self.lengths, self.above = _LENGTHS.to(up), _ABOVE.to(up)
        self.mirrored = _MIRRORED_BONES.to(up.device)
        # all unknowns are of the order of a tenth, which the minimiser likes
        bones = F.normalize(expected[:, :, 1:] - expected[:, :, _PARENTS], dim=-1)
        zeros = up.new_zeros(len(up), JOINT_COUNT - 1 + 3)
        self.start = torch.cat([expected[:, :, 0].flatten(1), (0.3 * bones).flatten(1), zeros], 1)

    def parts(self, x: Tensor) -> list[Tensor]:
        """Root (B, T, 3), directions (B, T, 21, 3), logarithms of lengths (B, 21) and tilt (B, 3) of rows ``x``."""
        sizes = [math.prod(shape) for shape in self.shapes]
        return [part.unflatten(1, shape) for part, shape in zip(x.split(sizes, 1), self.shapes, strict=True)]

    def joints(self, root: Tensor, directions: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, 22, 3)."""
        both_sides = (lengths + lengths[:, self.mirrored]) / 2
        long = self.lengths * torch.exp(self.config.proportions * both_sides)
        bones = F.normalize(directions, dim=-1) * long[:, None, :, None]
        return root[:, :, None] + self.above @ bones

    def against_gravity(self, tilt: Tensor) -> Tensor:
        """(B, 3)."""
        return F.normalize(self.up + 0.1 * tilt, dim=-1)

    def at(self, x: Tensor) -> Fitted:
        """The body that a row of ``x`` says."""
        root, directions, lengths, tilt = self.parts(x)
        return Fitted(self.joints(root, directions, lengths), self.against_gravity(tilt))


class _Terms:
    """What the unknowns must obey: squared errors over their variances, a mean over frames."""

    def __init__(self, body: _Body, footage: Footage, expected: Tensor, mask: Tensor) -> None:
        config = self.config = body.config
        self.body = body
        self.rays = F.normalize(homogeneous(footage.keypoints), dim=-1)
        self.mask = mask.to(expected)
        self.frames = self.mask.sum(1)
        self.trust = (footage.weights / config.observed) ** 2 * self.mask[..., None]
        self.seen_feet = footage.seen[:, :, _FEET] * self.mask[..., None]
        self.root = expected[:, :, 0].clone()
        self.pose = expected - expected[:, :, :1]
        self.view = F.normalize(expected, dim=-1)
        self.depth = (config.expected * DEPTH_ERROR[1:].to(expected)) ** -2 * self.mask[..., None]
        self.across = 4 * self.depth
        self.ends = _ENDS.to(expected.device)
        self.distance, self.distance_error = _DISTANCE.to(expected), _DISTANCE_ERROR.to(expected)
        self.feet, self.standing = torch.tensor(_FEET, device=expected.device), RESTING.to(expected)
        self.resting: Tensor | None = None

    @torch.no_grad()
    def find_resting_feet(self, x: Tensor) -> None:
        """Feet (B, T, 4) that are slow, low and seen, from 0 to 1."""
        fitted = self.body.at(x)
        # after a clip's end the foot is where it was last, as before its beginning
        last = (self.frames.long() - 1)[:, None]
        rows = torch.arange(self.mask.shape[1], device=last.device)
        before, after = (rows - 1).clamp(min=0).expand(len(last), -1), torch.minimum(rows + 1, last)
        feet = fitted.joints[:, :, _FEET]
        clip = torch.arange(len(last), device=last.device)[:, None]
        height = (feet @ fitted.up[:, None, :, None])[..., 0] - RESTING.to(feet)
        velocity = (
            (feet[clip, after] - feet[clip, before]) * FPS / (after - before).clamp(min=1)[..., None, None]
        )
        along = (velocity * F.normalize(feet, dim=-1)).sum(-1) ** 2
        across = velocity.square().sum(-1) - along
        lower = torch.where(self.mask > 0, height.amin(2), torch.nan)
        above = (height - torch.nanquantile(lower, 0.2, dim=1)[:, None, None]).clamp(min=0)
        unlike = across / _RESTING_ACROSS**2 + along / _RESTING_ALONG**2 + (above / _RESTING_HEIGHT) ** 2
        self.resting = torch.exp(-unlike) * self.seen_feet

    def __call__(self, x: Tensor) -> Tensor:
        config, mask = self.config, self.mask
        root, directions, lengths, tilt = self.body.parts(x)
        joints = self.body.joints(root, directions, lengths)
        along = (joints * self.rays).sum(-1, keepdim=True)
        off = (joints - along * self.rays).square().sum(-1) * self.trust
        knee = config.outlier**2
        total = (2 * knee * ((1 + off / knee).sqrt() - 1)).sum((1, 2))

        error = (joints - joints[:, :, :1] - self.pose)[:, :, 1:]
        deep = (error * self.view[:, :, 1:]).sum(-1) ** 2
        total = total + (deep * self.depth + (error.square().sum(-1) - deep) * self.across).sum((1, 2))
        total = total + ((root - self.root).square().sum(-1) * mask).sum(1) / config.root**2

        apart = (joints[:, :, self.ends[0]] - joints[:, :, self.ends[1]]).norm(dim=-1)
        stiff = ((apart - self.distance) / self.distance_error).square().sum(-1)
        total = total + (stiff * mask).sum(1)
        total = total + self.frames / _INDEPENDENT * lengths.square().sum(1)

        bend = joints[:, 2:] - 2 * joints[:, 1:-1] + joints[:, :-2]
        total = total + (bend.square().sum((2, 3)) * mask[:, 2:]).sum(1) / config.acceleration**2
        if self.resting is not None:
            up = self.body.against_gravity(tilt)
            total = total + self._on_floor(joints, up, self.resting)
            total = total + _INDEPENDENT * (up - self.body.up).square().sum(1) / config.gravity**2
        return total / self.frames

    def _on_floor(self, joints: Tensor, up: Tensor, resting: Tensor) -> Tensor:
        feet = joints[:, :, self.feet]
        height = (feet @ up[:, None, :, None])[..., 0] - self.standing
        floor = (height * resting).sum((1, 2)) / resting.sum((1, 2)).clamp(min=1e-3)
        slide = (feet[:, 1:] - feet[:, :-1]).square().sum(-1) * torch.minimum(resting[:, 1:], resting[:, :-1])
        lift = (height - floor[:, None, None]).square() * resting
        return lift.sum((1, 2)) / self.config.height**2 + slide.sum((1, 2)) / self.config.slide**2


def fit_bodies(
    expected: Tensor,
    up: Tensor,
    footage: Footage,
    mask: Tensor,
    config: FitConfig | None = None,
    stage: Callable[[float, Fitted], None] | None = None,
) -> Fitted:
    """The most probable bodies near ``expected`` (B, T, 22, 3), with gravity near ``up`` (B, 3), all in camera space.

    ``footage`` has a row for each clip, too; ``mask`` (B, T) is true in a clip's frames, which begin the row.
    ``stage`` hears of every stage: how much is done, and the bodies so far.  It may raise Cancelled.
    """
    config = config or FitConfig()
    with torch.inference_mode(False), torch.enable_grad():
        # tensors of inference mode cannot take part in a derivative; their clones can
        expected, up = (values.detach().float().clone() for values in (expected, up))
        seen = Footage(footage.keypoints.float().clone(), footage.weights.float().clone())
        body = _Body(expected, up, config)
        terms = _Terms(body, seen, expected, mask.clone())
        x = body.start
        for number in range(STAGES):
            if number:
                terms.find_resting_feet(x)
            x = minimise(terms, x, config.iterations)
            if stage is not None:
                stage((number + 1) / STAGES, body.at(x))
        return body.at(x)


def fit_body(
    expected: Tensor,
    up: Tensor,
    footage: Footage,
    config: FitConfig | None = None,
    stage: Callable[[float, Tensor, Tensor], None] | None = None,
) -> Fitted:
    """:func:`fit_bodies` of one clip, ``expected`` (T, 22, 3) and ``up`` (3,).

    Runs on the CPU, where the small operations of a single clip are fastest, and answers on the device of
    ``expected``.
    """
    device = expected.device
    alone = Footage(footage.keypoints.cpu()[None], footage.weights.cpu()[None])
    everywhere = torch.ones(1, len(expected), dtype=torch.bool)

    def tell(done: float, body: Fitted) -> None:
        if stage is not None:
            stage(done, body.joints[0].to(device), body.up[0].to(device))

    fitted = fit_bodies(expected.cpu()[None], up.cpu()[None], alone, everywhere, config, tell)
    return Fitted(fitted.joints[0].to(device), fitted.up[0].to(device))
