# SPDX-License-Identifier: Apache-2.0
"""Schedule and samplers on distributions whose answer is known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from videomdm.diffusion import sampling, schedule  # noqa: E402 (after the skip)
from videomdm.errors import Cancelled  # noqa: E402

MEAN, SPREAD = 1.5, 0.5


@pytest.fixture
def cosine() -> schedule.Schedule:
    return schedule.cosine(50)


def gaussian(cosine: schedule.Schedule):
    """The exact x0 estimate where the data is a Gaussian: E[x0 | x_t]."""

    def denoise(x, t):
        signal, noise = cosine.levels(t)
        gain = signal * SPREAD**2 / (signal**2 * SPREAD**2 + noise**2)
        return MEAN + gain * (x - signal * MEAN)

    return denoise


def test_the_schedule_goes_from_clean_to_noise(cosine):
    kept = cosine.alpha_bar
    assert len(cosine) == 50 and (kept[1:] < kept[:-1]).all()
    assert kept[0] > 0.99 and kept[-1] < 1e-3
    x0, noise = torch.ones(3, 2, 1), torch.zeros(3, 2, 1)
    t = torch.tensor([0, 25, 49])
    assert torch.allclose(cosine.diffuse(x0, noise, t)[:, 0, 0] ** 2, kept[t])


def test_a_deterministic_step_with_the_true_x0_lands_on_the_same_noise(cosine):
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 8, 3, generator=generator)
    t, to = torch.tensor([49, 30, 20, 8]), torch.tensor([20, 29, 0, -1])
    stepped = cosine.step(cosine.diffuse(x0, noise, t), x0, t, to)
    expected = cosine.diffuse(x0, noise, to.clamp(min=0))
    assert torch.allclose(stepped[:3], expected[:3], atol=1e-4)
    assert torch.equal(stepped[3], x0[3])


@pytest.mark.parametrize("sampler", [sampling.ddim, sampling.ancestral])
def test_samplers_draw_from_the_data(cosine, sampler):
    noise = torch.randn(4000, 1, 1, generator=torch.Generator().manual_seed(0))
    drawn = sampler(gaussian(cosine), noise, cosine, 50)
    assert abs(drawn.mean().item() - MEAN) < 0.05
    assert abs(drawn.std().item() - SPREAD) < 0.06


def test_ancestral_sampling_depends_on_its_noise_sampler_only(cosine):
    noise = torch.zeros(2, 3, 1)

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        asked = []

        def fresh(step):
            asked.append(step)
            return torch.randn(noise.shape, generator=generator)

        drawn = sampling.ancestral(gaussian(cosine), noise, cosine, 10, noise_sampler=fresh)
        assert asked == list(range(9))  # the last step adds none
        return drawn

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_ancestral_sampling_is_not_the_same_every_time_by_itself(cosine):
    noise = torch.zeros(1, 3, 1)
    once, again = (sampling.ancestral(gaussian(cosine), noise, cosine, 5) for _ in range(2))
    assert not torch.equal(once, again)


def test_callbacks_see_every_step_and_can_stop(cosine):
    seen = []
    sampling.ddim(gaussian(cosine), torch.zeros(1, 1, 1), cosine, 20, seen.append)
    assert [s.index for s in seen] == list(range(20)) and {s.count for s in seen} == {20}
    assert [s.t for s in seen] == sorted((s.t for s in seen), reverse=True)
    assert seen[0].t == 49 and seen[-1].t == 0

    def stop(step):
        if step.index == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        sampling.ddim(gaussian(cosine), torch.zeros(1, 1, 1), cosine, 20, stop)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (7, 7), (50, 50), (999, 50)])
def test_steps_are_spaced_over_the_whole_schedule(cosine, count, expected):
    steps = sampling.spaced_steps(cosine, count)
    assert len(steps) == expected == len(set(steps)) and steps[0] == 49


def test_steps_may_begin_at_a_part_of_the_noise(cosine):
    assert sampling.spaced_steps(cosine, 3) == [49, 24, 0]
    assert sampling.spaced_steps(cosine, 20, 0.1) == [5, 4, 3, 2, 1, 0]
    assert sampling.spaced_steps(cosine, 1, 0.5) == [24]
