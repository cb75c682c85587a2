# SPDX-License-Identifier: Apache-2.0
"""What a run needs before its first step, made within a time limit: teaching a data set may take many slices."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from videomdm.model.checkpoint import load_model
from videomdm.model.lifter import Lifter
from videomdm.model.text import text_encoder

from . import engine
from .cache import Cache
from .captions import CaptionTable
from .fit import FitConfig
from .mixture import DataSource, gather


class TimeUp(Exception):
    """The deadline has passed; what was made until then is kept."""


class TimedCache(Cache):
    """A cache that ends the work it is filled by once a deadline, of ``time.monotonic()``, has passed."""

    def __init__(self, folder: Path, deadline: float) -> None:
        super().__init__(folder)
        self.deadline = deadline

    def store(self, key: str, tensors: Mapping[str, Tensor]) -> bool:
        """As a cache's; TimeUp afterwards where it is time, so that every slice gets at least that far."""
        kept = super().store(key, tensors)
        if time.monotonic() >= self.deadline:
            raise TimeUp
        return kept


def prepare(
    given: list[DataSource], lifter_file: Path, config: FitConfig, folder: Path, deadline: float
) -> bool:
    """Fill the cache in ``folder`` with what `train fit` will look for; whether all of it is there.

    Fitted bodies are kept batch by batch: the next call goes on with the batch that this one did not come to.
    """
    teacher = load_model(lifter_file, Lifter).network
    assert isinstance(teacher, Lifter)
    device = engine.fabric_for(config.engine).device
    words = CaptionTable()
    cache = TimedCache(folder, deadline)
    try:
        gather(given, teacher, words, config, device, cache=cache)
        words.encode(text_encoder(device.type), device, cache=cache)
    except TimeUp:
        return False
    return True
