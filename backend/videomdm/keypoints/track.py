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
        return float(sum(person[:, 2].mean() * size_of(person) for person in self.people))


def size_of(person: np.ndarray) -> float:
    """Diagonal of the box around the points seen of (27, 3), pixels; 0 if there are none."""
    box = box_of(person)
    return float(np.hypot(box[2] - box[0], box[3] - box[1]))


def box_of(person: np.ndarray) -> np.ndarray:
    """(4,) left, top, right, bottom of the points seen of (27, 3); zeros if there are none."""
    points = person[person[:, 2] > SEEN, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]) if len(points) else np.zeros(4)


def likeness(a: np.ndarray, b: np.ndarray, slack: float = 1.0) -> float:
    """0 (elsewhere) to 1 (the same points): mean of keypoint similarity and box overlap of two (27, 3) people.

    ``slack`` widens what counts as near, for detections that lie some frames apart.
    """
    size = max(size_of(a), size_of(b), 1.0)
    both = (a[:, 2] > SEEN) & (b[:, 2] > SEEN)
    if both.sum() < 3:
        return 0.0
    distance = np.linalg.norm(a[both, :2] - b[both, :2], axis=-1) / (POINT_WIDTH * size * slack)
    similarity = float(np.exp(-(distance**2) / 2).mean())
    return (similarity + _overlap(box_of(a), box_of(b))) / 2


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0


def are_twins(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two (27, 3) people of one frame are one body, detected twice.

    Most of their points coincide; left and right may be exchanged, as detectors doubt front and back.
    """
    both = (a[:, 2] > SEEN) & (b[:, 2] > SEEN)
    if not both.any():
        return False
    straight = np.linalg.norm(a[both, :2] - b[both, :2], axis=-1)
    crossed = np.linalg.norm(a[both, :2] - b[list(SWAP)][both, :2], axis=-1)
    near = POINT_WIDTH * max(min(size_of(a), size_of(b)), 1.0)
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
        alike = np.array(
            [[_continues(track, frame, person, people.fps) for person in everybody] for track in open_tracks]
        ).reshape(len(open_tracks), len(everybody))
        known = np.array([min(1.0, len(track.frames) / people.fps) for track in open_tracks])
        taken = set()
        for row, column in zip(*linear_sum_assignment(-(alike + LOYALTY * known[:, None])), strict=True):
            if alike[row, column] >= LEAST_LIKENESS:
                open_tracks[row].frames.append(frame)
                open_tracks[row].people.append(everybody[column])
                taken.add(column)
        tracks += [Track([frame], [person]) for index, person in enumerate(everybody) if index not in taken]
    return sorted(tracks, key=lambda track: -track.score)


def _continues(track: Track, frame: int, person: np.ndarray, fps: float) -> float:
    """How well a person continues a track; the best of its last few detections counts, as one may be broken.

    The slack grows with the time since the detection.
    """
    best = 0.0
    for last, before in zip(track.people[-RECENT:], track.frames[-RECENT:], strict=True):
        seconds = (frame - before - 1) / fps
        best = max(best, likeness(last, person, slack=1.0 + 4.0 * seconds))
    return best


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
        listed = "; ".join(_describe(number, track, people.fps) for number, track in enumerate(tracks, 1))
        notes.append(f"{len(tracks)} people were found ({listed}). Person {person} was taken.")
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
