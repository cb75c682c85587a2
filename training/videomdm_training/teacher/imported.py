# SPDX-License-Identifier: Apache-2.0
"""Motion that another tool lifted from video, as the noisy teacher: joint arrays, or SMPL parameters.

::

    .npz   joints (T, J, 3)          J is 22 or 24 (SMPL), 52, 55, 127 or 144 (SMPL-H and -X), 17 (Human3.6M) or
                                     16 (NBA)
           or poses (T, >= 66), trans (T, 3), betas (S,): axis-angle SMPL parameters; also global_orient with
           body_pose, and transl
           fps                       or mocap_framerate; a number
           axes                      text: "y-up", "z-up" or "camera" (x right, y down, z forward)
           units                     text: "m", "mm" or "any", which is scaled to the body's size
    .npz   a clip file of this project
    .npy   the joints alone

What a file does not say, the caller does.  Many lifters give poses about the root only; in camera axes these are
put where the keypoints are.  Pickles (.pkl, .pth) are refused.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import FPS, Motion, write_atomically
from videomdm.motion.resample import resample_positions

from ..datasets.arrays import RATES, frame_rate, load_array, load_arrays, numbers, word
from ..datasets.body import AXES, from_joints, leg_length, on_standard_body, to_y_up
from ..datasets.left_out import LeftOut
from ..datasets.smpl import Bodies, gender_of, pose_parameters

ENDINGS = (".npz", ".npy")
UNITS = {"m": 1.0, "mm": 0.001, "any": 1.0}
STILL = 0.02  # of a leg: a root that moves less than this over a whole clip is not told
LEG = 0.82  # metres: thigh and shin of the standard body
_ARRAYS = (
    "joints", "poses", "global_orient", "root_orient", "body_pose", "pose_body", "trans", "transl", "betas",
    *RATES, "axes", "units", "positions", "meta",
)  # fmt: skip


@dataclass(frozen=True)
class ImportedMotion:
    """What another tool saw.

    positions:  (T, 22, 3) float64 on the standard body, metres, Y up, anywhere.
    fps:        frames per second.
    axes:       the file's own.
    about_root: these are poses as seen from the camera, which looks along -Z here, the root at the origin.
    """

    positions: np.ndarray
    fps: float
    axes: str = "y-up"
    about_root: bool = False

    def at_model_rate(self, skip: float = 0.0) -> np.ndarray:
        """(T', 22, 3) float32 at 20 frames per second, from ``skip`` seconds on."""
        positions = resample_positions(self.positions, self.fps, FPS)[round(skip * FPS) :]
        return positions.astype(np.float32)

    def save(self, file: Path) -> Path:
        """Write it as joints (T, 22, 3) in its own axes, which :func:`read_lifted` reads without body models."""
        content = io.BytesIO()
        joints = (self.positions @ AXES[self.axes].T).astype(np.float32)
        np.savez_compressed(content, joints=joints, fps=self.fps, axes=self.axes)
        return write_atomically(file, content.getvalue())


def read_lifted(
    file: Path,
    fps: float | None = None,
    axes: str = "y-up",
    bodies: Bodies | None = None,
    units: str = "m",
) -> ImportedMotion:
    """Read one lifted motion.

    ``fps``, ``axes`` and ``units`` hold where the file says nothing; ``bodies`` are needed for SMPL parameters.
    UserError where the file is broken, a pickle, of an unknown skeleton, or without a frame rate.
    """
    if file.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{file} is neither .npz nor .npy.",
            "Save the joints or the SMPL parameters as plain arrays with numpy.savez; pickles are not read.",
        )
    try:
        return _read(file, fps, axes, bodies, units)
    except UserError as error:
        raise UserError(f"{file} cannot be used: {error.message.rstrip('.')}.", error.advice) from error


def _read(file: Path, fps: float | None, axes: str, bodies: Bodies | None, units: str) -> ImportedMotion:
    if file.suffix.lower() == ".npy":
        arrays = {"joints": load_array(file)}
    else:
        arrays = load_arrays(file, (), _ARRAYS)
    if {"positions", "meta"} <= arrays.keys():
        motion = Motion.load(file)
        return ImportedMotion(on_standard_body(motion.positions)[0], motion.fps)
    rate = frame_rate(arrays, fps)
    axes, units = word(arrays.get("axes", axes), ""), word(arrays.get("units", units), "")
    if "joints" in arrays:
        upright = _in_metres(to_y_up(numbers(arrays["joints"], "joints"), axes), units)
        points = from_joints(upright)
        root = upright[:, 0]  # the first joint of every known skeleton
    else:
        parameters = pose_parameters(arrays)
        if bodies is None:
            raise UserError("it holds SMPL parameters", "Give the folder of body models, too.")
        points = to_y_up(bodies.of(gender_of(file)).joints(*parameters), axes)
        root = points[:, 0]
    # before the body gets its size: root and legs are in one unit here, whichever that is
    about_root = axes == "camera" and float(np.ptp(root, axis=0).max()) < STILL * leg_length(points)
    if units == "any":
        points = points * (LEG / max(leg_length(points), 1e-9))
    positions, _ = on_standard_body(points)
    if about_root:
        positions = positions - positions[:, :1]
    return ImportedMotion(positions, rate, axes, about_root)


def _in_metres(points: np.ndarray, units: str) -> np.ndarray:
    if units not in UNITS:
        raise UserError(f"{units!r} names no units", f"Choose one of {', '.join(UNITS)}.")
    return UNITS[units] * points


def read_teachers(
    folder: Path,
    fps: float | None = None,
    axes: str = "y-up",
    bodies: Bodies | None = None,
    left_out: LeftOut | None = None,
    units: str = "m",
) -> dict[str, ImportedMotion]:
    """Name without ending -> motion, of all files in a folder; those that cannot be read are left out by name."""
    left_out = LeftOut() if left_out is None else left_out
    found: dict[str, ImportedMotion] = {}
    for file in sorted(
        path for path in folder.iterdir() if path.suffix.lower() in (*ENDINGS, ".pkl", ".pth")
    ):
        try:
            found[file.stem] = read_lifted(file, fps, axes, bodies, units)
        except UserError as error:
            left_out.add(str(file), error.message)
    if not found:
        raise UserError(
            f"{folder} holds no lifted motion that can be used.", "See what was left out and why."
        )
    return found
