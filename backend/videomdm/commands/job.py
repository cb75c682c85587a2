# SPDX-License-Identifier: Apache-2.0
"""One job from the command line: find a server or start one, show how far it is, write the takes."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import protocol
from ..client import Client, Event, State, StateChanged
from ..connection import data_folder
from ..errors import UserError
from ..motion.clip import Motion
from ..progress import progress_bar
from .options import Backend

FIND_SECONDS = 3.0


@contextlib.contextmanager
def a_client(backend: Backend, model: str) -> Iterator[Client]:
    """A client of the running server, or of one that runs ``model`` for as long as the context lasts.

    A server knows the models of its own folders; a model given as a folder gets a server of its own.
    """
    running = find_server(backend) if model == model_name(model) else None
    if running is None:
        library = backend.library or data_folder() / "library"
        with private_server(model or "base", library, backend.pipeline) as client:
            yield client
    else:
        with running:
            yield running


def model_name(model: str) -> str:
    """The name under which a server lists a model that was given by name or by folder."""
    return Path(model).resolve().name if model and Path(model).is_dir() else model


def run(client: Client, job: protocol.Job) -> list[Motion]:
    """Have a job done under a progress bar.  Ctrl-C cancels it."""
    with job_bar(job.steps) as show:
        return client.generate(job, on_event=show)


def find_server(backend: Backend) -> Client | None:
    """A client of the running server, None where none runs; UserError where it refuses."""
    try:
        return Client.connect(backend.connection_file, curve_dir=backend.curve_dir, timeout=FIND_SECONDS)
    except UserError as error:
        if error.code in ("no-server", "server-died"):
            return None
        raise


@contextlib.contextmanager
def private_server(model: str, library: Path, pipeline: str) -> Iterator[Client]:
    """A client of a server that lives for this call only, with a connection file that nobody else sees."""
    from ..server import Settings, running

    with tempfile.TemporaryDirectory(prefix="videomdm-") as folder:
        file = Path(folder) / "connection.json"
        settings = Settings(model=model, library=library, pipeline=pipeline, connection_file=file)
        with running(settings), Client.connect(file) as client:
            yield client


@contextlib.contextmanager
def job_bar(steps: int) -> Iterator[Callable[[Event], None]]:
    """A bar of denoising steps on stderr, and the function that moves it."""
    with progress_bar(total=steps, unit="step", leave=False) as bar:

        def show(event: Event) -> None:
            if isinstance(event, protocol.Progress):
                bar.set_description(event.stage, refresh=False)
                bar.update(round(event.fraction * steps) - bar.n)
            elif isinstance(event, protocol.Accepted) and event.ahead:
                bar.set_description(f"waiting for {event.ahead} jobs")
            elif isinstance(event, StateChanged):
                if event.error is not None and event.error.code == "server-died":
                    raise event.error
                bar.set_description("connected again" if event.state is State.READY else "connection lost")

        yield show


def write(output: Path, motions: list[Motion]) -> list[Path]:
    """Write one file for each motion; the names of several are numbered: walk-1.npz, walk-2.npz."""
    paths = []
    for number, motion in enumerate(motions, start=1):
        path = output if len(motions) == 1 else output.with_stem(f"{output.stem}-{number}")
        if path.suffix.lower() == ".bvh":
            from ..motion.bvh import write_bvh

            write_bvh(path, motion)
        else:
            motion.save(path)
        paths.append(path)
    return paths
