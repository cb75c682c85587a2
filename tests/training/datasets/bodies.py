# SPDX-License-Identifier: Apache-2.0
"""A tiny body model of the SMPL-H form, and pose parameters that fit it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import PARENTS

JOINTS = 52


def parents() -> np.ndarray:
    """The 52 parents of SMPL-H: the 22, then 15 joints for each hand in chains of three."""
    tree = list(PARENTS)
    for wrist in (20, 21):
        for _ in range(5):
            tree += [wrist, len(tree), len(tree) + 1]
    return np.array(tree)


def rest_joints() -> np.ndarray:
    """(52, 3) the representation's rest pose, with fingers beyond the wrists."""
    tree = parents()
    joints = np.zeros((JOINTS, 3))
    for joint in range(1, 22):
        joints[joint] = joints[PARENTS[joint]] + REST_DIRECTIONS[joint] * BONE_LENGTHS[joint]
    for joint in range(22, JOINTS):
        side = 1.0 if joint < 37 else -1.0
        joints[joint] = joints[tree[joint]] + side * np.array([0.03, 0.001 * joint, 0.0])
    return joints


def write_model(file: Path) -> Path:
    """A model whose vertices are three around each joint, so that the regressor finds the joints."""
    rng = np.random.default_rng(0)
    rest = rest_joints()
    around = rng.normal(size=(JOINTS, 3, 3)) * 0.01
    around -= around.mean(1, keepdims=True)
    vertices = (rest[:, None] + around).reshape(-1, 3)
    regressor = np.kron(np.eye(JOINTS), np.full((1, 3), 1 / 3))
    shapes = np.zeros((len(vertices), 3, 16))
    shapes[..., 0] = 0.1 * vertices  # the first coefficient makes the whole body larger
    shapes[..., 1] = rng.normal(size=vertices.shape) * 0.002
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        file,
        v_template=vertices,
        shapedirs=shapes,
        posedirs=rng.normal(size=(len(vertices), 3, 9 * (JOINTS - 1))) * 0.001,
        J_regressor=regressor,
        kintree_table=np.stack([parents(), np.arange(JOINTS)]).astype(np.uint32),
        weights=np.kron(np.eye(JOINTS), np.ones((3, 1))),
        f=np.arange(len(vertices)).reshape(-1, 3).astype(np.uint32),
        hands_componentsl=np.eye(45),
        hands_componentsr=np.eye(45),
        hands_meanl=np.zeros(45),
        hands_meanr=np.zeros(45),
    )
    return file


def poses(frames: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Pose parameters of somebody who stands in a world with Z up, moves arms and legs, and walks along its Y."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 60.0
    pose = 0.3 * np.sin(time * rng.uniform(1, 4, (1, 3 * JOINTS)) + rng.uniform(0, 6, (1, 3 * JOINTS)))
    pose[:, :3] = [np.pi / 2, 0.0, 0.0]  # Y up becomes Z up
    pose[:, 6:30] *= 0.3
    trans = np.concatenate([0 * time, -0.8 * time, 0 * time + 1.0], axis=1)
    return {"poses": pose, "trans": trans, "betas": rng.normal(size=16) * 0.3}
