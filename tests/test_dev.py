# SPDX-License-Identifier: Apache-2.0
"""dev.py: an environment counts as complete only when it is; an interrupted one is continued."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import dev
import pytest
from development import checks, install, processes
from development.checks import Outcome, close
from development.environments import (
    BLENDER52,
    DEMO,
    LINT,
    MAIN,
    Environment,
    fingerprint,
    is_complete,
    requirements,
)
from development.install import ensure, half_installed
from development.processes import Stop, clean_environ, output_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder instead of `.dev/`."""
    monkeypatch.setattr(processes, "HOME", tmp_path / ".dev")
    return tmp_path / ".dev"


def make_wheel(folder: Path, version: str) -> Path:
    """A wheel of a package ``tiny`` with one module."""
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny/__init__.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel


def version_in(environment: Environment) -> str | None:
    return output_of([environment.interpreter, "-c", "import tiny; print(tiny.VERSION)"])


@pytest.mark.usefixtures("home")
def test_environment_is_made_continued_and_updated(tmp_path: Path) -> None:
    def environment(version: str, module: str = "tiny") -> Environment:
        wheel = make_wheel(tmp_path, version)
        return Environment(
            "small", "a test", "{}.{}".format(*sys.version_info), 0.01,
            pins=(f"tiny @ {wheel.as_uri()}",), modules=(module,), project=False,
        )  # fmt: skip

    first = environment("1.0")
    assert not is_complete(first)
    ensure(first)
    assert is_complete(first) and version_in(first) == "1.0"

    # Killed in the middle of an install: a file is missing and there is no marker.
    first.marker.unlink()
    module = next(first.folder.rglob("site-packages/tiny/__init__.py"))
    module.unlink()
    assert not is_complete(first)
    assert [folder.name for folder in half_installed(first)] == ["tiny-1.0.dist-info"]
    ensure(first)
    assert is_complete(first) and half_installed(first) == [] and version_in(first) == "1.0"

    # Other requirements: the old marker does not count.
    second = environment("2.0")
    assert not is_complete(second)
    ensure(second)
    assert version_in(second) == "2.0" and not is_complete(first)

    # What installs but does not load is not complete either.
    with pytest.raises(Stop, match="do not load"):
        ensure(environment("2.0", module="not_there"))
    assert not second.marker.exists()


@pytest.mark.usefixtures("home")
def test_damaged_marker_is_no_marker() -> None:
    environment = LINT
    environment.interpreter.parent.mkdir(parents=True)
    environment.interpreter.touch()
    for text in ("", "{", json.dumps(["something else"])):
        environment.marker.write_text(text)
        assert not is_complete(environment)
    environment.marker.write_text(json.dumps([fingerprint(environment)]))
    assert is_complete(environment)


@pytest.mark.usefixtures("home")
def test_full_disk_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(install.shutil, "disk_usage", lambda path: usage._replace(free=10**9))
    with pytest.raises(Stop, match=r"needs 6\.2 GB of disk, 1\.0 GB are free"):
        ensure(MAIN)
    assert not MAIN.folder.exists()


def test_full_environment_serves_the_demo() -> None:
    assert set(requirements(DEMO)) < set(requirements(MAIN))


@pytest.mark.usefixtures("home")
def test_missing_python_is_skipped_loudly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for module in (install, checks):
        monkeypatch.setattr(module, "find_python", lambda version: None)
    options = dev.parser().parse_args(["test"])
    options.rest = []
    outcome = checks.pytest_step(BLENDER52, ["tests/blender_addon"], options)
    assert outcome.good and outcome.skipped == 1 and "no Python 3.13 found" in outcome.note
    assert close([outcome], 2.0) == 0
    assert "NOT RUN: no Python 3.13 found" in capfd.readouterr().out


def test_failures_reach_the_summary_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [Outcome("a", passed=10, skipped=2), Outcome("b", passed=1, failed=1)]
    assert close(outcomes, 61.5) == 1
    assert "= 1 failed, 11 passed, 2 skipped in 61.50s (0:01:01) =" in capsys.readouterr().out


def test_settings_that_would_leave_the_environment_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environ = clean_environ()
    assert "PIP_TARGET" not in environ and "PYTHONPATH" not in environ
    assert environ["PIP_USER"] == "0" and environ["PYTHONNOUSERSITE"] == "1"


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["test", "--help"], ["env"]])
def test_help_and_list_need_nothing(repository: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-E", "-s", repository / "dev.py", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout or "main" in done.stdout


def test_unknown_arguments_are_refused(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-E", "-s", repository / "dev.py", "clean", "--everything"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "--everything" in done.stderr
