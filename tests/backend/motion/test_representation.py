# SPDX-License-Identifier: Apache-2.0
"""The representation against HumanML3D's published files, and against itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videomdm.motion import representation as r

PAIRS = (
    ("HumanML3D/new_joint_vecs/012314.npy", "HumanML3D/new_joints/012314.npy"),
    ("sample_000000/new_joint_vecs/000000.npy", "sample_000000/new_joints/000000.npy"),
)


@pytest.fixture(params=PAIRS, ids=("012314", "000000"))
def published(request: pytest.FixtureRequest, shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (T, 263) and joints (T, 22, 3) of one published clip."""
    folder = shared_data / "humanml3d"
    features, joints = (np.load(folder / name, allow_pickle=False) for name in request.param)
    return features.astype(np.float64), joints.astype(np.float64)


def wandering(seed: int = 0, frames: int = 90, clips: tuple[int, ...] = ()) -> np.ndarray:
    """Joints (..., T, 22, 3) of a body that turns about itself several times, walks about and shakes."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 0.3, (22, 3)) + np.array([0, 0.9, 0])
    body[[2, 17], 0], body[[1, 16], 0] = (-0.1, -0.2), (0.1, 0.2)
    turns = np.cumsum(rng.normal(0.1, 0.05, (*clips, frames)), -1) + rng.uniform(-3, 3)
    path = np.cumsum(rng.normal(0, 0.03, (*clips, frames, 3)), -2) * [1, 0.1, 1] + [2.0, 0.0, -5.0]
    turned = r.rotations.rotate(r.rotations.about_y(turns)[..., None, :], body)
    return turned + path[..., None, :] + rng.normal(0, 0.01, (*clips, frames, 22, 3))


def test_decoding_the_published_features_gives_the_published_joints(published):
    features, joints = published
    assert np.abs(r.decode(features) - joints).max() < 1e-5


def test_encoding_the_published_joints_gives_the_published_features(published):
    features, joints = published
    encoded = r.encode(joints)
    assert np.array_equal(encoded[:, r.ROOT_HEIGHT], features[:, r.ROOT_HEIGHT])
    assert np.array_equal(encoded[:-1, r.CONTACTS], features[:-1, r.CONTACTS])
    difference = np.abs(encoded - features)
    assert np.median(difference, axis=0).max() < 1e-5
    # The published processing declares the facing of the first frame to be +Z instead of the smoothed one, so
    # the first row differs.  The original clip had one more frame at its end, which the smoothing of the facing saw:
    # over 4 standard deviations before the end the facing differs by up to 0.01 rad.  All other rows agree.
    assert difference[1:-80].max() < 2e-5 < difference[0].max()
    assert difference[1:, r.POSITIONS].max() < 0.02


@pytest.mark.parametrize("clips", [(), (3,), (2, 3)])
def test_decoding_an_encoded_clip_gives_it_back(clips):
    joints = wandering(clips=clips)
    assert np.abs(r.decode(r.encode(joints), r.start(joints)) - joints).max() < 1e-9
    single = joints.astype(np.float32)
    assert np.abs(r.decode(r.encode(single), r.start(single)) - single).max() < 1e-4


def test_place_and_facing_of_the_whole_clip_do_not_change_the_features():
    joints = wandering(1)
    elsewhere = r.put_back(joints, r.Placement(np.array(2.1), np.array([-4.0, 7.0])))
    assert np.abs(r.encode(joints) - r.encode(elsewhere)).max() < 1e-9


def test_canonical_clips_start_at_the_origin_facing_forward():
    joints = wandering(2)
    canonical, placement = r.canonicalise(joints)
    assert np.abs(canonical[0, 0, [0, 2]]).max() < 1e-12
    assert np.abs(r.facing_direction(canonical[0]) - [0, 0, 1]).max() < 1e-12
    assert np.abs(r.put_back(canonical, placement) - joints).max() < 1e-12


def test_torch_and_numpy_agree_and_gradients_are_finite():
    torch = pytest.importorskip("torch")
    joints = wandering(3, clips=(2,))
    tensor = torch.tensor(joints, requires_grad=True)
    features = r.encode(tensor)
    assert np.abs(features.detach().numpy() - r.encode(joints)).max() < 1e-9
    decoded = r.decode(features)
    assert np.abs(decoded.detach().numpy() - r.decode(r.encode(joints))).max() < 1e-9
    (decoded.square().sum() + features.square().sum()).backward()
    assert torch.isfinite(tensor.grad).all()


def test_contacts_follow_the_speed_of_the_feet_at_any_rate():
    joints = np.zeros((40, 22, 3))
    joints[:, 7, 0] = np.arange(40) * 0.05  # 1 m/s at 20 fps: moving
    joints[:, 8, 0] = np.arange(40) * 0.01
    contacts = r.foot_contacts(joints)
    assert contacts[:, 1].all() and contacts[:, 2].all() and not contacts[:, 0].any()
    assert np.array_equal(r.foot_contacts(joints[::2], fps=10.0), contacts[::2])


@pytest.mark.parametrize("shape", [(22, 3), (5, 21, 3), (5, 22, 2)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="22, 3"):
        r.encode(np.zeros(shape))
    with pytest.raises(ValueError, match="263"):
        r.decode(np.zeros((5, 262)))


def test_a_single_frame_can_be_encoded():
    joints = wandering(frames=1)
    assert np.abs(r.decode(r.encode(joints), r.start(joints)) - joints).max() < 1e-9
