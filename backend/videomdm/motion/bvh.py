# SPDX-License-Identifier: Apache-2.0
"""Biovision hierarchy (BVH) files: a skeleton in text, then one line of channel values for each frame.

Angles in the file are degrees; the channels of a joint are intrinsic turns in the order in which they are
listed.  Position channels replace the joint's OFFSET, as motion capture software and Blender read them.
The format carries no unit; ``scale`` says what one unit of the file is.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import kinematics, rotations
from .clip import Motion
from .files import read_bytes, write_atomically
from .inverse import LOOSE_JOINTS, joint_rotations
from .skeleton import JOINT_NAMES, Skeleton

_ADVICE = "Export the take again as BVH, or leave the file out."
MOST_CHANNELS = 6  # of one joint: a position and three turns
_AXES = {"X": 0, "Y": 1, "Z": 2}


@dataclass(frozen=True)
class EndSite:
    """The tip of a chain.

    parent: index of the joint that carries it.
    offset: (3,) position in that joint's frame.
    """

    parent: int
    offset: np.ndarray


@dataclass(frozen=True)
class Bvh:
    """What a BVH file holds.

    skeleton:     joint names, parents and offsets, in the file's order.
    end_sites:    tips of the chains.
    rotations:    (T, J, 4) unit quaternions (w, x, y, z) relative to the parent.
    translations: (T, J, 3) position in the parent's frame: the offset where the file animates none.
    fps:          frames per second.
    """

    skeleton: Skeleton
    end_sites: tuple[EndSite, ...]
    rotations: np.ndarray
    translations: np.ndarray
    fps: float

    def __len__(self) -> int:
        return len(self.rotations)

    @cached_property
    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """World positions (T, J, 3) and world rotations (T, J, 4) of the joints."""
        return kinematics.forward(self.skeleton.parents, self.rotations, self.translations)


def read_bvh(path: str | os.PathLike[str], scale: float = 1.0) -> Bvh:
    """Read a BVH file; ``scale`` multiplies its lengths (0.01 where the file is in centimetres).

    Raises UserError where the file cannot be read or is no complete BVH file.
    """
    return parse_bvh(read_bytes(path).decode("utf-8-sig", errors="replace"), str(path), scale)


def parse_bvh(text: str, name: str = "the BVH text", scale: float = 1.0) -> Bvh:
    """Read BVH from text; ``name`` is what messages call it."""
    split = re.search(r"^[^\S\n]*MOTION\b[^\S\n]*$", text, re.MULTILINE)
    if split is None:
        raise _broken(name, "it has no MOTION section")
    tree = _parse_hierarchy(text[: split.start()], name)
    frames_per_second, values = _parse_motion(text[split.end() :], sum(map(len, tree.channels)), name)
    offsets = np.array(tree.offsets)
    local, translations = _channels_to_transforms(values, tree.channels, offsets)
    return Bvh(
        skeleton=Skeleton(tuple(tree.names), tuple(tree.parents), offsets * scale),
        end_sites=tuple(EndSite(site.parent, site.offset * scale) for site in tree.end_sites),
        rotations=local,
        translations=translations * scale,
        fps=frames_per_second,
    )


def _broken(name: str, why: str) -> UserError:
    return UserError(f"{name} is not a readable BVH file: {why}.", _ADVICE, "bad-bvh")


def _rate(frame_time: Decimal) -> float:
    """Frames per second: 0.0416667 s is 24, 0.0333667 s 30000 / 1001, as far as the digits given allow."""
    seconds = float(frame_time)
    last_digit = float(Decimal(1).scaleb(int(frame_time.as_tuple().exponent)))
    tolerance = min(0.505 * last_digit / seconds, 2e-3)
    for known in (round(1.0 / seconds), round(1.001 / seconds) / 1.001):
        if known and abs(seconds * known - 1.0) <= tolerance:
            return float(known)
    return 1.0 / seconds


@dataclass
class _Hierarchy:
    """What stands above MOTION, joint by joint in the file's order; fields as in ``Skeleton`` and ``Bvh``.

    channels: the names of each joint's channels, upper case ("XROTATION").
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    end_sites: list[EndSite] = field(default_factory=list)


