# SPDX-License-Identifier: Apache-2.0
"""The frozen evaluator: motions and captions in, embeddings out; and its file.

The file is safetensors, weights in half precision, with sizes and facts as JSON in the header.  The one that
ships with the package must be, byte for byte, the one that figures were published with.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from videomdm.errors import UserError
from videomdm.model.text import TextEncoder, text_encoder
from videomdm.motion.clip import write_atomically
from videomdm.motion.representation import encode

from ..captions import CaptionTable
from ..clips import FRAME_MULTIPLE, Clips
from ..normalisation import Normalisation
from .network import Evaluator, EvaluatorSizes

SHIPPED = Path(__file__).parent / "weights" / "evaluator.safetensors"
SHA256 = "4f2d6e54649cbfa53d236a1fb244f599170e4f26adcbba3ffe37f9a883bea32e"
VERSION = 1
BATCH = 64

Done = Callable[[int], object]


def save_evaluator(
    path: Path, network: Evaluator, normalisation: Normalisation, facts: Mapping[str, Any]
) -> Path:
    """Write an evaluator's file."""
    tensors = {f"weights.{k}": v.detach().cpu().half().contiguous() for k, v in network.state_dict().items()}
    for name in ("mean", "std"):
        tensors[name] = getattr(normalisation, name).cpu().float().contiguous()
    header = {"version": VERSION, "sizes": dataclasses.asdict(network.config), "facts": dict(facts)}
    return write_atomically(path, save(tensors, metadata={"evaluator": json.dumps(header)}))


class FrozenEvaluator:
    """An evaluator that nothing changes any more.

    digest: SHA-256 of its file, in hexadecimal; figures of different evaluators cannot be compared.
    facts:  how it was made.
    """

    def __init__(
        self, network: Evaluator, normalisation: Normalisation, facts: Mapping[str, Any], digest: str
    ) -> None:
        self.network = network.eval()
        self.device = normalisation.mean.device
        self.normalisation = normalisation
        self.facts = dict(facts)
        self.digest = digest
        self.encoder: TextEncoder = text_encoder("cpu")

    @classmethod
    def load(cls, path: Path | None = None) -> FrozenEvaluator:
        """The evaluator that ships with the package, or another file; UserError where it is not what it should be."""
        chosen = path or SHIPPED
        try:
            data = chosen.read_bytes()
        except OSError as error:
            raise UserError(
                f"The evaluator {chosen} cannot be read ({error.strerror}).",
                "Give a file that `videomdm train evaluator` wrote, or reinstall videomdm.",
                code="missing-model",
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if path is None and digest != SHA256:
            raise UserError(
                f"The evaluator {chosen} is not the one that this version of videomdm measures with.",
                "Reinstall videomdm.",
                code="corrupt-model",
            )
        damaged = UserError(
            f"The evaluator {chosen} is damaged or of another version.",
            "Train it again with `videomdm train evaluator`.",
            code="corrupt-model",
        )
        try:
            with safe_open(chosen, "pt") as file:
                header = json.loads((file.metadata() or {})["evaluator"])
                tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (no iterator)
            if header["version"] != VERSION:
                raise damaged
            network = Evaluator(EvaluatorSizes(**header["sizes"]))
            network.load_state_dict(
                {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}
            )
            normalisation = Normalisation(tensors["mean"], tensors["std"])
            facts = dict(header["facts"])
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, UserError) as error:
            raise damaged from error
        if not all(bool(torch.isfinite(v).all()) for v in tensors.values()):
            raise damaged
        return cls(network.requires_grad_(False), normalisation, facts, digest)

    def motions(self, positions: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors (N, E) of motions, each (T, 22, 3) metres at 20 fps, of at least 4 frames.

        Only positions are judged: every motion is encoded by the same rules, whoever made it.
        """
        return self.embed(features_of(positions))

    def embed(self, features: Sequence[Tensor]) -> np.ndarray:
        """Unit vectors (N, E) of what :func:`features_of` gave."""
        clips = Clips({"features": torch.cat(list(features))}, torch.tensor([len(f) for f in features]))
        rows = np.empty((len(features), self.network.config.embedding), np.float32)
        for index in clips.order.split(BATCH):
            batch = clips.batch(index)
            x = self.normalisation.apply(batch.frames["features"].to(self.device))
            with torch.inference_mode():
                rows[index.numpy()] = self.network.embed_motion(x, batch.mask.to(self.device)).cpu().numpy()
        return rows

    def texts(self, captions: Sequence[str]) -> np.ndarray:
        """Unit vectors (N, E) of captions."""
        table = CaptionTable()
        ids = [table.add(caption) for caption in captions]
        table.encode(self.encoder, self.device)
        rows = []
        for index in torch.arange(len(table.texts), device=self.device).split(BATCH):
            with torch.inference_mode():
                rows.append(self.network.embed_text(*table.states(index)).cpu())
        return torch.cat(rows).numpy()[ids]


@torch.no_grad()
def features_of(
    positions: Sequence[np.ndarray], device: torch.device | str = "cpu", done: Done | None = None
) -> list[Tensor]:
    """Features (T, 263) of motions (T, 22, 3), each cut to a multiple of ``FRAME_MULTIPLE`` frames.

    Motions of one length are encoded together.
    """
    by_length: dict[int, list[int]] = {}
    for i, motion in enumerate(positions):
        by_length.setdefault(len(motion) // FRAME_MULTIPLE * FRAME_MULTIPLE, []).append(i)
    features = [torch.empty(0)] * len(positions)
    for length, members in by_length.items():
        for start in range(0, len(members), BATCH):
            chosen = members[start : start + BATCH]
            stacked = np.stack([positions[i][:length] for i in chosen]).astype(np.float32)
            for i, row in zip(chosen, encode(torch.from_numpy(stacked).to(device)), strict=True):
                features[i] = row
            if done is not None:
                done(len(chosen))
    return features
