#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the Blender extension: one zip for each Python version and platform, with all wheels inside.

    python blender_addon/build_extension.py                      for Blender 4.5 and 5.0 on this platform
    python blender_addon/build_extension.py --python 3.13        for Blender 5.1 and later
    python blender_addon/build_extension.py --platform windows-x64

Needs Python 3.11 with pip, and Blender's own extension tool: that of an installed `bpy` (this Python's, or
one of the environments that `python dev.py env` makes), or a `blender` on the PATH.  A zip can hold one
Python ABI only, because Blender refuses a package that lists wheels for several.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "blender_addon" / "videomdm_blender"
SOURCES = ("backend", "training", "blender_addon")
LOOSE_FILES = ("pyproject.toml", "README.md", "LICENSE")
BUNDLED = ("pyzmq", "msgspec", "array-api-compat")  # what the client imports and Blender does not bring

# Blender's name of a platform -> the wheel tags that run there, best first.
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux-arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "windows-x64": ("win_amd64",),
    "windows-arm64": ("win_arm64",),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_10_15_universal2", "macosx_10_9_universal2"),
    "macos-x64": ("macosx_10_15_x86_64", "macosx_10_15_universal2", "macosx_10_9_universal2"),
}
# Python -> the first Blender that has it, and the first that no longer has it.
BLENDERS = {"3.11": ("4.5.0", "5.1.0"), "3.13": ("5.1.0", None), "3.14": ("5.1.0", None)}


class BuildError(Exception):
    """The extension cannot be built; the text says why and what to do."""


def this_platform() -> str:
    """Blender's name of the machine that runs this file."""
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), "")
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    return f"{system}-{machine}"


def run(command: Sequence[str | Path], what: str) -> None:
    """Run a command; BuildError with its output if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{what} failed:\n{done.stdout}{done.stderr}")


def blender_tool() -> list[str]:
    """The command that starts Blender's own extension tool."""
    roots: list[Path] = []
    spec = importlib.util.find_spec("bpy")  # finds it without loading Blender
    if spec is not None and spec.origin is not None:
        roots.append(Path(spec.origin).parent)
    for pattern in ("lib/python3*/site-packages/bpy", "Lib/site-packages/bpy"):
        roots += sorted((ROOT / ".dev").glob(f"*/{pattern}"))
    for root in roots:
        for tool in root.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return [sys.executable, str(tool)]
    if blender := shutil.which("blender"):
        return [blender, "--command", "extension"]
    raise BuildError("Blender's extension tool was not found. Run `python dev.py env main` first.")


def build_project_wheel(folder: Path) -> Path:
    """Build the project's wheel without the model's weights, which only the backend needs.

    It is built from a copy: a build inside the repository would pick up files of earlier builds.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "source"
        for name in SOURCES:
            shutil.copytree(
                ROOT / name,
                copy / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.safetensors", "build", "dist"),
            )
        for name in LOOSE_FILES:
            shutil.copy2(ROOT / name, copy / name)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--wheel-dir", folder, copy], "Building the project's wheel")
    return next(folder.glob("videomdm-*.whl"))


def download_wheels(folder: Path, python: str, target: str) -> None:
    """Fetch the wheels that the client needs for one Python and platform."""
    version = python.replace(".", "")
    command: list[str | Path] = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
        "--abi", f"cp{version}", "--abi", "abi3", "--abi", "none", "--dest", folder,
    ]  # fmt: skip
    for tag in PLATFORMS[target]:
        command += ["--platform", tag]
    run([*command, *BUNDLED], f"Fetching the wheels for Python {python} on {target}")


def manifest(wheels: Sequence[Path], python: str, target: str) -> str:
    """The text of the manifest for one package."""
    text = (PACKAGE / "blender_manifest.toml").read_text(encoding="utf-8")
    fields = tomllib.loads(text)
    first, beyond = BLENDERS[python]
    lines = [f'platforms = ["{target}"]', "wheels = ["]
    lines += [f'    "./wheels/{wheel.name}",' for wheel in wheels] + ["]"]
    if beyond is not None:
        lines.append(f'blender_version_max = "{beyond}"')
    head, table, rest = text.partition("[permissions]")
    head = head.replace(
        f'blender_version_min = "{fields["blender_version_min"]}"', f'blender_version_min = "{first}"'
    )
    return "\n".join([head.rstrip(), "", *lines, "", table + rest])


def check_version(wheel: Path) -> str:
    """The version of manifest and wheel, which must be one."""
    fields = tomllib.loads((PACKAGE / "blender_manifest.toml").read_text(encoding="utf-8"))
    version = str(fields["version"])
    if wheel.name.split("-")[1] != version:
        raise BuildError(f"blender_manifest.toml says version {version}, but the wheel is {wheel.name}.")
    return version


def build(python: str, target: str, out: Path) -> Path:
    """Build one package into ``out``; returns the zip, which Blender's tool has validated."""
    tool = blender_tool()
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary) / "videomdm"
        wheels = stage / "wheels"
        wheels.mkdir(parents=True)
        version = check_version(build_project_wheel(wheels))
        download_wheels(wheels, python, target)
        shutil.copy2(PACKAGE / "__init__.py", stage / "__init__.py")
        shutil.copy2(ROOT / "blender_addon" / "LICENSE", stage / "LICENSE")
        text = manifest(sorted(wheels.iterdir()), python, target)
        (stage / "blender_manifest.toml").write_text(text, encoding="utf-8")
        name = f"videomdm-{version}-cp{python.replace('.', '')}-{target.replace('-', '_')}.zip"
        made = Path(temporary) / name
        run([*tool, "build", "--source-dir", stage, "--output-filepath", made], "Building the extension")
        run([*tool, "validate", made], "Validating the extension")
        out.mkdir(parents=True, exist_ok=True)
        # Into place in one step: copied beside it first, as `out` may be another file system.
        waiting = out / f".{name}.part"
        shutil.copy2(made, waiting)
        os.replace(waiting, out / name)
    return out / name


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", choices=BLENDERS, default="3.11", help="Python of the Blenders (3.11)")
    parser.add_argument("--platform", choices=PLATFORMS, default=this_platform(), help="default: this one")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip (dist)")
    options = parser.parse_args()
    try:
        made = build(options.python, options.platform, options.out)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{made}  {made.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
