# SPDX-License-Identifier: Apache-2.0
"""Repair of detected keypoints: exchanged sides, outliers, short gaps, jitter.

Every step takes and gives ``Keypoints`` and can be used alone; ``clean`` runs them in the order that suits.
Lengths are judged against the person's size in the picture (``body_size``), times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import median_filter
from scipy.signal import butter, sosfiltfilt

from .keypoints import Keypoints
from .layout import INDEX

LEAST_CONFIDENCE = 0.1
# What detectors exchange together: the trunk with the face, where they doubt front and back, and limbs from the
# second joint on.  With the joint that such a limb hangs on, and the price of a change.
EXCHANGED = (
    ("", ("eye", "ear", "shoulder", "hip"), 6.0),
    ("shoulder", ("elbow", "wrist"), 6.0),
    ("hip", ("knee", "ankle", "big_toe", "small_toe", "heel"), 15.0),
)
CROSSED = 2.0  # the price of a frame in which both knees or elbows are on the wrong side
FILLED = 0.5  # a filled-in point has this part of its neighbours' confidence


def clean(
    keypoints: Keypoints,
    *,
    sides: bool = True,
    outliers: bool = True,
    gaps: bool = True,
    jitter: bool = True,
) -> Keypoints:
    """All steps, each of which can be left out: drop faint points, sides, outliers, gaps, smoothing."""
    wanted: dict[str, tuple[bool, Callable[[Keypoints], Keypoints]]] = {
        "faint": (True, drop_faint),
        "sides": (sides, repair_sides),
        "outliers": (outliers, drop_outliers),
        "gaps": (gaps, fill_gaps),
        "jitter": (jitter, smooth),
    }
    done = [name for name, (want, _) in wanted.items() if want]
    for name in done:
        keypoints = wanted[name][1](keypoints)
    return keypoints.noted(cleaned=done)


def body_size(keypoints: Keypoints) -> float:
    """The person's height in the picture, pixels: the median over frames of the diagonal of the points seen."""
    sizes = []
    for points, confidence in zip(keypoints.points, keypoints.confidence, strict=True):
        seen = points[confidence > LEAST_CONFIDENCE]
        if len(seen) >= 3:
            sizes.append(np.linalg.norm(np.ptp(seen, axis=0)))
    return float(np.median(sizes)) if sizes else float(np.hypot(keypoints.width, keypoints.height))


def drop_faint(keypoints: Keypoints, least: float = LEAST_CONFIDENCE) -> Keypoints:
    """Points below confidence ``least`` count as not seen."""
    return replace(keypoints, confidence=np.where(keypoints.confidence < least, 0, keypoints.confidence))


def repair_sides(keypoints: Keypoints, caution: float = 1.0) -> Keypoints:
    """Put left and right back where a detector exchanged them for some frames.

    For the trunk, then arms and legs: the assignment (as detected, or exchanged) of every frame is chosen so that
    the points move smoothly, by dynamic programming over second differences; each point's price is 1 for each
    twentieth of the body's size, and at most 6.  Legs that pass each other keep their sides, as they keep their
    speed.  A frame in which knees (elbows) lie the other way round than the hips (shoulders) costs up to
    ``CROSSED``.  A change between two frames has a price, and so has each second exchanged, so that without strong
    evidence the detector is believed; ``caution`` scales both.
    """
    for anchor, names, penalty in EXCHANGED:
        left = [INDEX[f"left_{name}"] for name in names]
        right = [INDEX[f"right_{name}"] for name in names]
        scale = body_size(keypoints) / 20
        price = np.zeros((len(keypoints), 2))
        price[:, 1] = caution * penalty / keypoints.fps
        if anchor:
            price += _crossing_costs(keypoints, anchor, names[0], scale)
        costs = _bend_costs(keypoints, left, right, scale)
        exchanged = _cheapest_states(costs, price, caution * penalty)
        points, confidence = keypoints.points.copy(), keypoints.confidence.copy()
        here, there = np.array(left + right), np.array(right + left)
        for array in (points, confidence):
            array[np.ix_(exchanged, here)] = array[np.ix_(exchanged, there)]
        keypoints = replace(keypoints, points=points, confidence=confidence)
    return keypoints


def _crossing_costs(keypoints: Keypoints, anchor: str, joint: str, scale: float) -> np.ndarray:
    """(T, 2): the price of left and right joint lying the other way round than the joints they hang on.

    It counts in full from in front and from behind; from the side, where legs pass each other, not at all.
    """
    at = [INDEX[f"{side}_{name}"] for name in (anchor, joint) for side in ("left", "right")]
    left_anchor, right_anchor, left, right = np.moveaxis(keypoints.points[:, at].astype(np.float64), 1, 0)
    across = left_anchor - right_anchor
    frontal = np.clip(np.linalg.norm(across, axis=-1) / scale - 0.75, 0.0, 1.0)
    same_way = (across * (left - right)).sum(axis=-1) / scale**2
    certain = keypoints.confidence[:, at].min(axis=1) * frontal
    return CROSSED * certain[:, None] * np.clip(np.stack([-same_way, same_way], axis=1), 0.0, 1.0)


