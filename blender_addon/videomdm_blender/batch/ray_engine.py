# SPDX-License-Identifier: GPL-3.0-or-later
"""``--engine ray``: the same workers, spread over a Ray cluster.

Each of Ray's actors sits beside one worker process, as the pool's threads do on one machine.  Clips, rigs and
the folder of results must lie under the same paths on all machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from videomdm.errors import UserError

from .pool import Fates
from .process import Seat
from .schedule import Schedule, Task


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
    """
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False)
    actors: list[Any] = []
    try:
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        # A place that Ray could not fill would wait for ever.
        places = min(count or cores, cores, len(tasks))
        actor = ray.remote(num_cpus=1)(Seat)
        schedule, fates = Schedule(tasks), Fates()
        busy: dict[Any, tuple[int, Any, Task]] = {}

        def sit(number: int) -> Any:
            seat = actor.remote(module, folder.resolve() / f"worker-{number}")
            actors.append(seat)
            return seat

        free = [(number, sit(number)) for number in range(places)]
        while schedule or busy:
            while free and (task := schedule.next(free[-1][0])) is not None:
                if (refused := fates.refusal(task)) is not None:
                    yield task, refused
                    continue
                number, seat = free.pop()
                busy[seat.perform.remote(task.job, limit)] = (number, seat, task)
            if not busy:
                break
            ready, _ = ray.wait(list(busy), num_returns=1)
            number, seat, task = busy.pop(ready[0])
            try:
                answer = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, UserError):
                    raise error.cause from error
                raise
            except ray.exceptions.RayActorError as error:
                why = " ".join(str(error).split())[:300]
                answer = {
                    "error": [f"Ray lost the worker: {why}", "See Ray's logs.", "crashed"],
                    "seconds": 0.0,
                    "start_seconds": 0.0,
                }
                seat = sit(number)
            free.append((number, seat))
            fates.note(task, answer)
            yield task, answer
    finally:
        for seat in actors:
            with suppress(ray.exceptions.RayError):  # it was lost, or is busy: its worker ends with it
                ray.get(seat.close.remote(), timeout=10.0)
            ray.kill(seat)
        if started:
            ray.shutdown()
