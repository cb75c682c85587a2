# SPDX-License-Identifier: Apache-2.0
"""Training clips of real footage: the keypoints are what was seen, the teacher is lifted, the camera is estimated.

No true motion is known.  The world is level, by the lifter's own direction of gravity, with the floor at 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from videomdm.camera import Camera, seen_from
from videomdm.diffusion.guidance import align_to_rays
from videomdm.errors import UserError
from videomdm.lifting import Footage, window_starts
from videomdm.model.lifter import PERSON_SIZE, Lifted, Lifter, frame_of_reference, place_root
from videomdm.model.lifter import to_world as level_world
from videomdm.motion.representation import encode, start
from videomdm.motion.skeleton import MIRROR

from ..captions import CaptionTable, mirror_caption
from ..clips import FRAME_MULTIPLE, hold_after_end
from ..datasets.footage import CAPTIONS, FootageClip
from ..datasets.left_out import LeftOut
from .imported import ImportedMotion, read_teachers
from .supervision import Collector, Supervision, SupervisionConfig, fitted_camera, stand, taught, weighed

SHORTEST, LONGEST, OVERLAP = 20, 200, 20  # frames at 20 fps
FEWEST_JOINTS = 6  # of a frame in which somebody counts as seen
FEWEST_FRAMES = 0.5  # part of the frames in which somebody must be seen
FARTHEST = 0.25  # root mean square, in image widths, that a camera fitted to a foreign teacher may be off
LIFTED = "lifted"  # a subfolder of footage: motion that another tool lifted, named as the keypoints files

Kind = Literal["lifter", "motion", "pose"]


@dataclass(frozen=True)
class _Window:
    """A stretch of footage: keypoints (T, 22, 2), confidence (T, 22), and whose teacher it has.

    kind:    "lifter", "motion" of another tool in a world with Y up, or its "pose" about the root, seen from the
             camera.
    teacher: that motion or pose (T, 22, 3), Y up.
    """

    name: str
    keypoints: Tensor
    confidence: Tensor
    teacher: Tensor | None
    kind: Kind
    captions: tuple[int, ...]

    def mirrored(self, captions: tuple[int, ...]) -> _Window:
        """Seen in a mirror: left and right change places."""
        flip = torch.tensor([-1.0, 1.0])
        teacher = self.teacher
        if teacher is not None:
            teacher = teacher[:, list(MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
        swapped = self.keypoints[:, list(MIRROR)] * flip, self.confidence[:, list(MIRROR)]
        return replace(self, keypoints=swapped[0], confidence=swapped[1], teacher=teacher, captions=captions)


def to_train_on(folder: Path, clips: Sequence[FootageClip]) -> list[FootageClip]:
    """The clips of the split "train"; UserError where all are held out."""
    chosen = [clip for clip in clips if clip.split == "train"]
    if not chosen:
        raise UserError(f"All clips of {folder} are held out.", f'Give some the split "train" in {CAPTIONS}.')
    return chosen


def folder_supervision(
    folder: Path,
    clips: Sequence[FootageClip],
    lifter: Lifter,
    words: CaptionTable,
    device: torch.device,
    *,
    known: SupervisionConfig,
    align: bool,
    mirror: bool,
) -> Supervision:
    """:func:`footage_supervision` of the ``clips`` of a folder, its own teachers in ``lifted/`` before the lifter."""
    lifted = folder / LIFTED
    teachers = read_teachers(lifted) if lifted.is_dir() else None
    return footage_supervision(
        clips, lifter, words, device, known=known, teachers=teachers, align=align, mirror=mirror
    )


@torch.no_grad()
def footage_supervision(
    clips: Sequence[FootageClip],
    lifter: Lifter,
    words: CaptionTable,
    device: torch.device,
    *,
    known: SupervisionConfig | None = None,
    teachers: Mapping[str, ImportedMotion] | None = None,
    align: bool = True,
    mirror: bool = False,
    batch: int = 64,
    left_out: LeftOut | None = None,
) -> Supervision:
    """Training clips, at 20 fps and at most ten seconds long, of footage; their captions are added to ``words``.

    The teacher is the lifter or, for clips named in ``teachers``, motion that another tool lifted.  The camera is
    the one in which the lifter sees its motion (for poses about the root: a level one), or, with ``known.cameras``
    "pnp" and for foreign motion, the one that explains the keypoints best.  Clips in which too little is seen are
    left out by name.  UserError where none remains.
    """
    known, teachers = known or SupervisionConfig(), teachers or {}
    left_out = LeftOut() if left_out is None else left_out
    windows: list[_Window] = []
    for clip in clips:
        try:
            found = list(_windows(clip, words, teachers.get(clip.name)))
        except UserError as error:
            left_out.add(clip.name, error.message)
            continue
        windows += found
        if mirror:
            other = tuple(words.add(mirror_caption(text)) for text in clip.captions)
            windows += [window.mirrored(other) for window in found]
    lifter = lifter.to(device).eval()
    made = Collector(device)
    windows.sort(key=lambda window: (window.kind, len(window.keypoints)))
    for chunk in _batches(windows, batch):
        keypoints, confidence, mask, count = _padded(chunk, device)
        world, used = _world(chunk, lifter, keypoints, confidence, mask, count, known)
        good = _explained(world, used, keypoints, confidence, mask)
        for window, fine in zip(chunk, good.tolist(), strict=True):
            if not fine:
                left_out.add(window.name, "no camera explains its keypoints by the teacher's motion")
        if align:
            world = align_to_rays(world, used, keypoints, (confidence > 0).float())
            world = hold_after_end(world, count)
        world, used = stand(world, used, mask)
        own = seen_from(used, start(world))
        frames = {
            "teacher": encode(world).half(),
            "keypoints": keypoints,
            "confidence": weighed(confidence, known),
        }
        kept = [window for window, fine in zip(chunk, good.tolist(), strict=True) if fine]
        made.add(
            {name: values[good] for name, values in frames.items()},
            mask[good],
            Camera(own.R[good], own.t[good]),
            [window.captions for window in kept],
            [1.0] * len(kept),
        )
    return made.finish()


def _windows(clip: FootageClip, words: CaptionTable, teacher: ImportedMotion | None) -> Iterator[_Window]:
    """Stretches of a clip in which somebody is seen; UserError where there is none."""
    seen = Footage.of(clip.keypoints, torch.device("cpu"))
    lifted = None
    if teacher is not None:
        # the keypoints begin with the first frame in which somebody is seen
        began = float(clip.keypoints.provenance.get("start", 0.0))
        skipped = float(clip.keypoints.trimmed().provenance["start"]) - began
        lifted = torch.from_numpy(teacher.at_model_rate(skipped))
        if len(lifted) < len(seen.keypoints) - FRAME_MULTIPLE:
            raise UserError(
                f"its teacher's motion has {len(lifted)} frames at 20 fps, the footage {len(seen.keypoints)}",
                "Lift the whole clip.",
            )
    T = len(seen.keypoints) if lifted is None else min(len(seen.keypoints), len(lifted))
    if T < SHORTEST:
        raise UserError("it shows a person for less than a second", "Give longer footage.")
    captions = tuple(words.add(text) for text in clip.captions)
    kind: Kind = "lifter" if teacher is None else "pose" if teacher.about_root else "motion"
    found = False
    for first in window_starts(T, LONGEST, OVERLAP):
        rows = slice(first, min(first + LONGEST, T))
        confidence = seen.weights[rows]
        if float(((confidence > 0).sum(1) >= FEWEST_JOINTS).float().mean()) >= FEWEST_FRAMES:
            found = True
            own = None if lifted is None else lifted[rows]
            yield _Window(clip.name, seen.keypoints[rows], confidence, own, kind, captions)
    if not found:
        raise UserError("too few joints are seen in most of its frames", "Give footage that shows the body.")


def _batches(windows: list[_Window], size: int) -> Iterator[list[_Window]]:
    for kind in ("lifter", "motion", "pose"):
        rows = [window for window in windows if window.kind == kind]
        for first in range(0, len(rows), size):
            yield rows[first : first + size]


def _world(
    chunk: Sequence[_Window],
    lifter: Lifter,
    keypoints: Tensor,
    confidence: Tensor,
    mask: Tensor,
    count: Tensor,
    known: SupervisionConfig,
) -> tuple[Tensor, Camera]:
    """The teacher's joints (B, T, 22, 3) in a world with Y up, and the camera that sees them there."""
    given = [window.teacher for window in chunk if window.teacher is not None]
    if chunk[0].kind == "motion":
        world = _stacked(given, count)
        return world, fitted_camera(world, keypoints, confidence, mask)
    if chunk[0].kind == "pose":
        lifted = _placed(_stacked(given, count), keypoints, confidence * mask[..., None])
    else:
        lifted = taught(lifter, keypoints, confidence, mask, known)
    world, camera = level_world(Lifted(hold_after_end(lifted.joints, count), lifted.up))
    if known.cameras == "pnp":
        return world, fitted_camera(world, keypoints, confidence, mask)
    return world, Camera(camera.R[:, None], camera.t[:, None])


