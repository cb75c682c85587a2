# SPDX-License-Identifier: Apache-2.0
"""The command line, run as people run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from videomdm import cli
from videomdm.errors import UserError
from videomdm.motion import Motion
from videomdm.motion.bvh import read_bvh

if TYPE_CHECKING:
    from tests.backend.conftest import Backend

PATIENCE = 60.0
COMMAND = [sys.executable, "-m", "videomdm.cli"]


@pytest.fixture
def videomdm(
    walker_environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``videomdm`` in ``tmp_path`` with the walker: ``videomdm(*arguments, data=folder)``."""

    def run(*arguments: str, data: Path = tmp_path / "data") -> subprocess.CompletedProcess[str]:
        data.mkdir(exist_ok=True)
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=walker_environment(data),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run


Run = Callable[..., subprocess.CompletedProcess[str]]


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended with status 2 and one line on stderr that holds ``words``."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    for word in words:
        assert word in lines[0]


def test_help_lists_every_verb_and_loads_none() -> None:
    code = (
        "import sys; from videomdm.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(*sorted({'numpy', 'zmq', 'torch', 'tqdm', 'videomdm.commands'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *helped, loaded = done.stdout.split("\n")[:-1]
    assert loaded == ""
    listed = [line.split(maxsplit=1) for line in helped[helped.index("Commands:") + 1 :]]
    assert dict(listed) == cli.SUMMARIES


def test_the_summaries_are_those_of_the_verbs() -> None:
    context = click.Context(cli.main)
    for verb in ("serve", "generate", "models"):
        command = cli.main.get_command(context, verb)
        assert command is not None
        assert command.get_short_help_str(200) == cli.SUMMARIES[verb]


def test_every_verb_explains_itself() -> None:
    for verb in ("serve", "generate", "models"):
        result = CliRunner().invoke(cli.main, [verb, "--help"])
        assert result.exit_code == 0
        assert f"Usage: main {verb}" in result.stdout


def test_unknown_verbs_and_options() -> None:
    assert "No such command 'dance'" in CliRunner().invoke(cli.main, ["dance"]).stderr
    result = CliRunner().invoke(cli.main, ["generate", "a man walks", "--speed", "2", "-o", "x.npz"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["", "-o", "x.npz"], ["prompt is empty"]),
        (["x" * 10_000, "-o", "x.npz"], ["10000 characters", "1000"]),
        (["walk", "--seconds", "0", "-o", "x.npz"], ["0 seconds", "0.5 to 10"]),
        (["walk", "--seconds", "1e9", "-o", "x.npz"], ["1e+09 seconds"]),
        (["walk", "--seconds", "nan", "-o", "x.npz"], ["nan"]),
        (["walk", "--guidance", "inf", "-o", "x.npz"], ["guidance scale is inf"]),
        (["walk", "--seed", "2147483648", "-o", "x.npz"], ["seed is 2147483648"]),
        (["walk", "--seed", "-1", "-o", "x.npz"], ["seed is -1"]),
        (["walk", "--steps", "0", "-o", "x.npz"], ["steps is 0"]),
        (["walk", "--samples", "1000", "-o", "x.npz"], ["samples is 1000", "1 to 16"]),
        (["walk", "-o", "x.fbx"], [".fbx", ".npz or .bvh"]),
        (["walk", "-o", "x"], ["nothing", ".npz or .bvh"]),
        (["walk", "-o", "/dev/null/x.npz"], ["/dev/null is no folder"]),
    ],
)
def test_bad_inputs_are_refused_before_any_work(
    arguments: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path / "data"))
    result = CliRunner().invoke(cli.main, ["generate", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line
    assert list(tmp_path.iterdir()) == []


def test_generate_with_a_server_of_its_own(videomdm: Run, tmp_path: Path) -> None:
    done = videomdm(
        "generate", "he walks slowly", "--model", "stroller", "--seconds", "2", "--seed", "3", "--steps", "5",
        "-o", "out/walk.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out/walk.npz\n"
    motion = Motion.load(tmp_path / "out" / "walk.npz")
    assert (len(motion), motion.caption, motion.provenance["seed"]) == (40, "he walks slowly", 3)
    assert not (tmp_path / "data" / "connection.json").exists()
    assert (tmp_path / "data" / "library" / "index.sqlite").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_generate_shows_its_steps_on_a_terminal(
    walker_environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    from tests.backend.terminal import run_on_terminal

    asked = ["he walks slowly", "--model", "stroller", "--seconds", "2", "--steps", "5", "-o", "x.npz"]
    command = [*COMMAND, "generate", *asked]
    done = run_on_terminal(command, cwd=tmp_path, env=walker_environment(tmp_path), timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "x.npz\n"), done.stderr
    assert "denoising 3/5:  60%" in done.stderr


def test_generate_uses_the_running_server(videomdm: Run, backend: Backend, tmp_path: Path) -> None:
    before = len(backend.runs())
    prompt = "a man walks for the command line"
    done = videomdm(
        "generate", prompt, "--samples", "2", "--seconds", "1", "-o", "walk.bvh", data=backend.folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "walk-1.bvh\nwalk-2.bvh\n"
    assert len(read_bvh(tmp_path / "walk-2.bvh")) == 20
    assert len(backend.runs()) == before + 1
    assert backend.runs(prompt)


def test_a_console_that_cannot_show_a_path_is_no_error(
    backend: Backend, walker_environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, "generate", "he walks", "-o", str(tmp_path / "跳.npz")],
        env=walker_environment(backend.folder) | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout[-11:]) == (0, rb"\u8df3.npz" + b"\n")
    assert (tmp_path / "跳.npz").exists()


def test_failures_of_a_job_are_one_line(videomdm: Run, backend: Backend, tmp_path: Path) -> None:
    def generate(prompt: str, *options: str) -> subprocess.CompletedProcess[str]:
        done = videomdm("generate", prompt, *options, "-o", "walk.npz", data=backend.folder)
        done.stderr = done.stderr.splitlines(keepends=True)[-1].rpartition("\r")[2]  # without the bar
        return done

    assert_one_line(generate("he refuses"), "I do not walk. Ask for a dance.")
    assert_one_line(generate("he dies"), "worker died", "SIGKILL", "shorter clip")
    assert_one_line(generate("walk", "--model", "runner"), "'runner'", "walker")
    assert not (tmp_path / "walk.npz").exists()


def test_a_stale_connection_file_does_no_harm(
    videomdm: Run, start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    backend = start_backend(tmp_path)
    backend.kill()
    assert backend.connection_file.exists()
    done = videomdm("generate", "walk", "--model", "walker", "-o", "walk.npz", data=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("private", [False, True])
def test_interrupting_cancels_the_job(
    private: bool, backend: Backend, walker_environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    folder = tmp_path if private else backend.folder
    prompt = f"interrupted {private} he walks slowly"
    process = subprocess.Popen(
        [
            *COMMAND,
            "generate",
            prompt,
            "--steps",
            "1000",
            "--model",
            "walker",
            "-o",
            str(tmp_path / "walk.npz"),
        ],
        env=walker_environment(folder),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # whoever runs the tests in the background may have them ignore the signal, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = folder / "runs.jsonl"
    deadline = time.monotonic() + PATIENCE
    while not (log.exists() and prompt in log.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the worker of a private server hears it too
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith("Cancelled.")
    assert "Traceback" not in errors
    assert not (tmp_path / "walk.npz").exists()
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.05)
    if not private:
        from videomdm import protocol

        with backend.client() as client:
            assert client.generate(protocol.TextJob("the next one walks", 1.0), timeout=PATIENCE)


def test_models_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from tests.support.models import small_model

    small_model(tmp_path / "studio")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "denoiser.safetensors").write_bytes(b"damaged")
    monkeypatch.setenv("VIDEOMDM_MODELS", str(tmp_path))
    result = CliRunner().invoke(cli.main, ["models"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["name", "fps", "longest", "skeleton", "commercial", "use", "licence"]
    assert ["studio", "20", "10", "s", "humanml3d-22", "yes", "CC0-1.0"] in lines
    assert "damaged" not in result.stdout


def test_no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry = pytest.importorskip("videomdm.model.registry", reason="needs safetensors")
    monkeypatch.setattr(registry, "SHIPPED", tmp_path)
    monkeypatch.delenv("VIDEOMDM_MODELS", raising=False)
    result = CliRunner().invoke(cli.main, ["models"])
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: No model is installed. Train one with `videomdm train`.\n",
    )


def test_errors_of_every_verb_become_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @click.argument("what")
    def verb(what: str) -> None:
        if what == "interrupt":
            raise KeyboardInterrupt
        raise UserError("The file is\nbroken.", "Make it again.")

    monkeypatch.setattr(cli.Verbs, "get_command", lambda *_: verb)
    result = CliRunner().invoke(cli.main, ["verb", "error"])
    assert (result.exit_code, result.stderr) == (2, "Error: The file is broken. Make it again.\n")
    result = CliRunner().invoke(cli.main, ["verb", "interrupt"])
    assert (result.exit_code, result.stderr) == (130, "Cancelled.\n")


def test_a_verb_whose_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    entry = EntryPoint("paint", "no_such_package.cli:paint", cli.GROUP)
    monkeypatch.setattr(cli, "_installed", lambda: {"paint": entry})
    result = CliRunner().invoke(cli.main, ["paint"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "no_such_package" in line
    assert "pip install" in line
