# SPDX-License-Identifier: Apache-2.0
"""From motion clips to VideoMDM's training clips: 2D keypoints, a camera, and the teacher's approximate 3D.

A motion-capture clip stands in for footage here: a camera looks at it, a detector's errors are added, and the
lifter sees only those keypoints.  What the model is trained on afterwards holds no ground-truth 3D.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from videomdm.camera import Camera, seen_from, to_world
from videomdm.camera_fit import fit_cameras
from videomdm.diffusion.guidance import align_to_rays
from videomdm.errors import UserError
from videomdm.lifting import FitConfig, Footage, fit_bodies
from videomdm.model.lifter import Lifted, Lifter
from videomdm.model.lifter import to_world as level_world
from videomdm.motion.representation import decode, encode, start
from videomdm.motion.skeleton import CONTACT_JOINTS
from videomdm.progress import progress_bar

from ..clips import FRAME_MULTIPLE, Clips, hold_after_end
from ..views import CameraConfig, DetectorConfig, View, observe, perturb_cameras, sample_cameras

# A single best guess is cautious: near the mean of all poses that its keypoints allow.  A model learns that caution
# as if people moved so; its teacher follows the keypoints closer and trembles a little more.
TEACHER_FIT = FitConfig(observed=0.006, expected=4.0, acceleration=0.03)
ERROR_SEED = 1_000_003


@dataclass(frozen=True)
class SupervisionConfig:
    """What the training knows of each clip beside its keypoints.

    teacher:    "lifted" is VideoMDM's noisy teacher; "fitted" is a body of constant bones that was fitted to the
                lifted motion and its keypoints; "truth" diffuses the motion capture itself.
    cameras:    "true" is the camera that saw the clip; "noisy" the same, turned and moved; "pnp" is fitted to the
                teacher's motion, in the level world that the lifter sees, and the keypoints: nothing is known of
                the true camera then.
    confidence: "score" weighs observations by the detector's confidence; "seen" counts all seen joints alike.
    camera_degrees, camera_shift: of noisy cameras, standard deviation of the turn about each axis, in degrees, and
                of the movement along each axis, as a part of the distance to the person.
    fit:        what the fitted teacher obeys.
    """

    teacher: Literal["lifted", "fitted", "truth"] = "lifted"
    cameras: Literal["true", "noisy", "pnp"] = "true"
    confidence: Literal["score", "seen"] = "score"
    camera_degrees: float = 2.0
    camera_shift: float = 0.05
    fit: FitConfig = field(default_factory=lambda: TEACHER_FIT)


@dataclass(frozen=True)
class SourceClip:
    """One motion clip before it is seen: positions (T, 22, 3) at 20 fps and the ids of its captions.

    cameras: the real cameras that saw it, R (V, 3, 3) and t (V, 3) in the coordinates of ``positions``; None where
    synthetic cameras are to look at it.
    """

    positions: Tensor
    captions: tuple[int, ...]
    weight: float
    cameras: Camera | None = None


@dataclass(frozen=True)
class Supervision:
    """VideoMDM's training clips.

    clips:    frames "teacher" (F, 263) float16 features, "keypoints" (F, 22, 2), "confidence" (F, 22), and, where it
              is known and was asked for, "truth" (F, 263) float16 features of the motion capture, read by baselines
              and measurements only.
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

    @property
    def has_truth(self) -> bool:
        """Whether the true motion is known, which measurements and 3D baselines need."""
        return "truth" in self.clips.frames

    @classmethod
    def join(cls, parts: Sequence[tuple[Supervision, float]]) -> Supervision:
        """Several data sets as one; each is drawn in proportion to its weight, however many clips it has.

        The truth is kept only where all of them have it.
        """
        if not parts or any(not weight > 0 for _, weight in parts):
            raise ValueError("data sets are joined with weights above 0")
        names = set.intersection(*(set(data.clips.frames) for data, _ in parts))
        total = sum(len(data.clips) for data, _ in parts)
        weights = [w * total * data.clips.weights / data.clips.weights.sum() for data, w in parts]
        width = max(data.captions.shape[1] for data, _ in parts)
        columns = torch.arange(width)
        clips = Clips(
            {name: torch.cat([data.clips.frames[name] for data, _ in parts]) for name in sorted(names)},
            torch.cat([data.clips.lengths for data, _ in parts]),
            torch.cat(weights),
        )
        cameras = Camera(
            torch.cat([data.cameras.R for data, _ in parts]), torch.cat([data.cameras.t for data, _ in parts])
        )
        table = [data.captions[:, columns % data.captions.shape[1]] for data, _ in parts]
        return cls(clips, cameras, torch.cat(table))


