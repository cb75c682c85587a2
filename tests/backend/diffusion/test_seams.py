# SPDX-License-Identifier: Apache-2.0
"""The last denoising step leaves no seams between tokens, whatever the clips' lengths."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from videomdm.diffusion.seams import predict  # noqa: E402 (after the skip)
from videomdm.model.denoiser import Denoiser, DenoiserConfig  # noqa: E402
from videomdm.model.text import STATE  # noqa: E402
from videomdm.motion.skeleton import CONTACT_JOINTS  # noqa: E402
from videomdm.pipeline import Pipeline, TextRequest  # noqa: E402

STEPS = torch.zeros(2, dtype=torch.long)
TEXT = torch.zeros(2, 1, STATE), torch.zeros(2, 1, dtype=torch.bool)


class Teeth:
    """A model whose every token says 0, 1, 8, 27."""

    config = SimpleNamespace(patch=4)

    def __call__(self, x, *_):
        return torch.arange(x.shape[1]).remainder(4)[None, :, None].expand(x.shape).float() ** 3


def denoiser() -> Denoiser:
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(width=32, layers=2, heads=2, hidden=32)).eval()
    torch.nn.init.normal_(network.write.weight, std=0.1)
    return network.requires_grad_(False)


def test_a_frame_is_mostly_what_the_token_says_in_whose_middle_it_lies():
    x = torch.zeros(2, 16, 5)
    said = predict(Teeth(), x, STEPS, *TEXT, None)[0, :, 0]
    wanted = torch.tensor([6.0, 7.5]).repeat(8)  # three quarters of 8, a quarter of 27 and three of 1
    wanted[:2], wanted[-2:] = (
        torch.tensor([0.0, 1.0]),
        torch.tensor([8.0, 27.0]),
    )  # only one grid reaches there
    assert torch.allclose(said, wanted)


def test_other_steps_and_a_single_token_are_the_models_own():
    network, x = denoiser(), torch.randn(2, 16, 263, generator=torch.Generator().manual_seed(1))
    for t, rows in ((STEPS + 1, x), (STEPS, x[:, :4])):
        assert torch.equal(predict(network, rows, t, *TEXT, None), network(rows, t, *TEXT))


def test_a_clip_is_the_same_alone_and_beside_a_longer_one():
    network, x = denoiser(), torch.randn(2, 24, 263, generator=torch.Generator().manual_seed(1))
    for length in (4, 16):
        mask = torch.arange(24)[None] < torch.tensor([[length], [24]])
        both = predict(network, x, STEPS, *TEXT, mask)
        short = (x[:1, :length], STEPS[:1], TEXT[0][:1], TEXT[1][:1], None)
        long = (x[1:], STEPS[:1], TEXT[0][:1], TEXT[1][:1], None)
        assert torch.allclose(both[:1, :length], predict(network, *short), atol=1e-4)
        assert torch.allclose(both[1:], predict(network, *long), atol=1e-4)


def test_rows_without_a_frame_of_their_own_leave_the_others_alone():
    network, x = denoiser(), torch.randn(2, 8, 263, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True] * 4 + [False] * 4, [True] * 8])
    assert predict(network, x, STEPS, *TEXT, mask)[:, :4].isfinite().all()


def test_feet_of_the_base_model_do_not_jump_where_tokens_meet():
    pipeline = Pipeline.load("base", "cpu")
    (motion,) = pipeline.generate(TextRequest("someone throws punches", seconds=4.0, seed=7))
    feet = motion.positions[:, list(CONTACT_JOINTS)]
    jumps = np.linalg.norm(np.diff(feet, n=2, axis=0), axis=-1).mean(axis=1)  # of frames 1, 2, ...
    frame = np.arange(1, len(jumps) + 1) % pipeline.denoiser.config.patch
    seam, within = (jumps[np.isin(frame, where)].mean() for where in ((0, 3), (1, 2)))
    assert seam < 1.3 * within
