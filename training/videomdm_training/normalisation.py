# SPDX-License-Identifier: Apache-2.0
"""Normalisation of the representation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from videomdm.motion import representation


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation (263,) of the features; the deviation is one number for each channel group."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Normalisation:
        """From features (F, 263).  Groups share one deviation, as HumanML3D's do, so no still joint is blown up."""
        features = features.float()
        mean, std = features.mean(0), features.std(0)
        for channels in representation.GROUPS.values():
            std[channels] = std[channels].mean().clamp(min=1e-4)
        return cls(mean, std)

    def apply(self, features: Tensor) -> Tensor:
        """Normalise (..., 263)."""
        return (features.float() - self.mean) / self.std

    def undo(self, normalised: Tensor) -> Tensor:
        """Back to metres and radians (..., 263)."""
        return normalised.float() * self.std + self.mean
