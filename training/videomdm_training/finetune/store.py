# SPDX-License-Identifier: Apache-2.0
"""A fine-tuned model's folder: its weights or differences, and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from videomdm.model.adapter import save_adapter
from videomdm.model.checkpoint import save_model
from videomdm.model.denoiser import Denoiser
from videomdm.model.registry import ADAPTER, CARD, DENOISER, LIFTER, read_header
from videomdm.motion.clip import write_atomically

from .finetune import Base, FinetuneConfig, Tuned
from .network import AdaptedDenoiser
from .rehearsal import Forgetting


def said(forgotten: Forgetting) -> str:
    """How far motions moved, beside what that is to be compared with."""
    moved, seeds = (1000 * metres for metres in (forgotten.moved, forgotten.seeds))
    return f"{moved:.0f} mm from the base's, in the mean; two of the base's own are {seeds:.0f} mm apart"


def store(folder: Path, base: Base, tuned: Tuned, facts: Mapping[str, Any], whole: bool) -> Path:
    """Write the model and return its file: an adapter, or with ``whole`` (and after "full") all its weights."""
    network, outcome = tuned.outcome.network, tuned.outcome
    meta = {
        **facts,
        "name": folder.resolve().name,
        "base": base.identity,
        "training_steps": outcome.step,
        "training_seconds": round(outcome.seconds),
        "forgotten_metres": round(tuned.forgotten.moved, 4),
        "seeds_apart_metres": round(tuned.forgotten.seeds, 4),
    }
    if isinstance(network, AdaptedDenoiser) and not whole:
        path = save_adapter(folder / ADAPTER, network.adapter, meta)
        if _is_own(folder / DENOISER, base):  # whole weights would be taken instead of the adapter
            (folder / DENOISER).unlink()
            (folder / LIFTER).unlink(missing_ok=True)
        return path
    merged = network.merged() if isinstance(network, AdaptedDenoiser) else network
    assert isinstance(merged, Denoiser)
    normalisation = base.normalisation
    write_atomically(folder / LIFTER, (base.folder / LIFTER).read_bytes())
    path = save_model(
        folder / DENOISER,
        merged,
        {**base.meta, **meta},
        {"mean": normalisation.mean, "std": normalisation.std},
    )
    if _is_own(folder / ADAPTER, base):
        (folder / ADAPTER).unlink()
    return path


def _is_own(file: Path, base: Base) -> bool:
    """Whether a model file was written here, by a fine-tuning of ``base``."""
    return file.is_file() and read_header(file)["meta"].get("base") == base.identity


def write_card(
    folder: Path,
    base: Base,
    tuned: Tuned,
    config: FinetuneConfig,
    facts: Mapping[str, Any],
    captions: Sequence[str],
    seconds: float,
    file: Path,
) -> Path:
    """Write the card: what the model is, from what, with what, and how much of its base it forgot.

    seconds: of the clips together.
    """
    outcome = tuned.outcome
    kind = f"rank {config.adapter.rank} adapter" if config.method == "adapter" else "all weights"
    shown = [f"* {caption}" for caption in list(dict.fromkeys(captions))[:40]]
    lines = [
        f"# {folder.resolve().name}",
        "",
        f"Fine-tuned from the model {base.folder.resolve().name} with `videomdm train finetune`.",
        "",
        "| | |",
        "|---|---|",
        f"| file | `{file.name}`, {file.stat().st_size / 2**20:.1f} MiB ({kind}) |",
        f"| base | {base.identity['name']}, weights {base.identity['weights_sha256'][:16]} |",
        f"| licence | {facts['licence']}; commercial use is {'' if facts['commercial'] else 'not '}permitted |",
        f"| data | {facts['clips']} clips, {seconds:.0f} s together, {facts['supervision']} supervision |",
        f"| training | {outcome.step} steps, {outcome.seconds:.0f} s |",
        f"| motions of unrelated prompts moved | {said(tuned.forgotten)} |",
        "",
        "## Captions",
        "",
        *shown,
        "",
    ]
    return write_atomically(folder / CARD, "\n".join(lines).encode())
