# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics against chains whose answer is known, on both kinds of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.motion import kinematics, rotations
from videomdm.motion.skeleton import PARENTS


def random_rotations(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return rotations.normalise(np.random.default_rng(seed).normal(size=(*shape, 4)))


def test_a_bent_chain_ends_where_geometry_says() -> None:
    quarter = rotations.from_axis_angle(np.array([0.0, 0.0, 1.0]), np.array(np.pi / 2))
    local = np.stack([quarter, quarter, np.array([1.0, 0, 0, 0])])
    positions, world = kinematics.forward((-1, 0, 1), local, np.array([[1.0, 2, 3], [1, 0, 0], [1, 0, 0]]))
    np.testing.assert_allclose(positions, [[1, 2, 3], [1, 3, 3], [0, 3, 3]], atol=1e-12)
    np.testing.assert_allclose(rotations.rotate(world[2], np.array([1.0, 0, 0])), [-1, 0, 0], atol=1e-12)


def test_world_rotations_give_the_local_ones_back() -> None:
    local = random_rotations((2, 5, 22))
    translations = np.random.default_rng(1).normal(size=(22, 3))
    _, world = kinematics.forward(PARENTS, local, translations)
    assert rotations.angle_between(kinematics.to_local(PARENTS, world), local).max() < 1e-6


def test_torch_gives_what_numpy_gives() -> None:
    torch = pytest.importorskip("torch")
    local = random_rotations((4, 22))
    translations = np.random.default_rng(1).normal(size=(4, 22, 3))
    expected = kinematics.forward(PARENTS, local, translations)
    result = kinematics.forward(PARENTS, torch.from_numpy(local), torch.from_numpy(translations))
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)