def _parse_hierarchy(text: str, name: str) -> _Hierarchy:
    tree = _Hierarchy()
    stack: list[int] = []  # open braces: the joint's index, -1 for an end site
    opening: int | None = None
    for line in re.sub(r"([{}])", r"\n\1\n", text).splitlines():
        words = line.split()
        if not words or words == ["HIERARCHY"]:
            continue
        keyword = words[0].upper()
        if keyword in ("ROOT", "JOINT"):
            if (keyword == "ROOT") != (not tree.names):
                raise _broken(name, "it must have exactly one ROOT, before all joints")
            if keyword == "JOINT" and (not stack or stack[-1] < 0):
                raise _broken(name, f"the joint {' '.join(words[1:])!r} has no parent")
            opening = len(tree.names)
            tree.names.append(" ".join(words[1:]) or f"joint{opening}")
            tree.parents.append(stack[-1] if stack else -1)
            tree.offsets.append(np.zeros(3))
            tree.channels.append([])
        elif keyword == "END":
            opening = -1
        elif keyword == "{":
            if opening is None:
                raise _broken(name, "a brace opens where no joint begins")
            stack.append(opening)
            opening = None
        elif keyword == "}":
            if not stack:
                raise _broken(name, "a brace closes that was never opened")
            stack.pop()
        elif keyword == "OFFSET" and stack:
            offset = _offset(words[1:], name)
            if stack[-1] >= 0:
                tree.offsets[stack[-1]] = offset
            elif len(stack) > 1:
                tree.end_sites.append(EndSite(stack[-2], offset))
        elif keyword == "CHANNELS" and stack and stack[-1] >= 0:
            tree.channels[stack[-1]] = _channel_names(words[1:], name)
        else:
            raise _broken(name, f"the line {line.strip()[:60]!r} has no meaning in its hierarchy")
    if stack:
        raise _broken(name, "a brace is not closed in its hierarchy")
    if not tree.names:
        raise _broken(name, "it has no joints")
    return tree


def _offset(words: list[str], name: str) -> np.ndarray:
    try:
        offset = np.array([float(word) for word in words])
    except ValueError:
        offset = np.empty(0)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise _broken(name, f"OFFSET {' '.join(words)[:60]} is not three numbers")
    return offset


def _channel_names(words: list[str], name: str) -> list[str]:
    known = [word.upper() for word in words[1:]]
    if (
        not words
        or len(known) > MOST_CHANNELS
        or words[0] != str(len(known))
        or not all(re.fullmatch("[XYZ](POSITION|ROTATION)", word) for word in known)
    ):
        raise _broken(
            name, f"CHANNELS {' '.join(words)[:80]} is not a count, 6 at most, and that many channels"
        )
    return known


def _parse_motion(text: str, width: int, name: str) -> tuple[float, np.ndarray]:
    header = re.match(r"\s*Frames\s*:\s*(\d+)\s+Frame\s+Time\s*:\s*(\S{1,40})", text, re.IGNORECASE)
    if header is None:
        raise _broken(name, "its MOTION section does not begin with 'Frames:' and 'Frame Time:'")
    try:
        frames, frame_time = int(header[1]), Decimal(header[2])
    except (ValueError, ArithmeticError):
        raise _broken(name, f"its frame time {header[2][:20]!r} is not a number") from None
    if not (frame_time.is_finite() and Decimal("0.001") <= frame_time <= 1):
        raise _broken(name, f"its frame time of {frame_time:g} s is impossible")
    if frames == 0:
        raise _broken(name, "it holds no frames")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # NumPy's word for "stopped at a non-number"
            values = np.fromstring(text[header.end() :], sep=" ")
    except (DeprecationWarning, ValueError):
        raise _broken(name, "its motion holds something that is not a number") from None
    if values.size != frames * width:
        raise _broken(
            name, f"{frames} frames of {width} channels need {frames * width} numbers, it holds {values.size}"
        )
    if not np.isfinite(values).all():
        raise _broken(name, "its motion holds NaN or infinite numbers")
    return _rate(frame_time), values.reshape(frames, width)


