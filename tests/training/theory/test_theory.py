# SPDX-License-Identifier: Apache-2.0
"""The depth-weighted 2D loss against squared 3D error over sampled cameras, and where the assumptions break."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from videomdm.camera import Camera, project  # noqa: E402 (after the skip)
from videomdm_training.losses import reprojection_losses  # noqa: E402
from videomdm_training.theory import figure, laws  # noqa: E402

from ..conftest import Train  # noqa: E402

D = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def around(count: int, pitch: float, distance: float):
    azimuth = 2 * math.pi * torch.arange(count, dtype=D) / count
    return laws.cameras(azimuth, torch.full_like(azimuth, pitch), torch.full_like(azimuth, distance))


@pytest.mark.parametrize("distance", [1.5, 4.0, 30.0])
def test_with_joint_depth_one_camera_sees_exactly_the_error_across_the_ray(distance):
    truth = laws.poses(20, generator())
    predicted = truth + 0.3 * torch.randn(truth.shape, generator=generator(1), dtype=D)  # however large
    camera = around(20, -0.3, distance)
    seen, off = (camera.to_camera(p[:, None])[:, 0] for p in (truth, predicted))
    error = off - seen
    rays = seen[..., :2] / seen[..., 2:]
    across = (error[..., :2] - rays * error[..., 2:]).square().sum(-1)
    near = off[..., 2] >= 0.5  # nearer joints give no supervision
    expected = (across * near).sum(-1) / near.sum(-1)
    assert torch.allclose(laws.measured(truth, predicted, camera), expected, rtol=1e-9)


@pytest.mark.parametrize("how", figure.WEIGHTINGS)
def test_each_frame_is_measured_as_a_batch_of_its_own(how):
    batch = laws.sample(7, generator(), error=0.4, distance=(0.8, 4.0))  # some joints too near to count
    keypoints, _ = project(batch.camera.to_camera(batch.truth[:, None]))
    ones = torch.ones(1, 1, 22, dtype=D)
    expected = []
    for i in range(7):
        row = slice(i, i + 1)
        camera = Camera(batch.camera.R[row], batch.camera.t[row])
        seen = batch.predicted[row, None], camera, keypoints[row], ones, ones[..., 0] > 0
        expected.append(float(reprojection_losses(*seen, how)[0]))
    found = laws.measured(batch.truth, batch.predicted, batch.camera, how)
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_many_frames_are_measured_together(monkeypatch):
    calls = []

    def counted(*args: object):
        calls.append(args)
        return reprojection_losses(*args)

    monkeypatch.setattr(laws, "reprojection_losses", counted)
    batch = laws.sample(50, generator())
    assert laws.measured(batch.truth, batch.predicted, batch.camera).shape == (50,)
    assert len(calls) == 1


def test_the_axis_of_cameras_says_how_many():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    explained = {how: [0.5, 0.6, 0.7, 0.8] for how in figure.WEIGHTINGS}
    figure._draw_cameras(axes, figure.Findings(explained, 1.0, *[torch.zeros(0)] * 5))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "4", "16", "64"]


@pytest.mark.parametrize("pitch", [0.0, -math.pi / 8, math.pi / 24, -1.2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_over_uniform_azimuths_each_axis_counts_with_one_weight(pitch, axis):
    truth = torch.tensor(laws.CENTRE, dtype=D).expand(24, 22, 3)
    error = torch.zeros(3, dtype=D)
    error[axis] = 0.1
    loss = laws.measured(truth, truth + error, around(24, pitch, 5.0)).mean()
    expected = 0.01 * laws.axis_weights(torch.tensor(pitch, dtype=D))[axis]
    # exact on the optical axis, at every distance and for every size of the error
    assert float(loss) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


def test_at_the_level_of_the_body_the_weights_are_those_of_the_paper():
    assert laws.axis_weights(torch.zeros(())).tolist() == pytest.approx([0.5, 1.0, 0.5])


def test_sampled_cameras_and_random_poses_agree_with_squared_3d_error():
    batch = laws.sample(1500, generator())
    ratio = laws.measured(batch.truth, batch.predicted, batch.camera).sum() / laws.seen_error(batch).sum()
    assert float(ratio) == pytest.approx(1.0, abs=0.03)  # the sample's own scatter is 1 %


def test_only_squared_depth_for_each_joint_stands_in_for_3d_error():
    explained, ratio, points = figure.stand_in(60, generator())
    assert explained["joint"][-1] > 0.99 and ratio == pytest.approx(1.01, abs=0.02)
    assert explained["joint"][0] > explained["mean"][0] > explained["none"][0]
    assert explained["joint"][0] > 0.9 and explained["none"][0] < 0.7
    assert points.shape == (2, 60)


def test_a_wrong_depth_costs_what_the_law_says():
    found, law = figure.wrong_depth(20, generator())
    assert torch.allclose(found, law, rtol=1e-6)
    # the cost grows with the square of the error and falls with that of nothing: extent times part
    assert float(law[0, -1] / law[0, -3]) == pytest.approx(9.0, rel=1e-6)
    assert float(law[2, -1]) == pytest.approx(float(law[0, -1]), rel=0.3)


def test_cameras_that_prefer_one_side_see_less_of_its_axis():
    torch.manual_seed(0)
    found, law = figure.uneven_azimuth(300, generator())
    assert torch.allclose(found, law, atol=0.06)
    assert torch.all(law[:-1, 2] > law[1:, 2]) and torch.all(law[:-1, 0] < law[1:, 0])
    assert torch.allclose(law[:, 1], torch.ones(len(law), dtype=D))
    assert float(law[-1, 2]) < 0.15


def test_the_command_draws_and_tells_the_numbers(train: Train, tmp_path):
    result = train("theory", "-o", tmp_path / "theory.png", "--poses", 10)
    assert (tmp_path / "theory.png").read_bytes().startswith(b"\x89PNG")
    assert "| 64 |" in result.output and "k = 8" in result.output and "from 2.5 m" in result.output
