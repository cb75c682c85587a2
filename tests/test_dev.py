# SPDX-License-Identifier: Apache-2.0
"""dev.py: an environment counts as complete only when it is; an interrupted one is continued."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def dev(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """dev.py as a module whose environments lie in a temporary folder."""
    spec = importlib.util.spec_from_file_location("dev", repository / "dev.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "dev", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HOME", tmp_path / ".dev")
    return module


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


def version_in(dev: ModuleType, environment: object) -> str | None:
    return dev.output_of([environment.interpreter, "-c", "import tiny; print(tiny.VERSION)"])  # type: ignore[attr-defined]


def test_environment_is_made_continued_and_updated(dev: ModuleType, tmp_path: Path) -> None:
    def environment(version: str, module: str = "tiny") -> object:
        wheel = make_wheel(tmp_path, version)
        return dev.Environment(
            "small", "a test", "{}.{}".format(*sys.version_info), 0.01,
            pins=(f"tiny @ {wheel.as_uri()}",), modules=(module,), project=False,
        )  # fmt: skip

    first = environment("1.0")
    assert not dev.is_complete(first)
    dev.ensure(first)
    assert dev.is_complete(first) and version_in(dev, first) == "1.0"

    # Killed in the middle of an install: a file is missing and there is no marker.
    first.marker.unlink()
    module = next(first.folder.rglob("site-packages/tiny/__init__.py"))
    module.unlink()
    assert not dev.is_complete(first)
    assert [folder.name for folder in dev.half_installed(first)] == ["tiny-1.0.dist-info"]
    dev.ensure(first)
    assert dev.is_complete(first) and dev.half_installed(first) == [] and version_in(dev, first) == "1.0"

    # Other requirements: the old marker does not count.
    second = environment("2.0")
    assert not dev.is_complete(second)
    dev.ensure(second)
    assert version_in(dev, second) == "2.0" and not dev.is_complete(first)

    # What installs but does not load is not complete either.
    with pytest.raises(dev.Stop, match="do not load"):
        dev.ensure(environment("2.0", module="not_there"))
    assert not second.marker.exists()


def test_damaged_marker_is_no_marker(dev: ModuleType) -> None:
    environment = dev.LINT
    environment.interpreter.parent.mkdir(parents=True)
    environment.interpreter.touch()
    for text in ("", "{", json.dumps(["something else"])):
        environment.marker.write_text(text)
        assert not dev.is_complete(environment)
    environment.marker.write_text(json.dumps([dev.fingerprint(environment)]))
    assert dev.is_complete(environment)


def test_full_disk_is_told_before_the_work(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = dev.shutil.disk_usage("/")
    monkeypatch.setattr(dev.shutil, "disk_usage", lambda path: usage._replace(free=10**9))
    with pytest.raises(dev.Stop, match=r"needs 6\.2 GB of disk, 1\.0 GB are free"):
        dev.ensure(dev.MAIN)
    assert not dev.MAIN.folder.exists()


def test_full_environment_serves_the_demo(dev: ModuleType) -> None:
    assert set(dev.requirements(dev.DEMO)) < set(dev.requirements(dev.MAIN))


def test_missing_python_is_skipped_loudly(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "find_python", lambda version: None)
    options = dev.parser().parse_args(["test"])
    options.rest = []
    outcome = dev.pytest_step(dev.BLENDER52, ["tests/blender_addon"], options)
    assert outcome.good and outcome.skipped == 1 and "no Python 3.13 found" in outcome.note
    assert dev.close([outcome], 2.0) == 0
    assert "NOT RUN: no Python 3.13 found" in capfd.readouterr().out


def test_failures_reach_the_summary_and_the_exit_status(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [dev.Outcome("a", passed=10, skipped=2), dev.Outcome("b", passed=1, failed=1)]
    assert dev.close(outcomes, 61.5) == 1
    assert "= 1 failed, 11 passed, 2 skipped in 61.50s (0:01:01) =" in capsys.readouterr().out


def test_settings_that_would_leave_the_environment_are_dropped(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environ = dev.clean_environ()
    assert "PIP_TARGET" not in environ and "PYTHONPATH" not in environ
    assert environ["PIP_USER"] == "0" and environ["PYTHONNOUSERSITE"] == "1"


@pytest.mark.parametrize("words", [["--help"], ["demo", "--help"], ["test", "--help"], ["env"]])
def test_help_and_list_need_nothing(repository: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", repository / "dev.py", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout or "main" in done.stdout


def test_unknown_arguments_are_refused(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", repository / "dev.py", "clean", "--everything"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "--everything" in done.stderr
