# SPDX-License-Identifier: Apache-2.0
"""Who is who: people of single frames are joined into tracks, and one person is chosen.

Detections of neighbouring frames are matched by the Hungarian method on object keypoint similarity (the
measure of the COCO keypoint challenge, with one width for all points) and on the overlap of their boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..errors import UserError
from .keypoints import Keypoints
from .layout import COUNT, SWAP
from .people import People

SEEN = 0.1  # points of lower confidence say nothing about where a person is
POINT_WIDTH = 0.1  # of the person's size: how far points may lie apart and still be alike
LEAST_LIKENESS = 0.12  # below this two detections are never the same person
LISTED = 5  # people described in a note
MEMORY = 1.0  # seconds that a person may be hidden and still be recognised
RECENT = 4  # detections of a track that a new one is compared with
LOYALTY = 0.2  # of two equally near tracks the one known for a second or longer is preferred by this much


@dataclass
class Track:
    """One person through a clip.

    frames: the frames in which the person was seen, ascending.
    people: for each of them (27, 3): x, y, confidence.
    """

    frames: list[int] = field(default_factory=list)
    people: list[np.ndarray] = field(default_factory=list)

    @property
    def score(self) -> float:
        """How likely this is the person the footage is about: time seen x confidence x size (pixels)."""
        people = np.stack(self.people)
        return float((people[..., 2].mean(axis=-1) * size_of(people)).sum())


def size_of(people: np.ndarray) -> np.ndarray:
    """Diagonal (...) of the box around the points seen of people (..., 27, 3), pixels; 0 if there are none."""
    box = box_of(people)
    return np.hypot(box[..., 2] - box[..., 0], box[..., 3] - box[..., 1])


def box_of(people: np.ndarray) -> np.ndarray:
    """(..., 4) left, top, right, bottom of the points seen of people (..., 27, 3); zeros if there are none."""
    seen = (people[..., 2] > SEEN)[..., None]
    low = np.where(seen, people[..., :2], np.inf).min(axis=-2)
    high = np.where(seen, people[..., :2], -np.inf).max(axis=-2)
    return np.where(seen.any(axis=-2), np.concatenate([low, high], axis=-1), 0.0)


def likeness(a: np.ndarray, b: np.ndarray, slack: float | np.ndarray = 1.0) -> np.ndarray:
    """0 (elsewhere) to 1 (the same points): mean of keypoint similarity and box overlap of people (..., 27, 3).

    Broadcasts.  ``slack`` (...) widens what counts as near, for detections that lie some frames apart.
    """
    both = (a[..., 2] > SEEN) & (b[..., 2] > SEEN)
    near = POINT_WIDTH * np.maximum(np.maximum(size_of(a), size_of(b)), 1.0) * slack
    distance = np.linalg.norm(a[..., :2] - b[..., :2], axis=-1) / near[..., None]
    count = both.sum(axis=-1)
    similarity = (np.exp(-(distance**2) / 2) * both).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count >= 3, (similarity + _overlap(box_of(a), box_of(b))) / 2, 0.0)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (...) of boxes (..., 4)."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inner = np.maximum(sides, 0.0).prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inner
    return np.where(union > 0, inner / np.where(union > 0, union, 1.0), 0.0)


def are_twins(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two (27, 3) people of one frame are one body, detected twice.

    Most of their points coincide; left and right may be exchanged, as detectors doubt front and back.
    """
    both = (a[:, 2] > SEEN) & (b[:, 2] > SEEN)
    if not both.any():
        return False
    straight = np.linalg.norm(a[both, :2] - b[both, :2], axis=-1)
    crossed = np.linalg.norm(a[both, :2] - b[list(SWAP)][both, :2], axis=-1)
    near = POINT_WIDTH * np.maximum(np.minimum(size_of(a), size_of(b)), 1.0)
    return float((np.minimum(straight, crossed) < near).mean()) > 0.5


