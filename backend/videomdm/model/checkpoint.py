# SPDX-License-Identifier: Apache-2.0
"""Model files: safetensors weights with their whole configuration in the header.

A model folder holds ``denoiser.safetensors``, ``lifter.safetensors`` and ``CARD.md``.  The header's ``config``
is JSON: kind, version, sizes, normalisation, training facts.  Nothing is unpickled; what does not fit is refused
with one sentence.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import UserError
from ..motion.clip import write_atomically
from .denoiser import Denoiser, DenoiserConfig
from .lifter import Lifter, LifterConfig
from .registry import MODEL_VERSION, read_header

KINDS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "denoiser": (Denoiser, DenoiserConfig),
    "lifter": (Lifter, LifterConfig),
}
M = TypeVar("M", bound=nn.Module)


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """A loaded model file.

    meta:    the facts that were stored with it (name, licence, fps, steps, recipe...).
    tensors: further tensors by name (a denoiser's ``mean`` and ``std`` (D,)).
    """

    network: nn.Module
    meta: dict[str, Any]
    tensors: dict[str, Tensor]


def save_model(
    path: str | os.PathLike[str],
    network: nn.Module,
    meta: Mapping[str, Any],
    tensors: Mapping[str, Tensor] | None = None,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write ``network`` (its ``config`` included) with ``meta`` and further ``tensors``, weights as ``dtype``."""
    kind = next(name for name, (cls, _) in KINDS.items() if isinstance(network, cls))
    config: Any = network.config
    header = {
        "kind": kind,
        "version": MODEL_VERSION,
        "sizes": dataclasses.asdict(config),
        "meta": dict(meta),
    }
    weights = {
        f"weights.{k}": v.detach().cpu().to(dtype).contiguous() for k, v in network.state_dict().items()
    }
    extra = {f"extra.{k}": v.detach().cpu().float().contiguous() for k, v in (tensors or {}).items()}
    return write_atomically(path, save({**weights, **extra}, metadata={"config": json.dumps(header)}))


def load_model(path: str | os.PathLike[str], kind: type[M], device: torch.device | str = "cpu") -> ModelFile:
    """Load a model file of network class ``kind`` in float32; UserError where it is missing or corrupt."""
    header = read_header(path)
    cls, config_class = KINDS[header["kind"]]
    damaged = UserError(
        f"The model file {path} is damaged or holds another network than a {kind.__name__.lower()}.",
        "Fetch or train the model again, or choose another with --model.",
        code="corrupt-model",
    )
    if cls is not kind:
        raise damaged
    try:
        network = cls(config_class(**header["sizes"]))
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (no iterator)
        network.load_state_dict(
            {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}
        )
    except (SafetensorError, RuntimeError, TypeError, ValueError, OSError, UserError) as error:
        raise damaged from error
    if not all(bool(torch.isfinite(v).all()) for v in tensors.values()):
        raise damaged
    extra = {k.removeprefix("extra."): v.to(device) for k, v in tensors.items() if k.startswith("extra.")}
    return ModelFile(network.eval().to(device), header["meta"], extra)
