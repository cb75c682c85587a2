# SPDX-License-Identifier: Apache-2.0
"""A simple walking figure with known 3D joints, and what a detector would see of it."""

from __future__ import annotations

import numpy as np

from videomdm.camera import Camera, look_at
from videomdm.camera_fit import intrinsics_guess, to_pixels
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, INDEX
from videomdm.motion.skeleton import JOINT_NAMES

WIDTH, HEIGHT = 1280, 720
# A standing person, metres, facing +Z, left at +X.
STANDING = {
    "pelvis": (0, 0.95, 0), "left_hip": (0.06, 0.86, 0), "spine1": (0, 1.05, 0), "left_knee": (0.1, 0.47, 0.01),
    "spine2": (0, 1.17, 0), "left_ankle": (0.09, 0.08, -0.03), "spine3": (0, 1.24, 0.02),
    "left_foot": (0.11, 0.02, 0.1), "neck": (0, 1.46, -0.01), "left_collar": (0.08, 1.37, 0),
    "head": (0, 1.55, 0.04), "left_shoulder": (0.18, 1.38, -0.01), "left_elbow": (0.24, 1.12, -0.02),
    "left_wrist": (0.27, 0.88, 0.06),
}  # fmt: skip
LEGS, ARMS = ("knee", "ankle", "foot"), ("elbow", "wrist")


def walking_joints(frames: int = 60, fps: float = 20.0, speed: float = 1.2, turn: float = 0.0) -> np.ndarray:
    """Joints (T, 22, 3) of somebody walking; ``turn`` is radians a second about the vertical."""
    joints = np.zeros((frames, len(JOINT_NAMES), 3))
    seconds = np.arange(frames) / fps
    for index, name in enumerate(JOINT_NAMES):
        side = -1.0 if name.startswith("right") else 1.0
        x, y, z = STANDING[name.replace("right", "left")]
        limb = name.split("_")[-1]
        swing = side * np.sin(2 * np.pi * seconds)
        reach = {"knee": 0.22, "ankle": 0.42, "foot": 0.44, "elbow": -0.12, "wrist": -0.28}.get(limb, 0.0)
        lift = 0.08 * np.maximum(0, np.cos(2 * np.pi * seconds) * side) if limb in LEGS[1:] else 0.0
        joints[:, index] = np.stack([side * x + 0 * swing, y + lift + 0 * swing, z + reach * swing], axis=-1)
    yaw = turn * seconds
    cos, sin, zero = np.cos(yaw), np.sin(yaw), np.zeros(frames)
    R = np.stack([cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos], axis=-1).reshape(-1, 3, 3)
    heading = np.stack([sin, zero, cos], axis=-1)
    path = np.cumsum(heading * speed / fps, axis=0) - heading[0] * speed / fps
    return joints @ R.transpose(0, 2, 1) + path[:, None]


def body_points(joints: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) as points (T, 27, 3) of the canonical layout."""
    points = np.zeros((len(joints), COUNT, 3))

    def joint(name: str) -> np.ndarray:
        return joints[:, JOINT_NAMES.index(name)]

    across = joint("left_shoulder") - joint("right_shoulder")
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    ahead = np.cross(across, [0.0, 1.0, 0.0])
    up = np.array([0.0, 1.0, 0.0])
    head = joint("head")
    points[:, INDEX["nose"]] = head + 0.12 * ahead
    points[:, INDEX["head_top"]] = head + 0.18 * up
    points[:, INDEX["neck"]] = joint("neck")
    points[:, INDEX["mid_hip"]] = (joint("left_hip") + joint("right_hip")) / 2
    points[:, INDEX["shoulder_centre"]] = (joint("left_shoulder") + joint("right_shoulder")) / 2
    for side, sign in (("left", 1.0), ("right", -1.0)):
        points[:, INDEX[f"{side}_eye"]] = head + 0.03 * sign * across + 0.1 * ahead + 0.03 * up
        points[:, INDEX[f"{side}_ear"]] = head + 0.07 * sign * across
        for name in ("shoulder", "elbow", "wrist", "knee", "ankle"):
            points[:, INDEX[f"{side}_{name}"]] = joint(f"{side}_{name}")
        points[:, INDEX[f"{side}_hip"]] = joint(f"{side}_hip") + 0.04 * sign * across
        foot = joint(f"{side}_foot")
        points[:, INDEX[f"{side}_heel"]] = joint(f"{side}_ankle") - 0.05 * up - 0.05 * ahead
        points[:, INDEX[f"{side}_big_toe"]] = foot + 0.04 * ahead
        points[:, INDEX[f"{side}_small_toe"]] = foot + 0.02 * ahead + 0.05 * sign * across
    return points


def side_camera(joints: np.ndarray, distance: float = 5.0, azimuth: float = np.pi / 2) -> Camera:
    """A level camera that looks at the middle of the clip; from +X (the person's left) by default."""
    target = joints[:, 0].mean(axis=0)
    direction = np.array([np.sin(azimuth), 0.1, np.cos(azimuth)])
    return look_at(target + distance * direction, target)


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points (..., 3) to normalised coordinates (..., 2)."""
    seen = points @ np.swapaxes(camera.R, -1, -2) + camera.t[..., None, :]
    return seen[..., :2] / seen[..., 2:]


def walking_keypoints(frames: int = 60, fps: float = 30.0, azimuth: float = np.pi / 2) -> Keypoints:
    """What a perfect detector sees of the walking figure, everything at confidence 0.9."""
    joints = walking_joints(frames, fps)
    pixels = to_pixels(
        project(body_points(joints), side_camera(joints, azimuth=azimuth)), intrinsics_guess(WIDTH, HEIGHT)
    )
    return Keypoints(pixels, np.full(pixels.shape[:2], 0.9), fps, WIDTH, HEIGHT, "figure")
