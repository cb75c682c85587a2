# SPDX-License-Identifier: Apache-2.0
"""Low-rank adapters (LoRA, Hu et al., 2021): a fine-tuned model as a small difference to a base model.

An adapter holds two factors for each weight matrix W (out, in) that it changes: ``down`` (rank, in) and ``up``
(out, rank).  Loading merges them into the base's weights, W + alpha / rank * up @ down, so an adapted model runs
exactly as fast as its base.  The file ``adapter.safetensors`` has the same header as a model file; its facts name
the base and the fingerprint of the base's weights, without which the adapter would be noise.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import UserError
from ..motion.clip import write_atomically
from .checkpoint import ModelFile, load_model
from .denoiser import Denoiser
from .registry import ADAPTER, DENOISER, MODEL_VERSION, base_of, read_header


@dataclass(frozen=True)
class AdapterConfig:
    """Size of an adapter; stored in its file.

    rank:  of each difference; file size and freedom grow with it.
    alpha: the differences count alpha / rank times.
    """

    rank: int = 8
    alpha: float = 8.0

    def __post_init__(self) -> None:
        if self.rank < 1 or not self.alpha > 0:
            raise UserError(
                "An adapter's rank must be at least 1 and its alpha above 0.", "Change the configuration."
            )


class Adapter(nn.Module):
    """The factors of an adapter; they begin as no difference at all."""

    def __init__(self, shapes: Mapping[str, torch.Size], config: AdapterConfig) -> None:
        """``shapes``: (out, in) of each weight matrix by its name in the base network."""
        super().__init__()
        self.config = config
        self.names = tuple(shapes)
        # a parameter's name may hold no dot
        self.down = nn.ParameterDict(
            {_key(n): torch.randn(config.rank, shape[1]) / shape[1] ** 0.5 for n, shape in shapes.items()}
        )
        self.up = nn.ParameterDict(
            {_key(n): torch.zeros(shape[0], config.rank) for n, shape in shapes.items()}
        )

    def merged(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``weights`` (a network's state) with the differences added; gradients reach the factors."""
        scale = self.config.alpha / self.config.rank
        changed = {
            name: weights[name] + scale * (self.up[_key(name)] @ self.down[_key(name)]) for name in self.names
        }
        return {**weights, **changed}


def _key(name: str) -> str:
    return name.replace(".", "/")


def save_adapter(path: str | os.PathLike[str], adapter: Adapter, meta: Mapping[str, Any]) -> Path:
    """Write an adapter in half precision; ``meta["base"]`` holds the base's name and fingerprint."""
    header = {
        "kind": "adapter",
        "version": MODEL_VERSION,
        "sizes": dataclasses.asdict(adapter.config),
        "meta": dict(meta),
    }
    tensors = {k: v.detach().cpu().half().contiguous() for k, v in adapter.state_dict().items()}
    return write_atomically(path, save(tensors, metadata={"config": json.dumps(header)}))


def load_adapter(path: str | os.PathLike[str]) -> tuple[Adapter, dict[str, Any]]:
    """An adapter in float32 and its facts; UserError where the file is missing or damaged."""
    header = read_header(path)
    damaged = UserError(
        f"The adapter {path} is damaged.", "Train it again with `videomdm train finetune`.", "corrupt-model"
    )
    if header["kind"] != "adapter":
        raise damaged
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (no iterator)
        config = AdapterConfig(**header["sizes"])
        downs = {k.removeprefix("down."): v for k, v in tensors.items() if k.startswith("down.")}
        shapes = {
            k.replace("/", "."): torch.Size([len(tensors[f"up.{k}"]), v.shape[1]]) for k, v in downs.items()
        }
        adapter = Adapter(shapes, config)
        adapter.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError, IndexError, OSError) as error:
        raise damaged from error
    if not all(bool(torch.isfinite(v).all()) for v in tensors.values()):
        raise damaged
    return adapter.eval(), header["meta"]


@torch.no_grad()
def load_denoiser(folder: Path, device: torch.device | str = "cpu") -> ModelFile:
    """The denoiser of a model folder, an adapter merged into its base; UserError where something is wrong."""
    home = base_of(folder)
    file = load_model(home / DENOISER, Denoiser, device)
    if home == folder:
        return file
    adapter, meta = load_adapter(folder / ADAPTER)
    weights = file.network.state_dict()
    if not all(
        name in weights
        and weights[name].shape == (adapter.up[_key(name)].shape[0], adapter.down[_key(name)].shape[1])
        for name in adapter.names
    ):
        raise UserError(
            f"The adapter in {folder} does not fit the network of its base {home.name}.",
            "Train it again with `videomdm train finetune`.",
            code="corrupt-model",
        )
    file.network.load_state_dict(adapter.to(device).merged(weights))
    return ModelFile(file.network, {**file.meta, **meta}, file.tensors)
