# SPDX-License-Identifier: Apache-2.0
"""Batches of clips: lengths, padding, weights and crops."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402 (after the skip)

from videomdm_training.clips import Clips  # noqa: E402

LENGTHS = torch.tensor([23, 40, 8, 61, 4, 37])


def clips(weights=None, window=512) -> Clips:
    """Frames that know their clip and their number."""
    clip = torch.cat([torch.full((n,), i) for i, n in enumerate(LENGTHS.tolist())])
    frame = torch.cat([torch.arange(n) for n in LENGTHS.tolist()])
    return Clips({"clip": clip, "frame": frame}, LENGTHS, weights, window=window)


def test_a_batch_holds_its_clips_cut_to_whole_tokens():
    batch = clips().batch(torch.tensor([3, 0, 4]))
    assert batch.lengths.tolist() == [60, 20, 4]
    assert batch.mask.shape == (3, 60) and batch.mask.sum(1).tolist() == [60, 20, 4]
    for row, (clip, length) in enumerate([(3, 60), (0, 20), (4, 4)]):
        assert (batch.frames["clip"][row] == clip).all()
        assert batch.frames["frame"][row, :length].tolist() == list(range(length))
        assert (batch.frames["frame"][row, length:] == length - 1).all()  # the last real frame again


def test_crops_lie_within_their_clips_and_reach_both_ends():
    data, generator = clips(), torch.Generator().manual_seed(0)
    firsts = set()
    for _ in range(200):
        batch = data.batch(torch.tensor([1, 2]), crop=16, generator=generator)
        assert batch.lengths.tolist() == [16, 8]
        assert (batch.frames["clip"][0] == 1).all() and (batch.frames["clip"][1] == 2).all()
        first = int(batch.frames["frame"][0, 0])
        assert batch.frames["frame"][0].tolist() == list(range(first, first + 16))
        firsts.add(first)
    assert min(firsts) == 0 and max(firsts) == 40 - 16


def test_clips_are_drawn_by_weight():
    weights = torch.tensor([1.0, 0.0, 2.0, 4.0, 1.0, 0.0])
    data, generator = clips(weights), torch.Generator().manual_seed(0)
    drawn = torch.cat([data.draw(64, generator) for _ in range(200)])
    part = torch.bincount(drawn, minlength=6) / len(drawn)
    assert torch.allclose(part, weights / weights.sum(), atol=0.02)


def test_a_batch_holds_clips_of_similar_length():
    data, generator = clips(window=2), torch.Generator().manual_seed(0)
    neighbours = [{4, 8}, {8, 23}, {23, 37}, {37, 40}, {40, 61}]
    found = {frozenset(LENGTHS[data.draw(32, generator)].tolist()) for _ in range(100)}
    assert found <= {frozenset(pair) for pair in neighbours}
    assert len(set().union(*found)) == len(LENGTHS)


def test_the_same_generator_draws_the_same():
    first, second = (clips().draw(20, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


class NoDoubles(TorchDispatchMode):
    """Refuses double precision, as Apple's GPUs do."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        assert not (isinstance(result, torch.Tensor) and result.dtype == torch.float64), function
        return result


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 0.0, 2.0, 4.0, 1.0, 0.0])])
def test_clips_can_live_on_devices_without_double_precision(weights):
    with NoDoubles():
        data, generator = clips(weights), torch.Generator().manual_seed(0)
        batch = data.batch(data.draw(4, generator), crop=16, generator=generator)
    assert batch.lengths.max() <= 16 and data.weights.dtype == torch.float32