def _placed(pose: Tensor, keypoints: Tensor, weights: Tensor) -> Lifted:
    """Poses (B, T, 22, 3), Y up, of a camera held level, where the keypoints show them."""
    flip = torch.tensor([1.0, -1.0, -1.0], device=pose.device)
    local = (pose - pose[:, :, :1]) * flip
    _, size = frame_of_reference(keypoints, weights)
    root = place_root(local, keypoints, weights, (PERSON_SIZE / size)[:, None])
    up = torch.tensor([0.0, -1.0, 0.0], device=pose.device).expand(len(pose), 3)
    return Lifted(local + root[:, :, None], up)


def _stacked(rows: Sequence[Tensor], count: Tensor) -> Tensor:
    """(B, T, ...) of rows, each cut to its ``count`` (B,) and then held."""
    frame = torch.arange(int(count.max()))
    held = [row[torch.minimum(frame, n - 1)] for row, n in zip(rows, count.cpu(), strict=True)]
    return torch.stack(held).to(count.device)


def _padded(chunk: Sequence[_Window], device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    lengths = [len(window.keypoints) // FRAME_MULTIPLE * FRAME_MULTIPLE for window in chunk]
    count = torch.tensor(lengths, device=device)
    mask = torch.arange(int(count.max()), device=device)[None] < count[:, None]
    keypoints = _stacked([window.keypoints for window in chunk], count)
    return keypoints, _stacked([window.confidence for window in chunk], count), mask, count


def _explained(world: Tensor, camera: Camera, keypoints: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
    """(B,) bool: the camera is finite, has the motion before it, and shows it about where it was seen."""
    seen = camera.to_camera(world)
    weight = (confidence > 0) * mask[..., None]
    total = weight.sum((1, 2)).clamp(min=1)
    ahead = ((seen[..., 2] > 0) * weight).sum((1, 2)) > 0.9 * total
    error = (seen[..., :2] / seen[..., 2:].clamp(min=0.2) - keypoints).square().sum(-1)
    off = ((error * weight).sum((1, 2)) / total).sqrt()
    return ahead & torch.isfinite(off) & (off < FARTHEST)
