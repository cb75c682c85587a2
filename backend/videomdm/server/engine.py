# SPDX-License-Identifier: Apache-2.0
"""A pipeline inside the worker process, and how the jobs of the wire become its requests.

The pipeline's module is named by the server ("videomdm.pipeline:Pipeline").  It offers

* the class, with ``load(model, device)``, ``generate(request, progress)`` and, where it can, ``lift(request,
  progress)``; each calls ``progress(fraction, stage, preview)`` between denoising steps,
* where it can, ``device_name``, what it runs on,
* ``available_models()``, and the classes ``TextRequest`` and ``LiftRequest`` of its requests.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .. import protocol
from ..errors import UserError
from ..keypoints import Keypoints
from ..motion.clip import Motion


class Ready(protocol.Message, frozen=True):
    """What an engine that has loaded its default model can do; fields as in ``protocol.Welcome``."""

    models: list[protocol.Model]
    capabilities: list[str]
    default: str
    device: str


class Engine:
    """One loaded pipeline at a time, and how jobs become its requests."""

    def __init__(self, pipeline: str, model: str, device: str) -> None:
        name, _, attribute = pipeline.partition(":")
        self._module: ModuleType = importlib.import_module(name)
        self._factory: Any = getattr(self._module, attribute)
        self._device = device
        self._given = model
        self._loaded: Any = self._factory.load(model, device)
        self._default: str = self._loaded.info.name  # `model` may be a path

    def ready(self) -> Ready:
        """What this engine can do."""
        others = [info for info in self._module.available_models() if info.name != self._default]
        models = [_describe(info) for info in (self._loaded.info, *others)]
        lifts = ["lift"] if hasattr(self._factory, "lift") else []
        device = getattr(self._loaded, "device_name", "")
        return Ready(models, ["text", *lifts, "preview", "library"], self._default, device)

    def run(self, job: protocol.Job, progress: Callable[[float, str, Motion | None], None]) -> list[Motion]:
        """The takes of a job; raises what the pipeline raises."""
        name = job.model or self._default
        if self._loaded is None or name != self._loaded.info.name:
            progress(0.0, f"loading the model {name}", None)
            self._loaded = None  # first let go of the old weights: two models may not fit in memory
            self._loaded = self._factory.load(self._given if name == self._default else name, self._device)
        if isinstance(job, protocol.TextJob):
            request = self._module.TextRequest(**protocol.settings_of(job))
            return list(self._loaded.generate(request, progress))
        request = self._module.LiftRequest(keypoints=_keypoints(job), **protocol.settings_of(job))
        return [self._loaded.lift(request, progress)]


def _keypoints(job: protocol.LiftJob) -> Keypoints:
    try:
        return Keypoints(**protocol.keypoints_of(job))
    except ValueError as error:
        raise UserError(
            f"The keypoints cannot be used: {error}.", "Detect them again.", "bad-keypoints"
        ) from error


def _describe(info: Any) -> protocol.Model:
    return protocol.Model(
        name=info.name,
        fps=float(info.fps),
        skeleton=str(info.skeleton),
        licence=str(info.licence),
        max_seconds=float(info.max_seconds),
        commercial=bool(info.commercial),
        card=_card(getattr(info, "card", "")),
        base=str(getattr(info, "base", "")),
    )


def _card(path: str) -> str:
    """The beginning of a model's card; "" where there is none that can be read."""
    try:
        with open(path, "rb") as file:
            return file.read(protocol.MAX_CARD).decode(errors="ignore")
    except OSError:
        return ""
