# SPDX-License-Identifier: Apache-2.0
"""What holds for the repository as a whole: licences, sizes, packaging, documentation, the command line."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOTS = {
    "videomdm": "backend",
    "videomdm_training": "training",
    "videomdm_blender": "blender_addon",
}
MOST_BYTES = 1_000_000  # of any file but a model's weights
MOST_WEIGHT_BYTES = 20 * 2**20


def run(command: list[object], folder: Path, seconds: float = 240) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    """The files of the repository."""
    if not (repository / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    names = run(["git", "ls-files", "-z"], repository).split("\0")
    return [path for name in names if name and (path := repository / name).is_file()]


def test_every_python_file_names_its_licence(repository: Path, tracked: list[Path]) -> None:
    wrong = []
    for path in tracked:
        if path.suffix != ".py":
            continue
        name = path.relative_to(repository).as_posix()
        add_on = name.startswith(("blender_addon/", "tests/blender_addon/"))
        either = name.startswith(("tests/end_to_end/", "tests/benchmarks/"))
        licences = {"GPL-3.0-or-later"} if add_on else {"Apache-2.0"}
        head = path.read_text(encoding="utf-8").splitlines()[:2]
        found = {line.removeprefix("# SPDX-License-Identifier: ") for line in head}
        if not found & (licences | ({"GPL-3.0-or-later"} if either else set())):
            wrong.append(name)
    assert wrong == []


def test_files_are_small(tracked: list[Path]) -> None:
    limits = {".safetensors": MOST_WEIGHT_BYTES}
    large = [str(path) for path in tracked if path.stat().st_size > limits.get(path.suffix, MOST_BYTES)]
    assert large == []


def test_every_package_folder_is_a_package(repository: Path, tracked: list[Path]) -> None:
    """A folder without ``__init__.py`` would be left out of the wheel."""
    bare = {
        str(path.parent)
        for path in tracked
        for package, root in ROOTS.items()
        if path.suffix == ".py" and path.is_relative_to(repository / root / package)
        if not (path.parent / "__init__.py").is_file()
    }
    assert bare == set()


# What each package may import beyond the standard library and the packages below it.
THIRD_PARTY = {
    "videomdm": {
        "array_api_compat", "av", "click", "cv2", "mediapipe", "msgspec", "numpy", "safetensors", "scipy",
        "tokenizers", "torch", "tqdm", "zmq",
    },
    "videomdm_training": {
        "click", "lightning", "matplotlib", "msgspec", "numpy", "safetensors", "scipy", "smplx", "torch",
        "tqdm",
    },
    "videomdm_blender": {
        "addon_utils", "bpy", "bpy_extras", "click", "gpu", "gpu_extras", "io_scene_fbx", "mathutils", "numpy",
        "ray", "tqdm",
    },
}  # fmt: skip


def test_imports_are_declared_dependencies(repository: Path) -> None:
    strangers = set()
    for package, root in ROOTS.items():
        allowed = THIRD_PARTY[package] | set(ROOTS) | set(sys.stdlib_module_names)
        for path in (repository / root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                strangers |= {(path.name, name) for name in names if name.split(".")[0] not in allowed}
    assert strangers == set()


def test_readme_shows_the_two_commands_and_links_to_files(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert "python dev.py demo" in text and "python dev.py test" in text
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (repository / link).exists()] == []


def test_versions_agree(repository: Path) -> None:
    import videomdm

    manifest = repository / "blender_addon/videomdm_blender/blender_manifest.toml"
    assert tomllib.loads(manifest.read_text(encoding="utf-8"))["version"] == videomdm.__version__
    assert importlib.metadata.version("videomdm") == videomdm.__version__


def test_wheel_holds_the_three_packages_and_their_data(
    repository: Path, tracked: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"  # a copy: building leaves folders behind
    for path in tracked:
        target = source / path.relative_to(repository)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            tmp_path,
            source,
        ],
        tmp_path,
    )
    (wheel,) = tmp_path.glob("videomdm-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {
        path.relative_to(repository / root).as_posix()
        for path in tracked
        for package, root in ROOTS.items()
        if path.is_relative_to(repository / root / package)
    }
    assert expected - names == set()
    packages = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packages == set(ROOTS)
    licences = [name for name in names if ".dist-info/licenses/" in name]
    assert len(licences) == 2


def test_documentation_builds(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path], repository)
    assert (tmp_path / "index.html").is_file()


def test_every_verb_has_help() -> None:
    click = pytest.importorskip("click")
    from click.testing import CliRunner

    from videomdm.cli import main

    def check(command: click.Command, words: list[str]) -> None:
        result = CliRunner().invoke(main, [*words, "--help"], prog_name="videomdm")
        assert result.exit_code == 0, (words, result.output)
        assert command.help, words
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None, name
                check(inner, [*words, name])

    verbs = {entry.name for entry in importlib.metadata.entry_points(group="videomdm.commands")}
    assert verbs >= {"serve", "generate", "models", "keypoints", "lift", "train", "retarget"}
    assert verbs == set(main.list_commands(click.Context(main)))
    check(main, [])


def test_documented_command_lines_exist(repository: Path) -> None:
    """Every line ``videomdm ...`` of a code block names a verb and options that there are."""
    click = pytest.importorskip("click")
    from videomdm.cli import main

    wrong = []
    for page in [repository / "README.md", *sorted((repository / "docs").glob("*.md"))]:
        for line in re.findall(r"^videomdm .*$", page.read_text(encoding="utf-8"), re.MULTILINE):
            words = shlex.split(line, comments=True)[1:]
            command: click.Command | None = main
            while words and isinstance(command, click.Group):
                command = command.get_command(click.Context(command), words.pop(0))
            if command is None:
                wrong.append((page.name, line))
                continue
            known = {
                name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
            }
            wrong += [(page.name, line) for word in words if word.startswith("-") and word not in known]
    assert wrong == []


def test_client_imports_fast_and_without_torch_or_blender(repository: Path) -> None:
    """Under 0.3 s; measured as processor time, which other work on the machine does not stretch."""
    code = (
        "import sys, time; wall, start = time.perf_counter(), time.process_time(); import videomdm.client; "
        "print(time.process_time() - start, time.perf_counter() - wall); "
        "heavy = {'torch', 'bpy', 'scipy', 'lightning', 'mediapipe', 'av'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    runs = [run([sys.executable, "-c", code], repository).split() for _ in range(5)]
    seconds, wall = (min(map(float, times)) for times in zip(*runs, strict=True))
    print(f"import videomdm.client: {seconds:.3f} s of processor time, {wall:.3f} s by the clock")
    assert seconds < 0.3
