# SPDX-License-Identifier: Apache-2.0
"""Sampling around joints that are known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.support.actor import perform  # noqa: E402

from videomdm.diffusion.guidance import Anchored, fit_rigid  # noqa: E402
from videomdm.motion.representation import decode, encode, put_back, start  # noqa: E402
from videomdm.motion.rotations import about_y, rotate  # noqa: E402

ARM = [18, 20]


@pytest.fixture(scope="module")
def known():
    """(1, T, 22, 3) starting at the origin, facing +Z."""
    joints = torch.from_numpy(perform(2.0).motion.positions).float()[None]
    return decode(encode(joints))


def test_seen_joints_are_the_known_ones_whatever_the_denoiser_says(known):
    weights = torch.ones(known.shape[:3])
    weights[:, :, ARM] = 0
    wrong = known + 0.1 * torch.randn(known.shape, generator=torch.Generator().manual_seed(0))
    anchored = Anchored(
        lambda x, t: encode(wrong), known, weights, weights, torch.zeros(263), torch.ones(263)
    )
    x0 = anchored(torch.zeros(1, known.shape[1], 263), torch.zeros(1, dtype=torch.long))
    error = (put_back(decode(x0), start(known)) - known).norm(dim=-1)
    assert (
        error[weights > 0].max() < 0.02
    )  # the start's facing is smoothed over joints that are not seen, too
    assert error[weights == 0].mean() > 0.03
    assert (anchored.free - known).norm(dim=-1)[weights > 0].mean() > 0.03


def test_what_was_not_seen_comes_along_to_where_the_seen_body_is(known):
    elsewhere = rotate(about_y(torch.full((1, 1, 1), 0.8)), known) + torch.tensor([3.0, 0.0, -2.0])
    weights = torch.ones(known.shape[:3])
    weights[:, :, ARM] = 0
    anchored = Anchored(
        lambda x, t: encode(elsewhere), known, weights, weights, torch.zeros(263), torch.ones(263)
    )
    anchored(torch.zeros(1, known.shape[1], 263), torch.zeros(1, dtype=torch.long))
    assert torch.allclose(anchored.free, known, atol=1e-3)


def test_a_rigid_motion_is_found_and_frames_with_too_few_joints_stay(known):
    moved = rotate(about_y(torch.full((1, 1, 1), -1.1)), known) + torch.tensor([1.0, 0.2, 0.5])
    weights = torch.ones(known.shape[:3])
    weights[:, 3, 3:] = 0
    found = fit_rigid(known, moved, weights)
    assert torch.allclose(found[:, 4:], moved[:, 4:], atol=1e-4)
    assert torch.equal(found[:, 3], known[:, 3])
