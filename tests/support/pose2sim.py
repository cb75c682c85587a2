# SPDX-License-Identifier: Apache-2.0
"""Calibrated two-camera footage (the Pose2Sim demo): cameras, triangulated markers, keypoints.

The recording lies in ``shared/data/lifting/pose2sim_single``.  Calibration is Qualisys XML (lengths in
millimetres, Z up, cameras that look along -z with y up, intrinsics in 1/64 pixel); markers are a TRC table in
metres, Y up.  Everything is given here in the project's own terms: metres, Y up, OpenCV cameras, pixels.

The markers are triangulated from OpenPose's BODY_25B points of four cameras and filtered: a stand-in for the truth
that agrees with the two cameras' keypoints within 12 and 19 pixels (median), 2 to 4 cm.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videomdm.camera import Camera
from videomdm.keypoints import Keypoints
from videomdm.keypoints.formats import load_any
from videomdm.keypoints.joints import combine
from videomdm.keypoints.layout import COUNT, INDEX

FPS = 60.0
# Qualisys' axes are Z up; the markers' are Y up: (x, y, z) there is (z, x, y) here.
TO_Z_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
MARKERS = {
    "Hip": "hip", "Knee": "knee", "Ankle": "ankle", "BigToe": "big_toe", "SmallToe": "small_toe", "Heel": "heel",
    "Shoulder": "shoulder", "Elbow": "elbow", "Wrist": "wrist", "Neck": "neck", "Head": "head_top", "Nose": "nose",
}  # fmt: skip


@dataclass(frozen=True)
class CalibratedCamera:
    """One camera of the recording.

    camera: R (3, 3), t (3,), metres, world Y up; intrinsics (3, 3) pixels; distortion k1, k2, p1, p2 (OpenCV);
    width, height: the calibrated image, pixels.
    """

    camera: Camera
    intrinsics: np.ndarray
    distortion: np.ndarray
    width: int
    height: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) to pixels (..., 2), lens distortion included."""
        x = points @ self.camera.R.T + self.camera.t
        u, v = x[..., 0] / x[..., 2], x[..., 1] / x[..., 2]
        k1, k2, p1, p2 = self.distortion
        r2 = u * u + v * v
        radial = 1 + k1 * r2 + k2 * r2 * r2
        bent_u = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
        bent_v = v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v
        return np.stack([bent_u, bent_v], axis=-1) * np.diag(self.intrinsics)[:2] + self.intrinsics[:2, 2]


def read_camera(folder: Path, name: str) -> CalibratedCamera:
    """Camera ``name`` ("cam01" or "cam03") of the recording in ``folder``."""
    root = ElementTree.parse(folder / "Calib.qca.txt").getroot()
    (entry,) = (camera for camera in root.iter("camera") if camera.get("serial", "").replace("_", "") == name)
    transform, view = _numbers(entry, "transform"), _numbers(entry, "fov_video")
    intrinsic = _numbers(entry, "intrinsic")
    R = np.array([[transform[f"r{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    R = np.diag([1.0, -1.0, -1.0]) @ R @ TO_Z_UP
    centre = TO_Z_UP.T @ np.array([transform[axis] for axis in "xyz"]) / 1000
    keys = ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
    fx, fy, cx, cy = (intrinsic[key] / 64 for key in keys)
    bends = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    return CalibratedCamera(
        camera=Camera(R, -R @ centre),
        intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]),
        distortion=np.array([intrinsic[key] for key in bends]),
        width=int(view["right"]) + 1,
        height=int(view["bottom"]) + 1,
    )


def _numbers(entry: ElementTree.Element, tag: str) -> dict[str, float]:
    """The attributes of the element's only child called ``tag``."""
    (child,) = entry.iter(tag)
    return {key: float(value) for key, value in child.items()}


def read_markers(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Markers (T, 27, 3), metres, Y up, in the canonical layout, and which of them exist (27,) bool."""
    lines = (folder / "triangulated.trc").read_text().splitlines()
    names = [name for name in lines[3].split("\t")[2:] if name]
    table = np.array([[float(value) for value in line.split("\t")] for line in lines[5:] if line.strip()])
    values = table[:, 2:].reshape(len(table), len(names), 3)
    markers, there = np.zeros((len(table), COUNT, 3)), np.zeros(COUNT, bool)
    for column, name in enumerate(names):
        side = {"L": "left_", "R": "right_"}[name[0]] if name not in MARKERS else ""
        index = INDEX[side + MARKERS[name if name in MARKERS else name[1:]]]
        markers[:, index], there[index] = values[:, column], True
    return markers, there


def read_joints(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The joints (T, 22, 3) that follow from the markers as ``to_joints`` makes them, and their weight (T, 22)."""
    markers, there = read_markers(folder)
    return combine(markers, np.tile(there.astype(float), (len(markers), 1)))


def read_keypoints(folder: Path, name: str) -> Keypoints:
    """The main person's OpenPose points as camera ``name`` saw them, as detected."""
    camera = read_camera(folder, name)
    return load_any(folder / "pose" / f"{name}_json", fps=FPS, size=(camera.width, camera.height))
