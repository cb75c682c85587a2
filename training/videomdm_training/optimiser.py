# SPDX-License-Identifier: Apache-2.0
"""The optimisers of a network: Muon for the matrices of its blocks, AdamW for everything else.

Muon (Jordan, 2024) orthogonalises the momentum of each weight matrix.  On the networks of this project it reaches
the error of AdamW in well under half the steps; embeddings, norms, read-out layers and modulation tables are not
matrices in its sense and stay with AdamW.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from videomdm.model.transformer import hidden_matrices

from .muon import Muon

OptimiserName = Literal["muon", "adamw"]


def optimisers_for(
    network: nn.Module, name: OptimiserName, rate: float, matrix_rate: float, decay: float
) -> list[torch.optim.Optimizer]:
    """The optimisers that together hold every parameter of ``network`` once, each at its full learning rate."""
    matrices = list(hidden_matrices(network).values()) if name == "muon" else []
    taken = {id(weight) for weight in matrices}
    rest = [weight for weight in network.parameters() if id(weight) not in taken]
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, weight_decay=decay, fused=True)]
    if matrices:
        made.append(Muon(matrices, lr=matrix_rate, weight_decay=decay))
    return made
