# SPDX-License-Identifier: Apache-2.0
"""The takes that a server has made, on disk: a SQLite index and one folder of clip files for each job.

::

    library/index.sqlite            one row for each job
    library/takes/<job>/00.npz ...  its clips (``videomdm.motion.clip``)

A job's folder appears under its name only when it is complete, and before its row.  The index is therefore a
copy of what the folders say: a folder without a row (the process died in between) gets its row at the next
start, and a damaged index is set aside and made again.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..motion.clip import Motion
from ..protocol import Take

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
ABANDONED_SECONDS = 3600.0  # no take is written for so long
LISTED_CHARACTERS = 80  # of a caption
_COLUMNS = "job, created, model, caption, samples, frames, fps"
_LISTED = f"job, created, model, substr(caption, 1, {LISTED_CHARACTERS}), samples, frames, fps"


class Library:
    """Takes by job id.  Use it from the thread that made it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._takes = folder / "takes"
        try:
            self._takes.mkdir(parents=True, exist_ok=True)
            self._index = self._open()
        except (OSError, sqlite3.Error) as error:
            raise UserError(
                f"The library {folder} cannot be opened ({error}).",
                "Choose a folder that is writable with --library.",
            ) from error
        self._add_missing()

    def add(self, job: str, motions: Sequence[Motion], model: str = "") -> None:
        """Keep the clips of a finished job; UserError, OSError or sqlite3.Error where the disk refuses."""
        target = self._takes / job
        temporary = self._takes / f".new-{secrets.token_hex(8)}"
        temporary.mkdir()
        try:
            for number, motion in enumerate(motions):
                motion.save(temporary / f"{number:02d}.npz")
            if not target.exists():
                temporary.replace(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._insert(job, motions, model, time.time())

    def get(self, job: str) -> list[Motion] | None:
        """The clips of a job, None where there are none; UserError where a file is damaged."""
        files = sorted((self._takes / job).glob("*.npz"))
        return [Motion.load(file) for file in files] or None

    def newest(self, limit: int = 100, before: float | None = None) -> list[Take]:
        """At most ``limit`` takes, newest first, of those made before ``before`` (seconds since 1970).

        Long captions are cut, so that every list fits into one message.
        """
        rows = self._index.execute(
            f"SELECT {_LISTED} FROM takes WHERE ? IS NULL OR created < ? ORDER BY created DESC LIMIT ?",
            (before, before, limit),
        )
        return [Take(*row) for row in rows]

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _open(self) -> sqlite3.Connection:
        path = self.folder / "index.sqlite"
        try:
            return _connect(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            aside = path.with_name(f"index.damaged-{time.time_ns()}.sqlite")
            log.warning("The library's index %s is damaged (%s); it is set aside as %s", path, error, aside)
            path.replace(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return _connect(path)

    def _add_missing(self) -> None:
        """Give every folder without a row its row, and remove what a dead process left half-written."""
        known = {job for (job,) in self._index.execute("SELECT job FROM takes")}
        for folder in self._takes.iterdir():
            if folder.name.startswith(".new-") and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
            if folder.name in known or not re.fullmatch(r"[0-9a-f]{32}", folder.name):
                continue
            try:
                motions = self.get(folder.name)
            except UserError as error:
                log.warning("A take in the library cannot be read: %s", error)
                continue
            if motions:
                model = str(motions[0].provenance.get("model", ""))
                self._insert(folder.name, motions, model, folder.stat().st_mtime)

    def _insert(self, job: str, motions: Sequence[Motion], model: str, created: float) -> None:
        first = motions[0]
        with self._index:
            self._index.execute(
                f"INSERT OR IGNORE INTO takes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (job, created, model, first.caption, len(motions), len(first), first.fps),
            )


def _is_abandoned(folder: Path) -> bool:
    try:
        return folder.stat().st_mtime < time.time() - ABANDONED_SECONDS
    except OSError:
        return False  # another server has just given the take its name


def _connect(path: Path) -> sqlite3.Connection:
    """Open the index; sqlite3.DatabaseError where it is damaged or of another version."""
    index = sqlite3.connect(path, timeout=5.0)
    try:
        index.execute("PRAGMA journal_mode = WAL")
        (verdict,) = index.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        (version,) = index.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"its version is {version}, not {SCHEMA_VERSION}")
        with index:
            index.execute(
                "CREATE TABLE IF NOT EXISTS takes (job TEXT PRIMARY KEY, created REAL NOT NULL,"
                " model TEXT NOT NULL, caption TEXT NOT NULL, samples INTEGER NOT NULL,"
                " frames INTEGER NOT NULL, fps REAL NOT NULL)"
            )
            index.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        index.close()
        raise
    return index
