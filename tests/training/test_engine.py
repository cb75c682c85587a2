# SPDX-License-Identifier: Apache-2.0
"""The training loop: exact resume after any stop, schedules, averages, logs, damaged states."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.errors import UserError  # noqa: E402 (after the skip)
from videomdm_training import engine  # noqa: E402
from videomdm_training.engine import EngineConfig  # noqa: E402

CONFIG = EngineConfig(
    steps=30, learning_rate=1e-2, warmup=5, ema=0.9, precision="bf16-mixed", accelerator="cpu", save_every=4,
    log_every=3,
)  # fmt: skip


def network(width: int = 8) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.SiLU(), torch.nn.Linear(width, 1))


def losses(model, step, generator):
    """A regression whose data are the step's random numbers."""
    x = torch.randn(16, 4, generator=generator)
    loss = (model(x).float() - x.sum(1, keepdim=True)).square().mean()
    return {"loss": loss, "twice": 2 * loss.detach()}


def run(folder: Path, config: EngineConfig = CONFIG, step_losses=losses, **more) -> engine.Outcome:
    return engine.run(network(), step_losses, config, folder, engine.fabric_for(config), **more)


def rows(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    outcome = run(folder)
    assert outcome.finished and outcome.step == 30 and not outcome.network.training
    return folder


def assert_same(one: Path, other: Path) -> None:
    first, second = (engine.load_state(folder / engine.STATE) for folder in (one, other))
    assert first["step"] == second["step"]
    for part in ("network", "average"):
        for name, tensor in first[part].items():
            assert torch.equal(tensor, second[part][name]), name
    for mine, theirs in zip(first["optimisers"], second["optimisers"], strict=True):
        for weight, moments in mine["state"].items():
            assert all(torch.equal(moments[name], theirs["state"][weight][name]) for name in moments)
    assert rows(one) == rows(other)


def test_a_run_stopped_by_its_time_limit_goes_on_to_the_same_bits(straight, tmp_path):
    stopped = run(tmp_path, replace(CONFIG, time_limit=1e-6))
    assert not stopped.finished and stopped.step == 1
    stops = 1
    while not run(tmp_path, replace(CONFIG, time_limit=0.01)).finished:
        stops += 1
    assert stops > 1
    assert_same(straight, tmp_path)


SLOW = """
import sys, time
from pathlib import Path
from tests.training import test_engine as t

def slowly(model, step, generator):
    time.sleep(0.0 if step < 14 else 60.0)
    return t.losses(model, step, generator)

t.run(Path(sys.argv[1]), step_losses=slowly)
"""


def test_a_killed_run_goes_on_to_the_same_bits(straight, tmp_path, repository):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(repository), *filter(None, sys.path)])}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)], env=environment, cwd=repository, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 120
        while not ((tmp_path / "log.jsonl").is_file() and len(rows(tmp_path)) == 4):  # step 12 is logged
            assert process.poll() is None, process.stderr.read().decode()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.2)  # step 14 sleeps; the state of step 12 was saved
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
    assert engine.load_state(tmp_path / engine.STATE)["step"] == 12
    with open(tmp_path / "log.jsonl", "a") as log:  # written after the last save, and half a line
        log.write('{"step": 15, "loss": 1.0}\n{"step": 18, "lo')
    run(tmp_path)
    assert_same(straight, tmp_path)


def test_a_finished_run_is_left_as_it_is(straight):
    before = rows(straight)
    outcome = run(straight)
    assert outcome.finished and outcome.step == 30
    assert rows(straight) == before


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other"])
def test_a_damaged_state_is_refused_and_kept(straight, tmp_path, damage):
    data = (straight / engine.STATE).read_bytes()
    path = tmp_path / engine.STATE
    if damage == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "noise": os.urandom(3000), "empty": b""}[damage])
    kept = path.read_bytes()
    with pytest.raises(UserError, match="damaged") as caught:
        run(tmp_path)
    assert caught.value.code == "corrupt-model"
    assert path.read_bytes() == kept


def test_a_state_that_cannot_be_read_is_not_called_damaged(tmp_path):
    (tmp_path / engine.STATE).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        engine.load_state(tmp_path / engine.STATE)