def _bend_costs(keypoints: Keypoints, left: list[int], right: list[int], scale: float) -> np.ndarray:
    """(T - 2, 2, 2, 2): the price of three frames' assignments, summed over the limb's points."""
    straight, crossed = left + right, right + left
    frames = len(keypoints)
    states = [keypoints.points[:, side].astype(np.float64) for side in (straight, crossed)]
    weights = [keypoints.confidence[:, side].astype(np.float64) for side in (straight, crossed)]
    costs = np.zeros((max(0, frames - 2), 2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            for c in (0, 1):
                bend = states[a][:-2] - 2 * states[b][1:-1] + states[c][2:]
                price = np.minimum(np.linalg.norm(bend, axis=-1) / scale, 6.0)
                weight = np.minimum(np.minimum(weights[a][:-2], weights[b][1:-1]), weights[c][2:])
                costs[:, a, b, c] = (weight * price).sum(axis=-1) / 2
    return costs


def _cheapest_states(costs: np.ndarray, price: np.ndarray, penalty: float) -> np.ndarray:
    """Viterbi over pairs of neighbouring frames' states; (T,) bool, true where sides are to be exchanged.

    costs (T - 2, 2, 2, 2) of three frames' states, price (T, 2) of each frame's state, penalty of each change.
    """
    if len(price) < 3:
        return np.zeros(len(price), bool)
    change = penalty * np.array([[0.0, 1.0], [1.0, 0.0]])
    total = change + price[0][:, None] + price[1][None, :]  # [state of frame 0, state of frame 1]
    origins = np.zeros((len(costs), 2, 2), int)
    for index, cost in enumerate(costs):
        options = total[:, :, None] + cost + (change + price[index + 2][None, :])[None]
        origins[index] = options.argmin(axis=0)
        total = options.min(axis=0)
    before, last = np.unravel_index(int(total.argmin()), total.shape)
    states = [int(last), int(before)]
    for origin in origins[::-1]:
        states.append(int(origin[states[-1], states[-2]]))
    return np.array(states[::-1], bool)


def drop_outliers(keypoints: Keypoints, window: float = 0.3, deviations: float = 4.0) -> Keypoints:
    """Points that leap away and back count as not seen (Hampel identifier).

    A point is an outlier where it lies further from the running median over ``window`` seconds than
    ``deviations`` times the usual distance there, or 0.3 of the body's size, but never within a tenth of it.
    """
    size = body_size(keypoints)
    length = max(2, round(window * keypoints.fps) // 2) * 2 + 1
    confidence = keypoints.confidence.copy()
    for point in range(confidence.shape[1]):
        seen = np.flatnonzero(confidence[:, point] > 0)
        if len(seen) < 5:
            continue
        track = keypoints.points[seen, point].astype(np.float64)
        centre = median_filter(track, size=(length, 1), mode="nearest")
        distance = np.linalg.norm(track - centre, axis=-1)
        usual = 1.4826 * median_filter(distance, size=length, mode="nearest")
        limit = np.clip(deviations * usual, 0.1 * size, 0.3 * size)
        confidence[seen[distance > limit], point] = 0
    return replace(keypoints, confidence=confidence)


def fill_gaps(keypoints: Keypoints, longest: float = 0.25) -> Keypoints:
    """Bridge gaps of up to ``longest`` seconds between frames in which a point was seen.

    Monotone cubic interpolation (PCHIP: it does not overshoot); the filled points have half the lower
    confidence of the gap's ends.
    """
    points, confidence = keypoints.points.copy(), keypoints.confidence.copy()
    most = longest * keypoints.fps + 1e-6
    for point in range(confidence.shape[1]):
        seen = np.flatnonzero(keypoints.confidence[:, point] > 0)
        gaps = np.diff(seen) - 1
        if len(seen) < 2 or not ((gaps > 0) & (gaps <= most)).any():
            continue
        curve = PchipInterpolator(seen, keypoints.points[seen, point].astype(np.float64))
        for begin, gap in zip(seen[:-1], gaps, strict=True):
            if 0 < gap <= most:
                inside = np.arange(begin + 1, begin + gap + 1)
                points[inside, point] = curve(inside)
                ends = confidence[[begin, begin + gap + 1], point]
                confidence[inside, point] = FILLED * ends.min()
    return replace(keypoints, points=points, confidence=confidence)


def smooth(keypoints: Keypoints, cutoff: float = 8.0) -> Keypoints:
    """Low-pass without delay: a second-order Butterworth filter run forwards and backwards.

    ``cutoff`` in Hz, where the amplitude is halved.  The default keeps people's fast movements and stays below
    half of the model's 20 frames per second.  Each stretch of frames in which a point was seen is filtered by
    itself.  Where the frame rate is too low for the cutoff nothing changes.
    """
    if cutoff >= 0.45 * keypoints.fps:
        return keypoints
    filter_ = butter(2, cutoff, fs=keypoints.fps, output="sos")
    points = keypoints.points.astype(np.float64)
    for point in range(points.shape[1]):
        for begin, end in _stretches(keypoints.confidence[:, point] > 0):
            if end - begin >= 4:
                padding = min(end - begin - 1, 9)
                points[begin:end, point] = sosfiltfilt(
                    filter_, points[begin:end, point], axis=0, padlen=padding
                )
    return replace(keypoints, points=points)


def _stretches(seen: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
