# SPDX-License-Identifier: Apache-2.0
"""The network that fine-tuning trains: an adapter over a frozen base."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from videomdm.model.adapter import Adapter, AdapterConfig
from videomdm.model.denoiser import Denoiser
from videomdm.model.transformer import hidden_matrices


class AdaptedDenoiser(nn.Module):
    """A denoiser whose weights are its base's plus an adapter's differences.

    Only the adapter is registered: states, averages and optimisers hold the few numbers that are trained.  The
    differences are merged into the weights before each run, which for short clips costs less than a second path
    through every layer, and is what loading the finished adapter does.
    """

    def __init__(self, base: Denoiser, config: AdapterConfig) -> None:
        super().__init__()
        self._frozen = (
            copy.deepcopy(base).eval().requires_grad_(False),
        )  # in a tuple, torch does not see it
        shapes = {name: weight.shape for name, weight in hidden_matrices(base).items()}
        self.adapter = Adapter(shapes, config)
        self.config = base.config

    def forward(self, *arguments: Tensor) -> Tensor:
        """As the denoiser's."""
        base = self._frozen[0]
        weights = self.adapter.merged(base.state_dict())
        result: Tensor = torch.func.functional_call(base, weights, arguments)
        return result

    def merged(self) -> Denoiser:
        """A denoiser of its own with the differences in its weights."""
        network = copy.deepcopy(self._frozen[0])
        with torch.no_grad():
            network.load_state_dict(self.adapter.merged(network.state_dict()))
        return network
