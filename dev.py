#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sets up everything that VideoMDM needs, and runs it: `python dev.py demo`, `python dev.py test`.

Needs Python 3.11 and nothing else.  Everything is installed into environments of its own under `.dev/`, which
can be deleted at any time; the Python that runs this file is left as it is.  After an interruption the same
command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import io
import shutil
import signal
import sys
import time
from pathlib import Path

from development.checks import Outcome, close, lint_steps, pytest_step
from development.environments import BLENDER50, BLENDER52, DEMO, ENVIRONMENTS, MAIN, is_complete
from development.install import ensure, find_python
from development.processes import ROOT, Lock, Stop, duration, run, say


def demo(options: argparse.Namespace) -> int:
    """From a prompt to keyframes on a rig."""
    python = ensure(DEMO)
    say("a prompt becomes keyframes on a rig; the results go to out/demo")
    started = time.monotonic()
    status = run([python, "-m", "videomdm_blender.demo", "--out", ROOT / "out" / "demo", *options.rest])
    say(f"the demo {'took' if status == 0 else 'failed after'} {duration(time.monotonic() - started)}")
    return status


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
        return run([other, ROOT / "dev.py", *sys.argv[1:]])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a folder's name that the console cannot show ends nothing
            stream.reconfigure(errors="replace")
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
