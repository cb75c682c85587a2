# SPDX-License-Identifier: Apache-2.0
"""The training loop: one engine for every network, with exact resume.

All randomness of a step comes from a generator seeded by (seed, step), so a run that stops anywhere and goes on
later takes the same steps as one that never stopped.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from videomdm.errors import UserError
from videomdm.motion.files import replacing, write_atomically
from videomdm.progress import progress_bar

from .memory import give_back
from .optimiser import OptimiserName, optimisers_for
from .processes import apart, average_gradients, join

Losses = dict[str, Tensor]
StepLosses = Callable[[nn.Module, int, torch.Generator], Losses | Iterator[Losses]]
ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps")
PRECISIONS = ("bf16-mixed", "32-true")
SEED_BLOCK = 1_000_003
STATE = "state.pt"
LOST = 20  # steps in a row without finite gradients after which a run has diverged
LOG = "log.jsonl"


@dataclass(frozen=True)
class EngineConfig:
    """How to optimise.

    steps:       length of the whole run; the learning rate is constant after ``warmup`` steps and falls to 0,
                 by a cosine, over the last ``cooldown`` part of it.
    optimiser:   "muon" takes ``matrix_learning_rate`` for the matrices of the network's blocks and
                 ``learning_rate`` for the rest; "adamw" takes ``learning_rate`` for all.
    ema:         decay of the averaged weights, reached gradually.
    precision:   Lightning Fabric's name: "bf16-mixed", "32-true"...
    save_every:  steps between checkpoints; a crash loses no more.
    validate_every: steps between looks at held-out clips.
    time_limit:  seconds after which the run saves and stops, 0 for none.
    compile:     "default" lets torch fuse the network's operations, which takes half a minute or more at the start.
                 CUDA graphs are no choice: lengths change from batch to batch, and the parts of a step add up in
                 gradients that a graph would overwrite.
    """

    steps: int = 20_000
    optimiser: OptimiserName = "muon"
    learning_rate: float = 5e-4
    matrix_learning_rate: float = 2.5e-3
    weight_decay: float = 0.01
    warmup: int = 100
    cooldown: float = 0.3
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    precision: str = "bf16-mixed"
    accelerator: str = "auto"
    save_every: int = 250
    log_every: int = 10
    validate_every: int = 1000
    time_limit: float = 0.0
    compile: Literal["off", "default"] = "off"

    def __post_init__(self) -> None:
        if min(self.steps, self.save_every, self.log_every, self.validate_every) < 1:
            raise UserError(
                "steps, save_every, log_every and validate_every must be at least 1.",
                "Change the configuration.",
            )
        if min(self.learning_rate, self.matrix_learning_rate, self.clip) <= 0:
            raise UserError(
                "learning_rate, matrix_learning_rate and clip must be above 0.", "Change the configuration."
            )
        if min(self.weight_decay, self.warmup, self.time_limit, self.seed) < 0:
            raise UserError(
                "weight_decay, warmup, time_limit and seed must not be negative.", "Change the configuration."
            )
        if not 0 <= self.cooldown <= 1 or not 0 <= self.ema < 1:
            raise UserError("cooldown and ema must lie between 0 and 1.", "Change the configuration.")
        if self.precision.startswith("16"):
            raise UserError(
                "Training in half precision needs scaled losses, which this engine does not do.",
                'Choose precision "bf16-mixed" or "32-true".',
            )


def pace(config: EngineConfig, step: int) -> float:
    """The part of the full learning rate that a step takes: warm-up, constant, cosine to 0."""
    rate = min(1.0, (step + 1) / max(1, config.warmup))
    start = config.steps * (1 - config.cooldown)
    if step > start:
        rate *= 0.5 * (1 + math.cos(math.pi * (step - start) / max(1.0, config.steps - start)))
    return rate


def generator_for(seed: int, step: int, device: torch.device, rank: int = 0) -> torch.Generator:
    """The random numbers of one step; each of several processes has its own ``rank``.

    The first million steps of the first 4,000 seeds have numbers of their own; what is beyond, and further
    processes, start at a hash, since a CPU's generator keeps 32 bits of its seed.
    """
    block, within = divmod(step, SEED_BLOCK)
    first = seed * SEED_BLOCK
    if rank or block or first >= 2**32:
        first = int(np.random.SeedSequence((seed, rank, block)).generate_state(1)[0])
    return torch.Generator(device).manual_seed(first + within)


class Average:
    """Exponential moving average of a network's weights, with a warm-up of its decay."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's weights after ``step``."""
        decay = min(self.decay, (1 + step) / (10 + step))
        ours, theirs = list(self.weights.values()), list(network.state_dict().values())
        torch._foreach_lerp_(ours, theirs, 1 - decay)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that the file is either the old one or the complete new one."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path, mapped: bool = False) -> dict[str, Any]:
    """Read a training state (tensors and plain values only); UserError where it is damaged.

    mapped: leave the tensors in the file until they are used, which must not be replaced meanwhile.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        if not {"step", "network", "average", "optimisers", "seconds"} <= state.keys():
            raise KeyError("incomplete")
    except MemoryError:
        raise
    except OSError as error:
        raise UserError(f"The training state {path} cannot be read ({error}).", "Check the file.") from error
    except Exception as error:
        # torch raises RuntimeError, UnpicklingError, EOFError, ... depending on where the file breaks
        raise UserError(
            f"The training state {path} is damaged.", "Remove it to start again.", code="corrupt-model"
        ) from error
    return state


