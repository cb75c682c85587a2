# SPDX-License-Identifier: Apache-2.0
"""Normalisation of the representation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from videomdm.errors import UserError
from videomdm.motion import representation
from videomdm.motion.clip import write_atomically

MOST_NUMBERS = 1 << 26  # in single precision at once


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation (263,) of the features; the deviation is one number for each channel group."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Normalisation:
        """From features (F, 263).  Groups share one deviation, as HumanML3D's do, so no still joint is blown up."""
        # a large set in single precision would be the most that training ever holds: a few channels at a time
        parts = [
            _statistics(part.float()) for part in features.split(max(1, MOST_NUMBERS // len(features)), dim=1)
        ]
        mean, std = (torch.cat(each) for each in zip(*parts, strict=True))
        for channels in representation.GROUPS.values():
            std[channels] = std[channels].mean().clamp(min=1e-4)
        return cls(mean, std)

    def to(self, device: torch.device) -> Normalisation:
        """The same numbers on another device."""
        return Normalisation(self.mean.to(device), self.std.to(device))

    def apply(self, features: Tensor) -> Tensor:
        """Normalise (..., 263)."""
        return (features.float() - self.mean) / self.std

    def undo(self, normalised: Tensor) -> Tensor:
        """Back to metres and radians (..., 263)."""
        return normalised.float() * self.std + self.mean

    def store(self, path: Path, facts: Mapping[str, object]) -> Path:
        """Keep what a training state alone does not hold, so that a model can be made of it at any time."""
        tensors = {"mean": self.mean.cpu().contiguous(), "std": self.std.cpu().contiguous()}
        return write_atomically(path, save(tensors, metadata={"facts": json.dumps(dict(facts))}))

    @classmethod
    def load(cls, path: Path) -> tuple[Normalisation, dict[str, Any]]:
        """What :meth:`store` kept, and its facts; UserError where it is missing or damaged."""
        if not path.is_file():
            raise UserError(f"There is no {path}.", "Start the run again: it goes on where it stopped.")
        try:
            with safe_open(path, "pt") as file:
                facts = json.loads((file.metadata() or {})["facts"])
                return cls(file.get_tensor("mean"), file.get_tensor("std")), dict(facts)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is damaged.", "Remove it and start the run again: it goes on where it stopped."
            ) from error


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.mean(0), values.std(0)
