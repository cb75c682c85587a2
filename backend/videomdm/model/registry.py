# SPDX-License-Identifier: Apache-2.0
"""Which models there are, without loading any: headers only, no torch.

A model is a folder with ``denoiser.safetensors``, ``lifter.safetensors`` and ``CARD.md``.  It is named by its
path, or by its folder's name inside the models that ship with the package or inside ``$VIDEOMDM_MODELS``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import UserError
from ..motion.clip import FPS

MODEL_VERSION = 1
KINDS = ("denoiser", "lifter")
SHIPPED = Path(__file__).parent / "weights"
DEFAULT = "base"
_ADVICE = "Fetch or train the model again, or choose another with --model."


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model before it is loaded.

    name:        how to ask for it.
    fps:         frames per second of what it makes.
    skeleton:    the joints of what it makes.
    licence:     SPDX name of the weights' licence.
    max_seconds: longest clip that it makes at once.
    commercial:  whether the weights and what they make may be used commercially.
    device:      "cpu", "cuda"...; empty until the model is loaded.
    card:        path of its card, or "".
    """

    name: str
    fps: float
    skeleton: str
    licence: str
    max_seconds: float
    commercial: bool
    device: str
    card: str


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Kind, sizes and facts of a model file, without its weights; UserError where it is missing or corrupt."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no model file {path}.", _ADVICE, code="missing-model")
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})["config"])
        known = header["version"] == MODEL_VERSION and header["kind"] in KINDS
        if not (known and isinstance(header["sizes"], dict) and isinstance(header["meta"], dict)):
            raise UserError(
                f"The model file {path} is of a kind or version that this videomdm does not know.",
                "Update videomdm, or choose another model.",
                code="corrupt-model",
            )
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"The model file {path} is damaged.", _ADVICE, code="corrupt-model") from error
    return header


def find_model(name: str) -> Path:
    """The folder of a model, by path or name; UserError that lists the known ones where there is none."""
    path = Path(name)
    if (path / "denoiser.safetensors").is_file():
        return path
    for folder in _folders():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in _folders()) or "none"
    raise UserError(
        f"There is no model {name!r}.",
        f"Give a folder that holds denoiser.safetensors, or one of: {known}.",
        code="missing-model",
    )


def model_info(folder: Path, device: str = "") -> ModelInfo:
    """What the header of a model folder's denoiser says."""
    meta = read_header(folder / "denoiser.safetensors")["meta"]
    card = folder / "CARD.md"
    return ModelInfo(
        name=folder.name,
        fps=float(meta.get("fps", FPS)),
        skeleton="humanml3d-22",
        licence=str(meta.get("licence", "")),
        max_seconds=float(meta.get("max_seconds", 10.0)),
        commercial=bool(meta.get("commercial", False)),
        device=device,
        card=str(card) if card.is_file() else "",
    )


def available_models() -> list[ModelInfo]:
    """All models that can be asked for by name; damaged ones are left out."""
    found = []
    for folder in _folders():
        try:
            found.append(model_info(folder))
        except UserError:
            continue
    return found


def _folders() -> Iterator[Path]:
    roots = [Path(p) for p in os.environ.get("VIDEOMDM_MODELS", "").split(os.pathsep) if p]
    for root in (*roots, SHIPPED):
        if root.is_dir():
            yield from (f for f in sorted(root.iterdir()) if (f / "denoiser.safetensors").is_file())
