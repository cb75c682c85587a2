# SPDX-License-Identifier: Apache-2.0
"""What lifting needs of footage: joints in normalised image coordinates, at the representation's frame rate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera_fit import intrinsics_guess
from ..errors import UserError
from ..keypoints import Keypoints
from ..keypoints.joints import to_joints
from ..motion.clip import FPS

SHORTEST = 4  # frames
SURE = 0.5  # weight from which on a joint counts as seen


@dataclass(frozen=True)
class Footage:
    """What the model needs of footage, at the representation's frame rate.

    keypoints: (T, 22, 2) normalised image coordinates; weights: (T, 22), 0 to 1.
    """

    keypoints: Tensor
    weights: Tensor

    @classmethod
    def of(cls, keypoints: Keypoints, device: torch.device) -> Footage:
        """Keypoints in pixels, at any frame rate; a usual field of view is assumed where none is known."""
        trimmed = keypoints.trimmed()
        resampled = trimmed if abs(trimmed.fps - FPS) < 1e-3 else trimmed.resampled(FPS)
        if len(resampled) < SHORTEST:
            raise UserError(
                f"The footage shows a person for {trimmed.seconds:.2f} seconds only.",
                f"At least {SHORTEST / FPS:g} seconds are needed.",
                code="bad-keypoints",
            )
        focal = resampled.provenance.get("focal_length")  # pixels, where the camera is known
        K = intrinsics_guess(resampled.width, resampled.height)
        if isinstance(focal, int | float) and focal > 0:
            K[0, 0] = K[1, 1] = float(focal)
        xy, weights = to_joints(resampled, K)
        return cls(torch.from_numpy(xy).to(device), torch.from_numpy(weights).to(device))

    @property
    def seen(self) -> Tensor:
        """(T, 22) from 0, a joint that nobody saw, to 1, one that was surely seen."""
        return (self.weights / SURE).clamp(max=1)
