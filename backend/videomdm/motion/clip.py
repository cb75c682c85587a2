# SPDX-License-Identifier: Apache-2.0
"""A motion clip, what every part of the project hands to the next, and its file.

A clip file is a NumPy ``.npz`` archive (``allow_pickle=False``) with the arrays ``positions``, ``contacts``
and, where they are known, ``features``, and one JSON text ``meta`` that carries the version, frames per
second, caption, skeleton and provenance.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from . import skeleton
from .files import read_bytes, write_atomically
from .npz import read_npz

__all__ = ["CLIP_VERSION", "FPS", "Motion", "write_atomically"]

CLIP_VERSION = 1
FPS = 20.0  # of the representation and of every model trained on it


@dataclass(frozen=True)
class Motion:
    """A clip of one character.

    positions:  (T, 22, 3) float32 world positions of the joints of ``skeleton.JOINT_NAMES``; metres, Y up,
                floor at y = 0, facing +Z in the first frame, right-handed.
    fps:        frames per second.
    contacts:   (T, 4) bool, foot on the floor: left ankle, left toe, right ankle, right toe.
    features:   (T, 263) float32 HumanML3D representation, not normalised, or None.
    caption:    the words that the motion was made from, or that describe it.
    provenance: where it came from: model, seed, guidance, source file... (JSON values only).
    """

    positions: np.ndarray
    fps: float = FPS
    contacts: np.ndarray | None = None
    features: np.ndarray | None = None
    caption: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positions = np.ascontiguousarray(self.positions, dtype=np.float32)
        if positions.ndim != 3 or positions.shape[1:] != (skeleton.JOINT_COUNT, 3) or len(positions) == 0:
            raise ValueError(f"positions must be (T, 22, 3) with T > 0, not {positions.shape}")
        if not np.isfinite(positions).all():
            raise ValueError("positions hold NaN or infinite values")
        if not 1 <= self.fps < 1000:
            raise ValueError(f"fps must lie between 1 and 1000, not {self.fps}")
        object.__setattr__(self, "positions", positions)
        if self.contacts is None:
            from .representation import foot_contacts

            object.__setattr__(self, "contacts", foot_contacts(positions, fps=self.fps))
        contacts = np.ascontiguousarray(self.contacts, dtype=bool)
        if contacts.shape != (len(positions), 4):
            raise ValueError(f"contacts must be ({len(positions)}, 4), not {contacts.shape}")
        object.__setattr__(self, "contacts", contacts)
        if self.features is not None:
            features = np.ascontiguousarray(self.features, dtype=np.float32)
            if features.shape != (len(positions), 263):
                raise ValueError(f"features must be ({len(positions)}, 263), not {features.shape}")
            object.__setattr__(self, "features", features)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self) / self.fps

    def to_bytes(self) -> bytes:
        """The clip as the bytes of a clip file."""
        meta = {
            "version": CLIP_VERSION,
            "fps": self.fps,
            "caption": self.caption,
            "skeleton": "humanml3d-22",
            "provenance": dict(self.provenance),
        }
        arrays: dict[str, Any] = {"positions": self.positions, "contacts": self.contacts}
        if self.features is not None:
            arrays["features"] = self.features
        buffer = io.BytesIO()
        np.savez_compressed(buffer, meta=np.array(json.dumps(meta)), **arrays)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a clip file.  It appears under its name only when it is complete."""
        return write_atomically(path, self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the clip") -> Motion:
        """Read a clip from bytes; UserError where they are no clip file."""
        advice = "Use a clip that `videomdm generate` or `videomdm lift` wrote, or make it again."
        try:
            arrays = read_npz(data)
            meta = json.loads(str(arrays.pop("meta")))
        except (ValueError, KeyError, RecursionError) as error:
            raise UserError(f"{name} is not a readable motion clip.", advice) from error
        if not isinstance(meta, dict) or meta.get("version") != CLIP_VERSION:
            raise UserError(
                f"{name} is a motion clip of another version than {CLIP_VERSION}.",
                "Update videomdm, or make the clip again.",
            )
        try:
            return cls(
                positions=arrays["positions"],
                fps=float(meta["fps"]),
                contacts=arrays["contacts"],
                features=arrays.get("features"),
                caption=str(meta["caption"]),
                provenance=dict(meta["provenance"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{name} is a damaged motion clip ({error}).", advice) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Motion:
        """Read a clip file; UserError where it is missing or unreadable."""
        return cls.from_bytes(read_bytes(path), str(path))
