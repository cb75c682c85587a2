# SPDX-License-Identifier: Apache-2.0
"""The virtual environments under `.dev/`: what each must hold, and whether it does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import processes
from .processes import ROOT, WINDOWS


@dataclass(frozen=True)
class Environment:
    """A virtual environment under `.dev/`, and what it must hold.

    `extras` and `groups` name lists in pyproject.toml, `pins` are exact versions on top of them, `modules`
    must import before the environment counts as complete.  `part` is a smaller environment in the same place
    that is complete when this one is.
    """

    name: str
    purpose: str
    python: str
    gigabytes: float
    pins: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    project: bool = True
    part: Environment | None = None

    @property
    def folder(self) -> Path:
        return processes.HOME / self.name

    @property
    def interpreter(self) -> Path:
        return self.script("python")

    @property
    def marker(self) -> Path:
        return self.folder / "complete.json"

    def script(self, name: str) -> Path:
        return self.folder / (f"Scripts/{name}.exe" if WINDOWS else f"bin/{name}")


DEMO = Environment(
    "main",
    "the model, Blender 4.5 as a module",
    "3.11",
    2.1,
    pins=("torch==2.13.0", "bpy==4.5.15"),
    extras=("backend", "blender"),
    groups=("build",),
    modules=("torch", "bpy", "zmq", "msgspec"),
)
MAIN = Environment(
    "main",
    "the model, Blender 4.5 as a module, video, training, tests",
    "3.11",
    3.1,
    pins=DEMO.pins,
    extras=("backend", "blender", "video", "train", "smpl", "test", "dev"),
    groups=("build",),
    modules=(*DEMO.modules, "mediapipe", "av", "lightning", "pytest"),
    part=DEMO,
)
BLENDER50 = Environment(
    "blender50",
    "Blender 5.0 as a module",
    "3.11",
    1.1,
    pins=("bpy==5.0.1",),
    extras=("test",),
    groups=("build",),
    modules=("bpy", "pytest"),
)
BLENDER52 = Environment(
    "blender52",
    "Blender 5.2 as a module",
    "3.13",
    1.1,
    pins=("bpy==5.2.3",),
    extras=("test",),
    groups=("build",),
    modules=("bpy", "pytest"),
)
LINT = Environment("lint", "linters and Blender's type stubs", "3.11", 0.3, groups=("lint",), project=False)
ENVIRONMENTS = {e.name: e for e in (MAIN, BLENDER50, BLENDER52, LINT)}


def project_table() -> dict[str, Any]:
    """What pyproject.toml says about the distribution and its dependency groups."""
    import tomllib

    with open(ROOT / "pyproject.toml", "rb") as file:
        table = tomllib.load(file)
    return {**table["project"], "groups": table["dependency-groups"]}


def requirements(environment: Environment) -> list[str]:
    """Everything the environment must hold, as arguments of pip, without the project itself."""
    project = project_table()
    lists = [list(environment.pins)]
    if environment.project:
        lists.append(project["dependencies"])
    lists += [project["optional-dependencies"][name] for name in environment.extras]
    lists += [project["groups"][name] for name in environment.groups]
    return [line for part in lists for line in part if not line.startswith("videomdm[")]


def fingerprint(environment: Environment) -> str:
    """Changes whenever the environment has to be brought up to date."""
    parts: list[object] = [requirements(environment), environment.modules, environment.python]
    if environment.project:
        parts += [project_table(), str(ROOT)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_complete(environment: Environment) -> bool:
    """Whether the environment holds what it must; never true of one that an interruption left half made."""
    try:
        known = json.loads(environment.marker.read_text(encoding="utf-8"))
        return environment.interpreter.exists() and fingerprint(environment) in known
    except (OSError, ValueError):
        return False
