# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's quick products are those of ``videomdm.motion.rotations``, whatever the layout in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm_blender.retarget import algebra
from videomdm_blender.retarget.rig import Array

SHAPES = [((), ()), ((7,), (7,)), ((2, 1), (5,)), ((3, 4), ()), ((), (3, 4)), ((0,), (0,))]
AS_GIVEN: list[Callable[[Array], Array]] = [np.ascontiguousarray, algebra.by_component]


def drawn(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape)


def turns(*shape: int) -> Array:
    result: Array = rotations.normalise(drawn(*shape, 4))
    return result


@pytest.mark.parametrize("layout", AS_GIVEN)
@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_products_are_those_of_rotations(
    one: tuple[int, ...], other: tuple[int, ...], layout: Callable[[Array], Array]
) -> None:
    a, b, u, v = layout(turns(*one)), layout(turns(*other)), layout(drawn(*one, 3)), layout(drawn(*other, 3))
    full = np.broadcast_shapes(one, other)
    a_full, b_full = (np.broadcast_to(q, (*full, 4)) for q in (a, b))
    about = rotations.from_axis_angle
    u_full, v_full = (np.broadcast_to(w, (*full, 3)) for w in (u, v))
    for found, wanted in (
        (algebra.compose(a, b), rotations.multiply(a_full, b_full)),
        (algebra.rotate(a, v), rotations.rotate(a_full, v_full)),
        (algebra.cross(u, v), rotations.cross(u_full, v_full)),
        (algebra.swing(u, v), rotations.between(u_full, v_full)),
        (algebra.inverse(a), rotations.conjugate(a)),
        (algebra.unit(u), rotations.normalise(u)),
        (algebra.about(algebra.unit(u), v[..., 0]), about(rotations.normalise(u_full), v_full[..., 0])),
    ):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-14)


def test_opposite_directions_turn_by_half_a_circle() -> None:
    directions = np.concatenate([np.eye(3), -np.eye(3), algebra.unit(drawn(20, 3))])
    found = algebra.swing(directions, -directions)
    np.testing.assert_allclose(found, rotations.between(directions, -directions), atol=1e-15)
    np.testing.assert_allclose(algebra.rotate(found, directions), -directions, atol=1e-12)


def test_no_direction_is_no_turn_and_no_error() -> None:
    still = np.zeros((2, 3))
    np.testing.assert_array_equal(algebra.unit(still), still)
    np.testing.assert_allclose(algebra.swing(still, np.eye(3)[:2]), [[1.0, 0.0, 0.0, 0.0]] * 2)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_a_turn(share: float) -> None:
    tiny = rotations.from_axis_angle(np.tile([0.0, 0.6, 0.8], (3, 1)), np.array([0.0, 1e-7, 3.14159]))
    q = np.concatenate([turns(50), -turns(5), tiny])
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(q), 1))
    wanted = rotations.slerp(still, q, np.full(len(q), share))
    np.testing.assert_allclose(algebra.partly(q, share), wanted, atol=1e-14)


def test_rotations_of_axes() -> None:
    halves = np.eye(4)  # no turn, and half a turn about each axis
    q = np.concatenate([turns(50), halves])
    matrices = rotations.to_matrix(q)
    found = algebra.from_axes(*(matrices[..., i] for i in range(3)))
    np.testing.assert_allclose(found, rotations.from_matrix(matrices), atol=1e-14)