def last_step(folder: Path) -> int:
    """The step of the state that a run in ``folder`` saved last; 0 where there is none."""
    return int(load_state(folder / STATE, mapped=True)["step"]) if (folder / STATE).is_file() else 0


@dataclass(frozen=True)
class Outcome:
    """What a run left: the averaged network, the step and seconds it came to, whether that is its end, ``steps``."""

    network: nn.Module
    step: int
    finished: bool
    seconds: float
    steps: int

    def said(self, path: Path) -> str:
        """A line for who ran it, about the weights in ``path``."""
        if self.finished:
            return f"finished after step {self.step}, {self.seconds:.0f} s of training; {path}"
        where = f"stopped after step {self.step} of {self.steps}, {self.seconds:.0f} s of training"
        return f"{where}; run the same command to go on"


def run(
    network: nn.Module,
    losses: StepLosses,
    config: EngineConfig,
    folder: Path,
    fabric: Fabric,
    validate: Callable[[nn.Module, int], dict[str, float]] | None = None,
    picture: Callable[[nn.Module, int], Path] | None = None,
) -> Outcome:
    """Train ``network`` in ``folder``, going on from the state that lies there.

    ``losses`` returns the step's losses; the one called "loss" is minimised, all are logged to ``log.jsonl``
    and TensorBoard.  It may instead yield parts of them, which add up: each is differentiated before the next is
    made, so that only one part's graph takes memory at a time.  ``validate`` gives further numbers and ``picture`` a
    PNG file for TensorBoard, from the averaged weights, every ``validate_every`` steps and after the last.  The
    returned network holds the averaged weights.

    A step whose gradients are not finite changes nothing; UserError after ``LOST`` of them in a row, and where a run
    consists of no others: then no state is saved over the last.
    """
    started = time.monotonic()
    first, before = 0, 0.0
    state = load_state(folder / STATE) if (folder / STATE).is_file() else None
    if state is not None:
        try:
            network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise UserError(
                f"The training state in {folder} is of another network.",
                "Go on with the sizes that it was started with, or choose another folder.",
            ) from error
    network = network.to(fabric.device)
    average = Average(network, config.ema)
    if config.compile != "off":
        network.compile(mode=config.compile, dynamic=True)
    model, *optimisers = fabric.setup(
        network,
        *optimisers_for(
            network,
            config.optimiser,
            config.learning_rate,
            config.matrix_learning_rate,
            config.weight_decay,
        ),
    )
    if state is not None:
        if len(state["optimisers"]) != len(optimisers):
            raise UserError(
                f"The training state in {folder} is of another optimiser.",
                "Go on with the optimiser that it was started with, or choose another folder.",
            )
        for optimiser, stored in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(stored)
        for name, weight in average.weights.items():
            weight.copy_(state["average"][name])
        first, before = int(state["step"]), float(state["seconds"])
    folder.mkdir(parents=True, exist_ok=True)
    leader = fabric.global_rank == 0
    if leader:
        trim_log(folder / LOG, first)

    def save(step: int) -> None:
        if leader:
            save_state(
                folder / STATE,
                {
                    "step": step,
                    "network": network.state_dict(),
                    "average": average.weights,
                    "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                    "seconds": before + time.monotonic() - started,
                },
            )

    writer = _writer(folder, first) if leader else None
    rates = (config.learning_rate, config.matrix_learning_rate)[: len(optimisers)]
    step, lost = first, 0
    with (
        open(folder / LOG if leader else os.devnull, "a", encoding="utf-8") as log,
        progress_bar(
            total=config.steps, initial=first, unit="step", smoothing=0.02, disable=not leader
        ) as bar,
    ):
        while step < config.steps:
            model.train()
            for optimiser, rate in zip(optimisers, rates, strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = rate * pace(config, step)
            generator = generator_for(config.seed, step, fabric.device, fabric.global_rank)
            model.zero_grad(set_to_none=True)
            with apart(model, fabric):
                values = _differentiate(losses(model, step, generator), fabric)
            average_gradients(network, fabric)
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            if bool(torch.isfinite(norm)):
                lost = 0
                for optimiser in optimisers:
                    optimiser.step()
            else:
                lost += 1
            average.update(network, step)
            step += 1
            bar.update()
            if lost and lost in (LOST, config.steps):
                raise _diverged(step, lost, last_step(folder))
            if step % config.log_every == 0 or step == config.steps:
                row = {k: float(v) for k, v in values.items()} | {"gradient": float(norm)}
                bar.set_postfix({"loss": f"{row['loss']:.4f}"}, refresh=False)
                row |= {"lost": float(lost)} if lost else {}
                _log(log, writer, step, row | {"seconds": before + time.monotonic() - started})
            if (step % config.validate_every == 0 or step == config.steps) and (validate or picture):
                with _averaged(network, average):
                    if validate is not None:
                        _log(log, writer, step, validate(network, step))
                    if picture is not None and writer is not None:
                        _show(writer, step, picture(network, step))
            if step % config.save_every == 0:
                save(step)
                give_back()
            if config.time_limit and fabric.broadcast(time.monotonic() - started > config.time_limit):
                break
    save(step)
    fabric.barrier()  # no process goes on to read what the leader has not written yet
    if writer is not None:
        writer.close()
    network.load_state_dict(average.weights)
    seconds = before + time.monotonic() - started
    return Outcome(network.eval(), step, step >= config.steps, seconds, config.steps)


def _diverged(step: int, lost: int, saved: int) -> UserError:
    kept = f"The last checkpoint, of step {saved}, is as it was." if saved else "Nothing was saved."
    return UserError(
        f"The loss of {lost} steps in a row, up to step {step}, had no finite gradients: the training has diverged.",
        f"Start again with a lower engine.learning_rate and engine.matrix_learning_rate.  {kept}",
    )


def _differentiate(losses: Losses | Iterator[Losses], fabric: Fabric) -> Losses:
    """Add the gradients of a step's losses, or of each of their parts, to the network's; the sums of the losses."""
    total: Losses = {}
    for part in [losses] if isinstance(losses, dict) else losses:
        fabric.backward(part["loss"])
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value.detach()
    return total


class _averaged:
    """Within the block the network carries the averaged weights."""

    def __init__(self, network: nn.Module, average: Average) -> None:
        self.network, self.average = network, average

    def __enter__(self) -> None:
        self.own = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average.weights)
        self.network.eval()

    def __exit__(self, *_: object) -> None:
        self.network.load_state_dict(self.own)
        self.network.train()


