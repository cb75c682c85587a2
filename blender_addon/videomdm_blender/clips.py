# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions from files: clips of this project, and BVH takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videomdm.errors import UserError
from videomdm.motion import Motion
from videomdm.motion.body import first_frame_to_origin, floor_height
from videomdm.motion.bvh import Bvh, read_bvh, to_motion
from videomdm.motion.cmu import from_cmu
from videomdm.motion.skeleton import JOINT_NAMES

SUFFIXES = (".npz", ".bvh")
UNITS = (1.0, 0.01, 0.0254)  # metres, centimetres, inches: BVH files do not say what they count in
BODY_HEIGHT = 1.4  # metres from the feet to the head joint, roughly


def read_clip(path: Path) -> Motion:
    """Read a ``.npz`` clip, or a ``.bvh`` file with this project's joints or those of the CMU database.

    UserError where the file is missing, of another kind, or has another skeleton.
    """
    if path.suffix.lower() == ".npz":
        return Motion.load(path)
    if path.suffix.lower() != ".bvh":
        raise UserError(f"{path} is no motion clip.", f"Use a file that ends in {' or '.join(SUFFIXES)}.")
    take = read_bvh(path)
    unit = unit_of(take)
    take = Bvh(take.skeleton, take.end_sites, take.rotations, take.translations * unit, take.fps)
    if set(JOINT_NAMES) <= set(take.skeleton.names):
        return to_motion(take)
    positions = first_frame_to_origin(from_cmu(take, take.fps))
    positions[..., 1] -= floor_height(positions, take.fps)
    return Motion(positions.astype(np.float32), take.fps, provenance={"source": path.name})


def unit_of(take: Bvh) -> float:
    """Metres that one unit of a BVH file most likely is, told by the height of its skeleton."""
    height = max(float(np.ptp(take.skeleton.rest_positions[:, 1])), 1e-9)
    return min(UNITS, key=lambda scale: float(abs(np.log(height * scale / BODY_HEIGHT))))
