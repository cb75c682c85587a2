# SPDX-License-Identifier: Apache-2.0
"""Which models there are, without loading any: headers only, no torch.

A model is a folder with ``denoiser.safetensors``, ``lifter.safetensors`` and ``CARD.md``; or, for a model that
was fine-tuned from one, with ``adapter.safetensors`` and ``CARD.md``.  It is named by its path, or by its folder's
name inside ``$VIDEOMDM_MODELS``, the folder ``models`` of the user's data, or the models that ship with the package.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..connection import data_folder
from ..errors import UserError
from ..motion.clip import FPS

MODEL_VERSION = 1
KINDS = ("denoiser", "lifter", "adapter")
DENOISER = "denoiser.safetensors"
ADAPTER = "adapter.safetensors"
LIFTER = "lifter.safetensors"
CONFIG = "config.json"
CARD = "CARD.md"
SHIPPED = Path(__file__).parent / "weights"
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
    base:        the model that it adapts, or "".
    """

    name: str
    fps: float
    skeleton: str
    licence: str
    max_seconds: float
    commercial: bool
    device: str
    card: str
    base: str = ""


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
    if _is_model(path):
        return path
    for folder in _folders():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in _folders()) or "none"
    raise UserError(
        f"There is no model {name!r}.",
        f"Give a folder that holds {DENOISER} or {ADAPTER}, or one of: {known}.",
        code="missing-model",
    )


def base_of(folder: Path) -> Path:
    """The folder with the network of a model: its own, or that of the base which its adapter was made for.

    A base is recognised by its weights, wherever it lies: where it lay when the adapter was made, beside the
    adapter, or among the known models.
    """
    if (folder / DENOISER).is_file():
        return folder
    meta = read_header(folder / ADAPTER)["meta"]
    base = meta.get("base")
    if not (isinstance(base, dict) and isinstance(base.get("name"), str)):
        raise UserError(f"The adapter in {folder} names no base.", _ADVICE, code="corrupt-model")
    beside = [f for f in sorted(folder.resolve().parent.iterdir()) if (f / DENOISER).is_file()]
    known = [*_remembered(folder), *beside, *(f for f in _folders() if (f / DENOISER).is_file())]
    for candidate in sorted(known, key=lambda f: f.name != base["name"]):
        if fingerprint(candidate / DENOISER) == base.get("weights_sha256"):
            return candidate
    raise UserError(
        f"The model {folder.name} adapts {base['name']}, and those weights are not here.",
        f"Put the {base['name']} that it was made from beside it or into $VIDEOMDM_MODELS, "
        "or fine-tune again from the one that you have.",
        code="missing-model",
    )


def _remembered(folder: Path) -> list[Path]:
    """Where config.json beside an adapter says that its base lay, if it still does."""
    try:
        base = Path(json.loads((folder / CONFIG).read_bytes())["base"]["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # written elsewhere, or by hand: the base can still be known by its weights
    return [base] if (base / DENOISER).is_file() else []


def fingerprint(path: Path) -> str:
    """SHA-256 of a model file's weights, whatever its facts say; UserError where it cannot be read."""
    try:
        status = path.stat()
        return _fingerprint(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise UserError(f"The model file {path} cannot be read.", _ADVICE, code="missing-model") from error


@functools.lru_cache(maxsize=64)
def _fingerprint(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        # safetensors: the length of a JSON header in 8 bytes, the header, the weights
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_info(folder: Path, device: str = "") -> ModelInfo:
    """What the headers of a model folder say."""
    home = base_of(folder)
    meta = read_header(home / DENOISER)["meta"]
    commercial = bool(meta.get("commercial", False))
    if home != folder:
        meta = {**meta, **read_header(folder / ADAPTER)["meta"]}
        commercial = commercial and bool(meta.get("commercial", False))
    card = folder / CARD
    return ModelInfo(
        name=folder.name,
        fps=float(meta.get("fps", FPS)),
        skeleton="humanml3d-22",
        licence=str(meta.get("licence", "")),
        max_seconds=float(meta.get("max_seconds", 10.0)),
        commercial=commercial,
        device=device,
        card=str(card) if card.is_file() else "",
        base="" if home == folder else home.name,
    )


def available_models() -> list[ModelInfo]:
    """All models that can be asked for by name: of several that share one, the first, which hides the others.

    Damaged ones are left out.
    """
    found, names = [], set()
    for folder in _folders():
        if folder.name in names:
            continue
        names.add(folder.name)
        try:
            found.append(model_info(folder))
        except UserError:
            continue
    return found


def user_models() -> Path:
    """The folder for models of one's own."""
    return data_folder() / "models"


def _is_model(folder: Path) -> bool:
    return (folder / DENOISER).is_file() or (folder / ADAPTER).is_file()


def _folders() -> Iterator[Path]:
    roots = [Path(p) for p in os.environ.get("VIDEOMDM_MODELS", "").split(os.pathsep) if p]
    for root in (*roots, user_models(), SHIPPED):
        if root.is_dir():
            yield from (f for f in sorted(root.iterdir()) if _is_model(f))
