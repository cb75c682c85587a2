# SPDX-License-Identifier: Apache-2.0
"""Joining detections into people."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.figure import walking_keypoints

from videomdm.errors import UserError
from videomdm.keypoints import layout
from videomdm.keypoints.layout import COUNT, SWAP
from videomdm.keypoints.people import People
from videomdm.keypoints.track import choose_person, find_tracks, likeness, without_twins


def person(
    frames: int = 60, shift: tuple[float, float] = (0, 0), speed: float = 0.0, scale: float = 1.0
) -> np.ndarray:
    """(T, 27, 3) of a walking figure, moved by ``shift`` and ``speed`` pixels a frame to the right."""
    keypoints = walking_keypoints(frames)
    points = keypoints.points * scale + np.array(shift) + np.arange(frames)[:, None, None] * [speed, 0]
    return np.concatenate([points, keypoints.confidence[..., None]], axis=-1)


def people(*persons: np.ndarray, fps: float = 30.0, seed: int = 0) -> People:
    """A clip of several people, in another order in each frame; NaN persons are not there."""
    rng = np.random.default_rng(seed)
    frames = []
    for everybody in zip(*persons, strict=True):
        there = np.array([entry for entry in everybody if np.isfinite(entry).all()]).reshape(-1, COUNT, 3)
        frames.append(there[rng.permutation(len(there))])
    return People(frames, fps, 1280, 720, "clip")


def test_likeness() -> None:
    one = person(2)
    assert likeness(one[0], one[0]) == pytest.approx(1.0)
    assert likeness(one[0], person(2, shift=(1000, 0))[0]) < 0.01
    nothing = one[0].copy()
    nothing[:, 2] = 0
    assert likeness(one[0], nothing) == 0
    assert likeness(one[:1, None][0], one).shape == (2,)


def test_two_people_walk_past_each_other() -> None:
    """They cross in the middle of the picture, at different sizes, and keep who they are."""
    a, b = person(60, shift=(-300, 0), speed=10), person(60, shift=(300, -80), speed=-10, scale=1.15)
    tracks = find_tracks(people(a, b))
    for track in tracks[:2]:
        assert len(track.frames) >= 59  # where the two coincide one may be taken for the other's twin
        points = np.stack(track.people)
        assert min(np.abs(points - truth[track.frames]).max() for truth in (a, b)) == 0


def test_a_person_behind_another_is_recognised_again() -> None:
    a, b = person(60, shift=(-300, 0), speed=10), person(60, shift=(300, -80), speed=-10, scale=1.15)
    a[24:36] = np.nan
    tracks = find_tracks(people(a, b))
    assert len(tracks) == 2
    assert min(len(track.frames) for track in tracks) in (47, 48)


def test_the_larger_and_longer_seen_comes_first() -> None:
    small, large = person(40, shift=(700, 0), scale=0.4), person(40)
    late = person(40, shift=(0, 900))
    late[:30] = np.nan
    tracks = find_tracks(people(small, late, large))
    assert np.abs(np.stack(tracks[0].people) - large).max() == 0
    keypoints = choose_person(people(small, late, large), person=1)
    np.testing.assert_allclose(keypoints.points, large[..., :2], rtol=1e-6)
    assert keypoints.provenance["people"] == 3
    assert choose_person(people(small, late, large), person=3).coverage in (0.25, 1.0)


def test_one_body_found_twice_is_one_person() -> None:
    one = person(10)
    rng = np.random.default_rng(1)
    shaky = one + rng.normal(0, 3, one.shape) * [1, 1, 0]
    shaky[..., 2] = 0.5
    exchanged = shaky[:, list(SWAP)]
    for twin in (shaky, exchanged):
        kept = without_twins(np.stack([twin[0], one[0]]))
        np.testing.assert_array_equal(kept, one[:1])
    beside = np.stack([one[0], person(10, shift=(250, 0))[0]])
    assert len(without_twins(beside)) == 2


def test_one_broken_detection_does_not_end_a_track() -> None:
    one = person(40)
    one[20, :, :2] += np.random.default_rng(2).normal(0, 150, (COUNT, 2))
    tracks = find_tracks(people(one))
    assert len(tracks[0].frames) >= 39


def test_flashes_are_nobody() -> None:
    flash = person(40, shift=(0, 900))
    flash[np.arange(40) != 7] = np.nan
    keypoints = choose_person(people(person(40), flash))
    assert keypoints.provenance["people"] == 1
    with pytest.raises(UserError, match="No person") as caught:
        choose_person(people(flash))
    assert caught.value.code == "no-person"


def test_nobody_at_all() -> None:
    empty = People([np.zeros((0, layout.COUNT, 3))] * 5, 30.0, 10, 10, "empty.mp4")
    with pytest.raises(UserError, match=r"empty\.mp4"):
        choose_person(empty)
