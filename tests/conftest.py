# SPDX-License-Identifier: Apache-2.0
"""What every test may use: the shared data, and a safe end for runs that loaded Blender."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
_exit_status = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data for development; tests that ask for it skip where it is absent.

    It lies beside the repository in ``shared/data``; ``VIDEOMDM_SHARED_DATA`` names another place.
    """
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("VIDEOMDM_SHARED_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no shared data in {folder} (VIDEOMDM_SHARED_DATA can name another folder)")
    return folder


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_status] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End a process that loaded Blender at once: its own clean-up can hang.

    Every report is written by now.  A worker of pytest-xdist has handed over its results.
    """
    if "bpy" not in sys.modules:
        return
    config.get_terminal_writer().flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(_exit_status, 0))
