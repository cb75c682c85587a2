# SPDX-License-Identifier: Apache-2.0
"""What runs inside the worker process: load a pipeline, run one job after the other, report every step.

The pipeline's module is named by the server ("videomdm.pipeline:Pipeline").  It offers

* the class, with ``load(model, device)``, ``generate(request, progress)`` and, where it can, ``lift(request,
  progress)``; each calls ``progress(fraction, stage, preview)`` between denoising steps,
* where it can, ``device_name``, what it runs on,
* ``available_models()``, and the classes ``TextRequest`` and ``LiftRequest`` of its requests.

This is the only place of the server where torch is loaded.  Parent and worker exchange messages of
``videomdm.protocol`` over a pipe; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from .. import protocol
from ..errors import Cancelled, UserError
from ..keypoints import Keypoints
from ..motion.clip import Motion

log = logging.getLogger(__name__)

PREVIEW_SECONDS = 0.4  # previews are sent no more often


class Ready(protocol.Message, frozen=True):
    """The worker has loaded its default model and waits for jobs."""

    models: list[protocol.Model]
    capabilities: list[str]
    default: str
    device: str


Order = protocol.TextJob | protocol.LiftJob | protocol.Cancel
Report = Ready | protocol.Progress | protocol.Result | protocol.Failed | protocol.Cancelled


def pack(message: protocol.Message) -> bytes:
    """A message as one string of bytes, for a pipe."""
    return msgspec.msgpack.encode(protocol.encode(message))


def unpack(data: bytes, kinds: Any) -> Any:
    """The message that :func:`pack` made."""
    return protocol.decode(msgspec.msgpack.decode(data, type=list[bytes]), kinds)


def main(link: Connection, pipeline: str, model: str, device: str) -> None:
    """Entry point of the process.  Ends when the pipe closes or the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has closed the pipe
        try:
            engine = Engine(pipeline, model, device)
            ready = engine.ready()
        except Exception as error:
            link.send_bytes(pack(_failure(error, "")))
            return
        link.send_bytes(pack(ready))
        while True:
            order = unpack(link.recv_bytes(), Order)
            if not isinstance(order, protocol.Cancel):  # a Cancel here is late: its job is over
                link.send_bytes(_run(engine, order, link))


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

    def run(self, job: protocol.Job, progress: _Reporter) -> list[Motion]:
        """The takes of a job; raises what the pipeline raises."""
        name = job.model or self._default
        if self._loaded is None or name != self._loaded.info.name:
            progress(0.0, f"loading the model {name}", None)
            self._loaded = None  # first let go of the old weights: two models may not fit in memory
            self._loaded = self._factory.load(self._given if name == self._default else name, self._device)
        if isinstance(job, protocol.TextJob):
            request = self._module.TextRequest(
                prompt=job.prompt,
                seconds=job.seconds,
                seed=job.seed,
                guidance=job.guidance,
                steps=job.steps,
                samples=job.samples,
            )
            return list(self._loaded.generate(request, progress))
        request = self._module.LiftRequest(
            keypoints=_keypoints(job),
            prompt=job.prompt,
            seed=job.seed,
            guidance=job.guidance,
            steps=job.steps,
        )
        return [self._loaded.lift(request, progress)]


class _Reporter:
    """The pipeline's progress callback: tells the parent, and hears from it whether to stop."""

    def __init__(self, job: str, link: Connection) -> None:
        self._job = job
        self._link = link
        self._preview_due = time.monotonic() + PREVIEW_SECONDS

    def __call__(self, fraction: float, stage: str, preview: Motion | None = None) -> None:
        while self._link.poll():
            order = unpack(self._link.recv_bytes(), Order)
            if isinstance(order, protocol.Cancel) and order.job == self._job:
                raise Cancelled
        now = time.monotonic()
        if preview is not None and now < self._preview_due:
            preview = None
        if preview is not None:
            self._preview_due = now + PREVIEW_SECONDS
        fraction = min(max(float(fraction), 0.0), 1.0)
        self._link.send_bytes(pack(protocol.Progress(self._job, fraction, stage, preview)))


def _run(engine: Engine, job: protocol.Job, link: Connection) -> bytes:
    """Run one job; the packed message that ends it."""
    try:
        progress = _Reporter(job.job, link)
        progress(0.0, "starting")
        motions = engine.run(job, progress)
        if not motions:
            raise RuntimeError("it made no motion")
        return pack(protocol.Result(job.job, motions))
    except Cancelled:
        return pack(protocol.Cancelled(job.job))
    except Exception as error:
        return pack(_failure(error, job.job))


def _failure(error: Exception, job: str) -> protocol.Failed:
    """The message for what a pipeline raised."""
    if isinstance(error, UserError):
        return protocol.Failed.of(error, job)
    if isinstance(error, ImportError):
        return protocol.Failed(
            "not-installed",
            f"The model cannot run: {str(error)[:300]}.",
            "Install the backend: pip install 'videomdm[backend]'.",
            job,
        )
    log.error("The worker could not do its work", exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return protocol.Failed(
            "out-of-memory",
            f"The memory was not enough ({str(error)[:300]}).",
            "Ask for a shorter clip, fewer samples, or close other programs.",
            job,
        )
    return protocol.Failed(
        "internal",
        f"The model failed: {type(error).__name__}: {str(error)[:1000]}.",
        "The server's log has the details; try again, or report it.",
        job,
    )


def _keypoints(job: protocol.LiftJob) -> Keypoints:
    try:
        return Keypoints(
            points=job.points,
            confidence=job.confidence,
            fps=job.fps,
            width=job.width,
            height=job.height,
            source=job.source,
            provenance=job.provenance,
        )
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
        return Path(path).read_text(encoding="utf-8")[: protocol.MAX_CARD] if path else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _exit_with_parent() -> None:
    """Leave no orphan: when the server dies, however it dies, the worker goes at once."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