def test_a_pickle_in_a_state_is_not_run(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    (tmp_path / engine.STATE).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="damaged"):
        run(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_state_of_another_network_is_refused(straight, tmp_path):
    (tmp_path / engine.STATE).write_bytes((straight / engine.STATE).read_bytes())
    with pytest.raises(UserError, match="another network"):
        engine.run(network(width=9), losses, CONFIG, tmp_path, engine.fabric_for(CONFIG))


def test_the_learning_rate_warms_up_stays_and_falls_to_nothing():
    config = EngineConfig(steps=1000, learning_rate=1.0, warmup=100, cooldown=0.3)
    rate = [engine.pace(config, step) for step in range(1000)]
    assert rate[0] == pytest.approx(0.01) and rate[49] == pytest.approx(0.5)
    assert rate[99:701] == pytest.approx([1.0] * 602)
    assert rate[850] == pytest.approx(0.5)
    assert rate[700:] == sorted(rate[700:], reverse=True) and 0 <= rate[-1] < 1e-4
    assert engine.pace(replace(config, cooldown=0.0), 999) == 1.0


def test_the_average_follows_the_weights_with_a_warm_up():
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
        average = engine.Average(model, 0.99)
        expected = 0.0
        for step in range(2000):
            model.weight.fill_(float(step % 7))
            decay = min(0.99, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * (step % 7)
            average.update(model, step)
    assert float(average.weights["weight"]) == pytest.approx(expected, rel=1e-4)


def test_the_returned_network_carries_the_averaged_weights(straight):
    outcome = run(straight)
    average = engine.load_state(straight / engine.STATE)["average"]
    assert all(torch.equal(v, average[k]) for k, v in outcome.network.state_dict().items())


def test_everything_is_logged(straight):
    logged = rows(straight)
    assert [row["step"] for row in logged] == list(range(3, 31, 3))
    for row in logged:
        assert row.keys() == {"step", "loss", "twice", "gradient"}
        assert row["twice"] == pytest.approx(2 * row["loss"], rel=1e-5)  # six digits are written
    assert logged[-1]["loss"] < logged[0]["loss"]
    assert list((straight / "tensorboard").iterdir())


def test_validation_sees_the_average_and_leaves_the_run_as_it_was(straight, tmp_path):
    seen = []

    def validate(model, step):
        seen.append((step, model.training, model[0].weight.detach().clone()))
        return {"validation/x": float(step)}

    run(tmp_path, replace(CONFIG, validate_every=15), validate=validate)
    assert [(step, training) for step, training, _ in seen] == [(15, False), (30, False)]
    state = engine.load_state(tmp_path / engine.STATE)
    assert torch.equal(seen[1][2], state["average"]["0.weight"])
    assert not torch.equal(seen[1][2], state["network"]["0.weight"])
    assert {"step": 15, "validation/x": 15.0} in rows(tmp_path)
    reference = engine.load_state(straight / engine.STATE)
    assert all(torch.equal(v, state["network"][k]) for k, v in reference["network"].items())


def test_the_last_step_is_logged_and_validated_whatever_the_steps(tmp_path):
    config = replace(CONFIG, steps=7, log_every=5, validate_every=5)
    run(tmp_path, config, validate=lambda model, step: {"validation/x": float(step)})
    assert [row["step"] for row in rows(tmp_path)] == [5, 5, 7, 7]
    assert rows(tmp_path)[-1] == {"step": 7, "validation/x": 7.0}


def test_a_run_that_has_diverged_ends_with_a_sentence_and_keeps_its_last_state(tmp_path):
    def lost(model, step, generator):
        return {
            name: value * (math.nan if step >= 12 else 1.0)
            for name, value in losses(model, step, generator).items()
        }

    config = replace(CONFIG, steps=60, save_every=10, log_every=1)
    with pytest.raises(UserError, match=r"20 steps in a row, up to step 32.*diverged"):
        run(tmp_path, config, lost)
    state = engine.load_state(tmp_path / engine.STATE)
    assert state["step"] == engine.last_step(tmp_path) == 30
    assert all(bool(weight.isfinite().all()) for weight in state["network"].values())
    assert [row.get("lost", 0.0) for row in rows(tmp_path)][10:14] == [0.0, 0.0, 1.0, 2.0]
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()


def test_a_run_in_which_no_step_could_be_used_leaves_nothing(tmp_path):
    def lost(model, step, generator):
        return {"loss": losses(model, step, generator)["loss"] * math.inf}

    with pytest.raises(UserError, match="diverged"):
        run(tmp_path, replace(CONFIG, steps=3), lost)
    assert not (tmp_path / engine.STATE).exists()


def test_a_few_steps_that_cannot_be_used_are_passed_over(tmp_path):
    def now_and_then(model, step, generator):
        loss = losses(model, step, generator)["loss"]
        return {"loss": loss * math.nan if step % 3 == 0 else loss}

    assert run(tmp_path, CONFIG, now_and_then).finished


def test_losses_in_parts_add_up_and_each_is_differentiated_before_the_next_is_made(tmp_path):
    def halves(model, step, generator):
        x = torch.randn(16, 4, generator=generator)
        for number, half in enumerate(x.split(8)):
            # the first comes after the last step's gradients are gone, the second finds those of the first
            assert (next(model.parameters()).grad is None) == (number == 0)
            loss = (model(half) - half.sum(1, keepdim=True)).square().mean() / 2
            yield {"loss": loss, "twice": 2 * loss.detach()}

    config = replace(CONFIG, steps=6, log_every=1, precision="32-true")
    run(tmp_path / "parts", config, halves)
    run(tmp_path / "whole", config)
    for part, whole in zip(rows(tmp_path / "parts"), rows(tmp_path / "whole"), strict=True):
        assert part == pytest.approx(whole, abs=2e-5)


def test_a_step_without_a_finite_gradient_is_passed_over(tmp_path):
    def sometimes(model, step, generator):
        values = losses(model, step, generator)
        return values | {"loss": values["loss"] * (float("nan") if step % 2 else 1.0)}

    run(tmp_path, step_losses=sometimes)
    state = engine.load_state(tmp_path / engine.STATE)
    assert all(torch.isfinite(v).all() for part in ("network", "average") for v in state[part].values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0}, {"save_every": 0}, {"validate_every": 0}, {"cooldown": 1.5}, {"ema": 1.0},
        {"learning_rate": -1e-3}, {"clip": -1.0}, {"warmup": -5}, {"precision": "16-mixed"},
        {"seed": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(UserError):
        EngineConfig(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"precision": "bf17"}, {"precision": "bf16-true"}, {"accelerator": "abacus"}]
)
def test_devices_and_precisions_that_there_are_not_are_refused_with_those_that_there_are(wrong):
    with pytest.raises(UserError, match="Training cannot run on") as refused:
        engine.fabric_for(EngineConfig(**wrong))
    assert "bf16-mixed" in refused.value.advice and "cuda" in refused.value.advice


def test_steps_seeds_and_processes_have_random_numbers_of_their_own():
    cpu = torch.device("cpu")
    asked = [
        (seed, step, rank) for seed in (0, 1, 7, 4295) for step in (0, 1, 1_000_003, 2**31) for rank in (0, 1)
    ]
    drawn = {int(torch.randint(2**62, (), generator=engine.generator_for(*a[:2], cpu, a[2]))) for a in asked}
    assert len(drawn) == len(asked)
    # 32 bits of a product would begin seed 4295 in the middle of seed 0
    late = engine.generator_for(4295, 0, cpu).initial_seed() % 2**32
    assert late != engine.generator_for(0, 4295 * 1_000_003 - 2**32, cpu).initial_seed()


def test_a_picture_of_the_averaged_weights_goes_to_tensorboard(tmp_path):
    from matplotlib.image import imsave
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = []

    def picture(model, step):
        shown.append((step, model.training))
        imsave(tmp_path / "x.png", torch.rand(8, 6, 3).numpy())
        return tmp_path / "x.png"

    run(tmp_path, replace(CONFIG, validate_every=15), picture=picture)
    assert shown == [(15, False), (30, False)]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [image.step for image in events.Images("samples")] == [15, 30]
    assert {"loss", "twice", "gradient"} <= set(events.Tags()["scalars"])


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs a C++ compiler")
def test_a_compiled_network_takes_the_same_steps_and_leaves_the_same_state(straight, tmp_path):
    config = replace(CONFIG, compile="default", precision="32-true", steps=6)
    compiled = run(tmp_path / "compiled", config)
    plain = run(tmp_path / "plain", replace(config, compile="off"))
    for name, weight in plain.network.state_dict().items():
        assert torch.allclose(weight, compiled.network.state_dict()[name], atol=1e-5)
    assert run(tmp_path / "compiled", replace(config, compile="off", steps=8)).finished