def without_twins(people: np.ndarray) -> np.ndarray:
    """(P, 27, 3) without those that are twins of a more confident one."""
    order = np.argsort(-people[..., 2].sum(axis=-1), kind="stable")
    kept: list[int] = []
    for index in order:
        if not any(are_twins(people[index], people[other]) for other in kept):
            kept.append(int(index))
    return people[sorted(kept)]


def find_tracks(people: People) -> list[Track]:
    """Everybody's track, the most likely main person first (see ``Track.score``)."""
    memory = max(1, round(MEMORY * people.fps))
    tracks: list[Track] = []
    for frame, everybody in enumerate(people.frames):
        everybody = without_twins(everybody)
        open_tracks = [track for track in tracks if frame - track.frames[-1] <= memory]
        alike = np.array([_continues(track, frame, everybody, people.fps) for track in open_tracks])
        alike = alike.reshape(len(open_tracks), len(everybody))
        known = np.array([min(1.0, len(track.frames) / people.fps) for track in open_tracks])
        taken = set()
        for row, column in zip(*linear_sum_assignment(-(alike + LOYALTY * known[:, None])), strict=True):
            if alike[row, column] >= LEAST_LIKENESS:
                open_tracks[row].frames.append(frame)
                open_tracks[row].people.append(everybody[column])
                taken.add(column)
        tracks += [Track([frame], [person]) for index, person in enumerate(everybody) if index not in taken]
    return sorted(tracks, key=lambda track: -track.score)


def _continues(track: Track, frame: int, everybody: np.ndarray, fps: float) -> np.ndarray:
    """How well each of (P, 27, 3) people continues a track (P,).

    The best of the track's last few detections counts, as one may be broken.  The slack grows with the time since
    the detection.
    """
    last = np.stack(track.people[-RECENT:])
    seconds = (frame - 1 - np.array(track.frames[-RECENT:])) / fps
    return likeness(last[:, None], everybody[None], 1.0 + 4.0 * seconds[:, None]).max(axis=0)


def choose_person(people: People, person: int = 1) -> Keypoints:
    """The keypoints of number ``person``, counted from 1 as ``find_tracks`` orders them; UserError if none."""
    tracks = [track for track in find_tracks(people) if _is_somebody(track, people)]
    if not tracks:
        raise UserError(
            f"No person was found in {people.source or 'the footage'}.",
            "Choose footage in which one person is well visible.",
            code="no-person",
        )
    if not 1 <= person <= len(tracks):
        raise UserError(
            f"There is no person {person}: {len(tracks)} were found in {people.source or 'the footage'}.",
            f"Choose a person from 1 to {len(tracks)}.",
        )
    notes = list(people.notes)
    if len(tracks) > 1:
        listed = [_describe(number, track, people.fps) for number, track in enumerate(tracks[:LISTED], 1)]
        more = "; ..." if len(tracks) > LISTED else ""
        notes.append(
            f"{len(tracks)} people were found ({'; '.join(listed)}{more}). Person {person} was taken."
        )
    return to_keypoints(tracks[person - 1], people).noted(
        **people.provenance, person=person, people=len(tracks), notes=notes
    )


def _is_somebody(track: Track, people: People) -> bool:
    """Detections that flash up for less than a quarter of a second are nobody, unless the clip is that short."""
    return len(track.frames) >= min(len(people), max(2, round(people.fps / 4)))


def _describe(number: int, track: Track, fps: float) -> str:
    begin, end = track.frames[0] / fps, track.frames[-1] / fps
    box = box_of(track.people[len(track.people) // 2])
    x, y = (box[:2] + box[2:]) / 2
    return f"{number}: {begin:.1f} s to {end:.1f} s, near pixel {x:.0f}, {y:.0f}"


def to_keypoints(track: Track, people: People) -> Keypoints:
    """A track as keypoints over all frames of the clip; confidence 0 where the person was not seen."""
    points = np.zeros((len(people), COUNT, 2))
    confidence = np.zeros((len(people), COUNT))
    for frame, person in zip(track.frames, track.people, strict=True):
        points[frame], confidence[frame] = person[:, :2], person[:, 2]
    return Keypoints(points, confidence, people.fps, people.width, people.height, people.source)