def _writer(folder: Path, first: int) -> Any:
    """TensorBoard's; what a killed run wrote after step ``first`` is not shown any more."""
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=first + 1 if first else None)


def trim_log(path: Path, step: int) -> None:
    """Remove from a log what a killed run wrote after the state of ``step`` was saved: it will be written again."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if int(json.loads(line)["step"]) <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # half-written
    write_atomically(path, "".join(kept).encode())


def _log(file: Any, writer: Any, step: int, row: dict[str, float]) -> None:
    row = {name: value for name, value in row.items() if math.isfinite(value)}  # JSON has no other numbers
    if not row:
        return
    file.write(json.dumps({"step": step, **{k: float(f"{v:.6g}") for k, v in row.items()}}) + "\n")
    file.flush()
    if writer is not None:
        for name, value in row.items():
            writer.add_scalar(name, value, step)


def _show(writer: Any, step: int, path: Path) -> None:
    from matplotlib.image import imread

    writer.add_image("samples", imread(path)[..., :3], step, dataformats="HWC")


def fabric_for(config: EngineConfig) -> Fabric:
    """Fabric on the device that the configuration asks for; "auto" takes a GPU where there is one.

    Under ``torchrun`` every process trains on a device of its own, on a batch of its own.
    """
    precision: Any = config.precision
    if config.accelerator not in ACCELERATORS or config.precision not in PRECISIONS:
        raise UserError(
            f"Training cannot run on {config.accelerator!r} with {config.precision!r}.",
            f"accelerator is one of {', '.join(ACCELERATORS)}; precision one of {', '.join(PRECISIONS)}.",
        )
    # or each fabric tells its precision
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    if config.accelerator in ("cuda", "gpu") and not torch.cuda.is_available():
        raise UserError("There is no GPU here that torch can use.", 'Set engine.accelerator to "auto".')
    world, here = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if world == 1:
        return Fabric(accelerator=config.accelerator, devices=1, precision=precision)
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=here,
        num_nodes=world // here,
        strategy="ddp",
        precision=precision,
    )
    join(fabric)
    return fabric
