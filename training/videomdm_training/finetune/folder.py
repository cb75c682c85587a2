# SPDX-License-Identifier: Apache-2.0
"""The folder of a fine-tuning: whose it is, and with what it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from videomdm.errors import UserError
from videomdm.model.registry import ADAPTER, CONFIG, DENOISER, LIFTER
from videomdm.motion.clip import write_atomically

from ..configuration import by_full_name, lasting
from ..engine import STATE
from .finetune import Base, FinetuneConfig

ELSEWHERE = "Choose another folder with --out."
# settings that decide where a run takes place and what it shows, not what it comes to
HARMLESS = {"engine.accelerator", "engine.save_every", "engine.log_every", "engine.validate_every"}


def refuse_other_folder(folder: Path, base: Base) -> None:
    """UserError where ``folder`` holds what this fine-tuning would destroy: a model, or another kind of run."""
    if folder.resolve() == base.folder.resolve():
        raise UserError(f"{folder} is the model to start from.", ELSEWHERE)
    there = [name for name in (DENOISER, LIFTER, ADAPTER, STATE) if (folder / name).exists()]
    if there and not ((folder / CONFIG).exists() and (folder / STATE).exists()):
        raise UserError(
            f"{folder} holds {', '.join(there)}, and no fine-tuning that could be gone on with.", ELSEWHERE
        )
    if (folder / CONFIG).exists():
        before = _stored(folder)
        if "base" not in before:
            raise UserError(f"{folder} holds another kind of run.", ELSEWHERE)
        if before["base"].get("weights_sha256") != base.identity["weights_sha256"]:
            raise UserError(f"{folder} holds a fine-tuning of another base.", ELSEWHERE)


def refuse_other_settings(folder: Path, config: FinetuneConfig, data: str | None = None) -> None:
    """UserError where the run in ``folder`` was told other settings, or other clips than those of digest ``data``.

    With more steps than it was told, it goes on with whatever it is told now: then that is trained, too.
    """
    if not (folder / STATE).is_file():
        return
    before, now = by_full_name(_stored(folder)), by_full_name(json.loads(json.dumps(lasting(config))))
    if before.get("method", config.method) != config.method:
        raise UserError(f"{folder} holds a fine-tuning with another method.", ELSEWHERE)
    told = int(before.get("engine.steps", 0))
    if config.engine.steps < told:
        raise UserError(f"The run in {folder} has engine.steps={told} already.", "Give at least as many.")
    if config.engine.steps > told:
        return
    more = f"to train with these give more engine.steps than {told}, or choose another folder with --out."
    changed = [
        f"{name}={before[name]}, not {value}"
        for name, value in now.items()
        if name in before.keys() - HARMLESS and before[name] != value
    ]
    if changed:
        raise UserError(f"The run in {folder} has {'; '.join(changed)}.", f"Go on with its own; {more}")
    if data is not None and before.get("data.sha256", data) != data:
        raise UserError(
            f"The run in {folder} was started with other clips or captions.", f"Go on with its own; {more}"
        )


def store_settings(folder: Path, base: Base, config: FinetuneConfig, data: str) -> None:
    """Write what decides the run into its folder; ``data`` is the digest of its clips and captions."""
    where = {**base.identity, "folder": str(base.folder.resolve())}
    settled = {"base": where, "data": {"sha256": data}, **lasting(config)}
    write_atomically(folder / CONFIG, json.dumps(settled, indent=1).encode())


def _stored(folder: Path) -> dict[str, Any]:
    """What :func:`store_settings` wrote, or another run."""
    try:
        before = json.loads((folder / CONFIG).read_bytes())
        if not isinstance(before, dict) or not isinstance(before.get("base", {}), dict):
            raise ValueError("no settings")
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / CONFIG} cannot be read, or is damaged.", ELSEWHERE) from error
    return before