@dataclass
class Collector:
    """Training clips as they are made, batch by batch."""

    device: torch.device
    frames: dict[str, list[Tensor]] = field(default_factory=dict)
    lengths: list[Tensor] = field(default_factory=list)
    R: list[Tensor] = field(default_factory=list)
    t: list[Tensor] = field(default_factory=list)
    captions: list[tuple[int, ...]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(
        self,
        frames: Mapping[str, Tensor],
        mask: Tensor,
        camera: Camera,
        captions: Iterable[tuple[int, ...]],
        weights: Iterable[float],
    ) -> None:
        """A batch: frames (B, T, ...) under ``mask`` (B, T), cameras R (B, 1, 3, 3) and t (B, 1, 3)."""
        for name, values in frames.items():
            self.frames.setdefault(name, []).append(values[mask])
        self.lengths.append(mask.sum(1))
        self.R.append(camera.R[:, 0])
        self.t.append(camera.t[:, 0])
        self.captions += captions
        self.weights += weights

    def finish(self) -> Supervision:
        """All of it, which is not held here any more; UserError where nothing came together."""
        if not self.captions:
            raise UserError(
                "There is no clip to train on.",
                "Give captioned clips of at least a second; see what was left out.",
            )
        width = max(map(len, self.captions))
        table = torch.tensor([[c[i % len(c)] for i in range(width)] for c in self.captions])
        clips = Clips(
            # one kind after the other, so that not all frames lie in memory twice
            {name: torch.cat(self.frames.pop(name)) for name in list(self.frames)},
            torch.cat(self.lengths).to(self.device),
            torch.tensor(self.weights, device=self.device),
        )
        return Supervision(clips, Camera(torch.cat(self.R), torch.cat(self.t)), table.to(self.device))


def _padded(clips: list[SourceClip], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    lengths = torch.tensor([len(c.positions) // FRAME_MULTIPLE * FRAME_MULTIPLE for c in clips])
    T = int(lengths.max())
    rows = [c.positions[torch.arange(T).clamp(max=int(n) - 1)] for c, n in zip(clips, lengths, strict=True)]
    mask = torch.arange(T)[None] < lengths[:, None]
    return torch.stack(rows).to(device), mask.to(device), lengths.to(device)


def _batches(clips: Iterable[SourceClip], size: int) -> Iterator[list[SourceClip]]:
    """Clips of similar length, those with real cameras apart from the others."""
    chunk: list[SourceClip] = []
    for clip in sorted(clips, key=lambda c: (c.cameras is not None, len(c.positions))):
        if chunk and (len(chunk) == size or (clip.cameras is None) != (chunk[0].cameras is None)):
            yield chunk
            chunk = []
        chunk.append(clip)
    if chunk:
        yield chunk


Teach = Callable[[Lifter, Tensor, Tensor, Tensor, SupervisionConfig], Lifted]


@torch.no_grad()
def build_supervision(
    sources: list[SourceClip],
    lifter: Lifter | None,
    device: torch.device,
    *,
    views: int = 2,
    seed: int = 0,
    camera: CameraConfig | None = None,
    detector: DetectorConfig | None = None,
    known: SupervisionConfig | None = None,
    align: bool = True,
    truth: bool = True,
    batch: int = 64,
    teach: Teach | None = None,
) -> Supervision:
    """Look at every clip from ``views`` cameras and let the lifter say what it sees.

    With ``align`` the lifted joints move onto their observed rays, which leaves the lifter's error in depth only.
    Without ``truth`` the motion capture is not part of the result, which is two fifths smaller then.
    ``teach`` answers in place of :func:`taught`.
    Without a ``lifter`` there are the same keypoints and confidence, but neither teacher nor truth; cameras then are
    in the coordinates of the true motion.
    """
    camera_config, detector_config = camera or CameraConfig(), detector or DetectorConfig()
    known = known or SupervisionConfig()
    generator = torch.Generator(device).manual_seed(seed)
    # drawn apart from the views, which are then the same whatever is known of their cameras
    errors = torch.Generator(device).manual_seed(ERROR_SEED + seed)
    if lifter is not None:
        lifter = lifter.to(device).eval()
    made = Collector(device)
    for chunk in progress_bar(
        list(_batches(sources, batch)), desc="teacher" if lifter else "views", unit="batch"
    ):
        positions, mask, count = _padded(chunk, device)
        real = encode(positions)
        canonical = decode(real)  # at the origin, facing +Z, as every prediction will be
        for number in range(views):
            if chunk[0].cameras is None:
                seen_by = sample_cameras(canonical, mask, generator, camera_config)
            else:
                seen_by = seen_from(_real_cameras(chunk, number, device), start(positions))
            view = observe(canonical, seen_by, generator, detector_config)
            told = [c.captions for c in chunk], [c.weight for c in chunk]
            if lifter is None:
                seen = {"keypoints": view.keypoints, "confidence": weighed(view.confidence, known)}
                made.add(seen, mask, seen_by, *told)
                continue
            world, used = _known(view, canonical, lifter, mask, count, errors, known, teach or taught)
            if align and known.teacher != "truth":
                visible = (view.confidence > 0).float()
                world = align_to_rays(world, used, view.keypoints, visible)
                world = hold_after_end(world, count)
            if known.cameras == "pnp" and known.teacher != "truth":
                world, used = stand(world, used, mask)
            frames = {
                "teacher": encode(world).half(),
                "keypoints": view.keypoints,
                "confidence": weighed(view.confidence, known),
            }
            if truth:
                frames["truth"] = real.half()
            # features forget where a clip starts; what is diffused starts where the teacher says
            own = seen_from(used, start(world))
            made.add(frames, mask, own, *told)
    return made.finish()


def _real_cameras(chunk: Sequence[SourceClip], number: int, device: torch.device) -> Camera:
    """Camera ``number`` of each clip, or the first ones again where it has fewer; (B, 1, 3, 3) and (B, 1, 3)."""
    chosen = [(c.cameras, number % len(c.cameras.R)) for c in chunk if c.cameras is not None]
    R, t = (torch.stack([getattr(cameras, name)[i] for cameras, i in chosen]) for name in ("R", "t"))
    return Camera(R[:, None].to(device), t[:, None].to(device))


def weighed(confidence: Tensor, known: SupervisionConfig) -> Tensor:
    """The confidence that training is to use."""
    return (confidence > 0).to(confidence.dtype) if known.confidence == "seen" else confidence


def fitted_camera(world: Tensor, keypoints: Tensor, confidence: Tensor, mask: Tensor) -> Camera:
    """The static camera, (B, 1, 3, 3) and (B, 1, 3), that best explains keypoints of joints (B, T, 22, 3)."""
    fit = fit_cameras(world, keypoints, confidence * mask[..., None], most_frames=24).camera
    return Camera(fit.R[:, None], fit.t[:, None])


def stand(world: Tensor, camera: Camera, mask: Tensor) -> tuple[Tensor, Camera]:
    """Joints (B, T, 22, 3) with the floor at 0 where the lower foot mostly is, and their cameras after that move."""
    lower = world[:, :, list(CONTACT_JOINTS), 1].amin(2)
    floor = torch.nanquantile(torch.where(mask, lower, torch.nan), 0.2, dim=1)[:, None, None]
    up = torch.tensor([0.0, 1.0, 0.0], device=world.device)
    return world - floor[..., None] * up, Camera(camera.R, camera.t + floor * camera.R[..., 1])


def lift(lifter: Lifter, keypoints: Tensor, confidence: Tensor, mask: Tensor) -> Lifted:
    """The lifter's joints and its direction of gravity, in the precision that is fast."""
    with torch.autocast(keypoints.device.type, torch.bfloat16):
        return lifter(keypoints, confidence, mask)


def taught(
    lifter: Lifter, keypoints: Tensor, confidence: Tensor, mask: Tensor, known: SupervisionConfig
) -> Lifted:
    """The teacher's answer to keypoints (B, T, 22, 2): what the lifter sees, or a body fitted to that as well."""
    lifted = lift(lifter, keypoints, confidence, mask)
    if known.teacher != "fitted":
        return lifted
    body = fit_bodies(lifted.joints, lifted.up, Footage(keypoints, confidence), mask, known.fit)
    return Lifted(hold_after_end(body.joints, mask.sum(1)), body.up)


def _known(
    view: View,
    truth: Tensor,
    lifter: Lifter,
    mask: Tensor,
    count: Tensor,
    errors: torch.Generator,
    known: SupervisionConfig,
    teach: Teach,
) -> tuple[Tensor, Camera]:
    """The teacher's joints (B, T, 22, 3) in a world, and the camera that training is told of there."""
    world = truth
    if known.teacher != "truth":
        lifted = teach(lifter, view.keypoints, view.confidence, mask, known)
        if known.cameras == "pnp":
            world = level_world(Lifted(hold_after_end(lifted.joints, count), lifted.up))[0]
        else:
            world = to_world(view.camera, lifted.joints)
    if known.cameras == "pnp":
        return world, fitted_camera(world, view.keypoints, view.confidence, mask)
    if known.cameras == "noisy":
        seen = view.camera.to_camera(truth)[..., 0, 2]
        distance = (seen * mask).sum(1) / mask.sum(1)
        return world, perturb_cameras(view.camera, distance, errors, known.camera_degrees, known.camera_shift)
    return world, view.camera
