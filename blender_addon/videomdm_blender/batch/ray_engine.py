# SPDX-License-Identifier: GPL-3.0-or-later
"""``--engine ray``: the same workers, spread over a Ray cluster.

Each of Ray's actors sits beside one worker process, as the pool's threads do on one machine.  Clips, rigs and
the folder of results must lie under the same paths on all machines.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from videomdm.errors import UserError

from .pool import Fates
from .process import Seat
from .schedule import Schedule, Task

REACHING = 10.0  # seconds for the cluster to answer; Ray itself would try for many minutes
CLOSING = 10.0  # seconds for all workers to end; those that have not are ended by Ray


def require_ray() -> None:
    """UserError where Ray is not installed."""
    if find_spec("ray") is None:
        raise UserError(
            "Ray is not installed here.",
            "Install it: pip install 'videomdm[farm]', or leave out --engine ray.",
            "no-ray",
        )


def run(
    module: str, tasks: Sequence[Task], count: int | None, limit: float, folder: Path
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Do ``tasks`` on the cluster that RAY_ADDRESS names, else on one of this machine; see ``pool.run``.

    count: of workers; None: one for each of the cluster's cores.

    A worker gets a task once Ray has found a place for it: the work goes on with fewer while a cluster is busy or
    still growing.  UserError where the cluster cannot be reached, or no worker could be started.
    """
    import ray

    started = not ray.is_initialized()
    if started:
        _connect()
    seats: dict[int, Any] = {}
    asked: dict[Any, tuple[int, Task | None]] = {}  # what Ray was asked -> of which seat, and for which task
    seated: set[int] = set()
    try:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        # Two calls at once: a seat can be closed while it works.
        actor = ray.remote(num_cpus=1, max_concurrency=2)(Seat)
        schedule, fates = Schedule(tasks), Fates()

        def sit(number: int) -> None:
            seated.discard(number)
            seats[number] = actor.remote(module, folder.resolve() / f"worker-{number}")
            asked[seats[number].__ray_ready__.remote()] = number, None

        for number in range(min(count or cores, len(tasks))):
            sit(number)
        while schedule or any(task is not None for _, task in asked.values()):
            (ready, *_), _ = ray.wait(list(asked), num_returns=1)
            number, task = asked.pop(ready)
            answer, why = _outcome(ready)
            ended: list[tuple[Task, dict[str, Any]]] = []
            if task is not None:
                ended.append((task, _lost(why) if why else answer))
                fates.note(*ended[0])
            if not why:
                seated.add(number)
            elif task is not None:
                ray.kill(seats[number])
                sit(number)
            else:
                del seats[number]
                if not seats:
                    raise UserError(
                        f"Ray could not start a worker ({why}).",
                        "See that videomdm[farm] is installed on all of its machines in the same version.",
                        "no-worker",
                    )
            while number in seated and (following := schedule.next(number)) is not None:
                if (refused := fates.refusal(following)) is None:
                    asked[seats[number].perform.remote(following.job, limit)] = number, following
                    break
                ended.append((following, refused))
            for done, told in ended:
                yield done, told | {"worker": number}
    finally:
        if closing := [seats[number].close.remote() for number in seated]:
            ray.wait(closing, num_returns=len(closing), timeout=CLOSING)
        for seat in seats.values():
            ray.kill(seat)
        if started:
            ray.shutdown()


def _connect() -> None:
    import ray

    try:
        host, _, port = os.environ.get("RAY_ADDRESS", "").removeprefix("ray://").rpartition(":")
        if port.isdigit():
            socket.create_connection((host.strip("[]"), int(port)), REACHING).close()
        ray.init(log_to_driver=False, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        where = f" at {host}:{port}" if port.isdigit() else ""
        raise UserError(
            f"The Ray cluster{where} cannot be used ({_line(error)}).",
            "See that it runs and RAY_ADDRESS names it; where it asks for a token, set RAY_AUTH_MODE=token.",
            "no-cluster",
        ) from error


def _outcome(done: Any) -> tuple[Any, str]:
    """What Ray was asked for, or why there is nothing; UserError where no worker could do it."""
    import ray

    try:
        return ray.get(done), ""
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from error
        raise
    except ray.exceptions.RayError as error:
        return None, _line(error)


def _lost(why: str) -> dict[str, Any]:
    return {
        "error": [f"Ray lost the worker: {why}", "See Ray's logs.", "crashed"],
        "seconds": 0.0,
        "start_seconds": 0.0,
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
