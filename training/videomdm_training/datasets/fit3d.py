# SPDX-License-Identifier: Apache-2.0
"""Fit3D (Fieraru et al., CVPR 2021): exercises seen by four calibrated cameras, with joints at 50 fps.

::

    [train/]<subject>/joints3d_25/<action>.json                  {"joints3d_25": T x 25 x 3}, metres
    [train/]<subject>/camera_parameters/<camera>/<action>.json   extrinsics R (3 x 3) and T (3)

A point is seen at R (X - T).  The 25 are Human3.6M's 17 joints and two points at the end of each limb: 17, 18
beyond the foot of 1-3, 19, 20 beyond that of 4-6.  The files do not say which leg is left; the toes do.  Nor do
they say which axis is up; the cameras, which stand upright, do.

Training sees the takes through these cameras.  The last subject in order of names is for tests, the one before it
for validation, where there are at least three.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from videomdm.camera import NEAREST_DEPTH, Camera, seen_from
from videomdm.errors import UserError

from .body import AXES, H36M, from_points, on_standard_body, placed, to_y_up
from .left_out import LeftOut
from .takes import Options, Take, Words, segments_of

NOTES = {
    "name": "Fit3D",
    "licence": "non-commercial research; see fit3d.imar.ro",
    "credit": "Fit3D (Fieraru et al., 2021)",
}
FPS_SOURCE = 50.0
JOINTS = "joints3d_25"
_POINTS = (*H36M, "right_big_toe", "left_big_toe")
_LEGS_SWAPPED = (0, 4, 5, 6, 1, 2, 3, *range(7, 17))
_ARMS_SWAPPED = (*range(11), 14, 15, 16, 11, 12, 13)


def found(folder: Path) -> bool:
    """Whether this looks like Fit3D."""
    return any(_files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob(f"*/{JOINTS}/*.json"), *folder.glob(f"train/*/{JOINTS}/*.json")])


def read(folder: Path, options: Options, left_out: LeftOut) -> Iterator[Take]:
    """All takes with the cameras that saw them."""
    files = _files(folder)
    subjects = sorted({file.parents[1].name for file in files})
    split = dict.fromkeys(subjects, "train")
    if len(subjects) >= 3:
        split |= {subjects[-1]: "test", subjects[-2]: "val"}
    for file in files:
        subject = file.parents[1].name
        try:
            yield _take(file, subject, split[subject], options, left_out)
        except UserError as error:
            left_out.add(str(file), error.message)


def _take(file: Path, subject: str, split: str, options: Options, left_out: LeftOut) -> Take:
    points = _array(_json(file), JOINTS, (None, 25, 3))
    cameras = _cameras(file, left_out)
    axes = _axes(list(cameras.values()))
    upright = to_y_up(points, axes)
    positions, scale = on_standard_body(_joints(upright))
    packed, placement, floor = placed(positions, FPS_SOURCE)
    kept = []
    for name, camera in cameras.items():
        # the same picture of a body that was turned, scaled, and put on the origin
        turned = Camera(np.asarray(camera.R @ AXES[axes])[None, None], scale * camera.t[None, None])
        own = seen_from(turned, placement)
        R, t = own.R[0, 0], own.t[0, 0] + floor * own.R[0, 0, :, 1]
        if float(((packed[:, 0] @ R.T + t)[:, 2] > NEAREST_DEPTH).mean()) < 0.9:
            left_out.add(name, "the camera stands behind or within the scene")
            continue
        kept.append({"R": R.tolist(), "t": t.tolist()})
    action = file.stem.replace("_", " ")
    caption = options.caption or f"a person does {action}"
    segments = segments_of(
        f"{subject}/{file.stem}",
        packed,
        [Words((caption,), split=split)],
        options,
        subject=subject,
        source="own",
        description=action,
    )
    return Take(f"{subject}/{file.stem}", packed.astype(np.float32), tuple(segments), tuple(kept))


def _joints(points: np.ndarray) -> np.ndarray:
    """The 22 joints of (T, 25, 3) points, Y up."""
    body = points[:, : len(H36M)]
    toes = np.stack([points[:, 17:19].mean(1), points[:, 19:21].mean(1)], axis=1)  # beyond 3 and 6
    ahead = (toes - body[:, [3, 6]]).sum(1)
    to_left = np.cross([0.0, 1.0, 0.0], ahead)
    if float(np.median(((body[:, 4] - body[:, 1]) * to_left).sum(-1))) < 0:  # the left leg comes first
        body, toes = body[:, list(_LEGS_SWAPPED)], toes[:, ::-1]
    # arms and legs need not be listed in the same order
    shoulders, hips = body[:, 11] - body[:, 14], body[:, 4] - body[:, 1]
    if float(np.median((shoulders * hips).sum(-1))) < 0:
        body = body[:, list(_ARMS_SWAPPED)]
    return from_points(np.concatenate([body, toes], axis=1), _POINTS)[0]


def _cameras(file: Path, left_out: LeftOut) -> dict[str, Camera]:
    """Camera file -> world to camera; those that cannot be read are left out by name."""
    cameras = {}
    for path in sorted(file.parents[1].glob(f"camera_parameters/*/{file.name}")):
        try:
            extrinsics = _json(path).get("extrinsics", {})
            R, centre = _array(extrinsics, "R", (3, 3)), _array(extrinsics, "T", (None,))
            if centre.size != 3 or abs(np.linalg.det(R) - 1) > 1e-2:
                raise UserError("its R and T are no rotation and no place", "Copy it again.")
        except UserError as error:
            left_out.add(str(path), error.message)
            continue
        cameras[str(path)] = Camera(R, -R @ centre.reshape(3))
    if not cameras:
        raise UserError("it has no usable camera", "Copy its camera_parameters.")
    return cameras


def _axes(cameras: list[Camera]) -> str:
    up = -np.mean([camera.R[1] for camera in cameras], axis=0)  # images grow downwards
    for axes, direction in (("y-up", [0, 1, 0]), ("z-up", [0, 0, 1])):
        if float(up @ direction) > 0.7:
            return axes
    raise UserError(f"its cameras stand upright along {np.round(up, 2).tolist()}", "Y or Z must be up.")


def _json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable JSON ({error})", "Copy it again.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no object", "Copy it again.")
    return values


def _array(values: dict, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    try:
        array = np.array(values[key], np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{key} is missing or no array", "Copy it again.") from error
    if shape == (None,):
        array = array.reshape(-1)
    if array.ndim != len(shape) or any(
        n is not None and n != m for n, m in zip(shape, array.shape, strict=True)
    ):
        raise UserError(f"{key} has the shape {array.shape}", "Copy it again.")
    if not np.isfinite(array).all():
        raise UserError(f"{key} holds NaN or infinite numbers", "Leave these frames out.")
    return array