def _channels_to_transforms(
    values: np.ndarray, channels: list[list[str]], offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local quaternions (T, J, 4) and translations (T, J, 3) of channel values (T, C).

    All joints are turned together: their first rotation channels, then their second, then their third.
    """
    T, J = len(values), len(channels)
    translations = np.broadcast_to(offsets, (T, J, 3)).copy()
    slots: list[tuple[np.ndarray, np.ndarray]] = []  # angles (T, J) and axes (J, 3) of the n-th turn
    column = 0
    for joint, names in enumerate(channels):
        turns = 0
        for channel in names:
            axis = _AXES[channel[0]]
            if channel.endswith("POSITION"):
                translations[:, joint, axis] = values[:, column]
            else:
                if turns == len(slots):
                    slots.append((np.zeros((T, J)), np.zeros((J, 3))))
                slots[turns][0][:, joint] = values[:, column]
                slots[turns][1][joint, axis] = 1.0
                turns += 1
            column += 1
    local = np.zeros((T, J, 4))
    local[..., 0] = 1.0
    for angles, axes in slots:
        turn = rotations.from_axis_angle(np.broadcast_to(axes, (T, J, 3)), np.radians(angles))
        local = rotations.multiply(local, turn)
    return rotations.normalise(local), translations


def to_motion(take: Bvh) -> Motion:
    """The motion of a take in metres whose skeleton has the 22 joints by name, as ``write_bvh`` names them.

    UserError where a joint is missing.
    """
    missing = [name for name in JOINT_NAMES if name not in take.skeleton.names]
    if missing:
        raise UserError(
            f"The BVH skeleton has no joint called {', '.join(missing[:5])}.",
            "Use a BVH file that videomdm wrote: other skeletons need a mapping of their own.",
            "other-skeleton",
        )
    joints = [take.skeleton.index(name) for name in JOINT_NAMES]
    return Motion(take.world[0][:, joints], take.fps)


_ORDER = "ZXY"
_POSITION = "Xposition Yposition Zposition"
_ROTATION = "Zrotation Xrotation Yrotation"


def write_bvh(path: str | os.PathLike[str], motion: Motion, scale: float = 100.0) -> Path:
    """Write a motion's 22 joints as a BVH file, Y up; ``scale`` units are one metre (100: centimetres).

    The rest pose is a T-pose with the motion's median bone lengths; joints turn by
    ``inverse.joint_rotations``.  The root has position channels, and so have the joints next to a branch
    (hips, lowest spine, neck, collars): what pelvis and chest do that a rigid bone cannot goes there, and
    programs that read rotations only lose no more than that.
    """
    solved = joint_rotations(motion.positions)
    moving = (0, *LOOSE_JOINTS)
    tree = solved.skeleton
    lines = ["HIERARCHY", *_hierarchy_lines(tree, 0, moving, scale), "MOTION"]
    lines += [f"Frames: {len(motion)}", f"Frame Time: {1.0 / motion.fps:.8f}"]
    angles = np.degrees(np.unwrap(rotations.to_euler(solved.local, _ORDER), axis=0))
    columns = []
    for joint in _file_order(tree):
        if joint in moving:
            columns.append(solved.translations[:, joint] * scale)
        columns.append(angles[:, joint])
    rows = np.concatenate(columns, axis=1)
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows.tolist()]
    return write_atomically(path, ("\n".join(lines) + "\n").encode("ascii"))


def _children(tree: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(tree.parents) if parent == joint]


def _file_order(tree: Skeleton, joint: int = 0) -> list[int]:
    """Joints as a BVH file lists them: each with all that hangs on it before the next."""
    return [joint] + [below for child in _children(tree, joint) for below in _file_order(tree, child)]


def _hierarchy_lines(tree: Skeleton, joint: int, moving: tuple[int, ...], scale: float) -> list[str]:
    inner = [f"OFFSET {_numbers(tree.offsets[joint] * scale)}"]
    if joint in moving:
        inner.append(f"CHANNELS 6 {_POSITION} {_ROTATION}")
    else:
        inner.append(f"CHANNELS 3 {_ROTATION}")
    children = _children(tree, joint)
    for child in children:
        inner += _hierarchy_lines(tree, child, moving, scale)
    if not children:
        # programs draw the last bone to its end site: half as long as its parent, the same way
        inner += ["End Site", "{", f"  OFFSET {_numbers(0.5 * tree.offsets[joint] * scale)}", "}"]
    kind = "ROOT" if joint == 0 else "JOINT"
    return [f"{kind} {tree.names[joint]}", "{", *(f"  {line}" for line in inner), "}"]


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values.tolist())
