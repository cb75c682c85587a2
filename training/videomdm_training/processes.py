# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one network, as ``torchrun`` starts them."""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.fabric import Fabric
from torch import Tensor, distributed, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters


def join(fabric: Fabric) -> None:
    """Meet the other processes; whoever joined takes leave at its end.

    Gloo's threads, if nobody has ended them, abort a process that exits.
    """
    fabric.launch()
    atexit.register(_leave)


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def apart(model: nn.Module, fabric: Fabric) -> AbstractContextManager[None]:
    """Within the block each process keeps its gradients to itself; :func:`average_gradients` comes after it.

    A step that is differentiated in several parts would otherwise exchange its gradients once for each.
    """
    return fabric.no_backward_sync(model) if fabric.world_size > 1 else nullcontext()


@torch.no_grad()
def average_gradients(network: nn.Module, fabric: Fabric) -> None:
    """The gradients of all processes become their mean, in one exchange."""
    if fabric.world_size == 1:
        return
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in learning:
        if weight.grad is None:  # all processes exchange the same number of values
            weight.grad = torch.zeros_like(weight)
    gradients = [weight.grad for weight in learning if weight.grad is not None]
    mean = fabric.all_reduce(parameters_to_vector(gradients), reduce_op="mean")
    assert isinstance(mean, Tensor)
    vector_to_parameters(mean, gradients)
