# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run: one line of JSON for each job that ended, written as it ends.

It is also the memory of the run: lines are only ever added, and a line cut short by a power failure is passed over.
Lines are seen to the disk once a second, so that a slow disk does not hold up many workers: the jobs of lines that
are lost all the same are done again.  A shard writes a report of its own and reads those of
all others.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .jobs import BatchJob
from .shard import Shard


@dataclass(frozen=True)
class Ledger:
    """The reports in a folder of results."""

    folder: Path
    shard: Shard

    @property
    def path(self) -> Path:
        """The report that this run writes."""
        return self.folder / f"report{self.shard.suffix}.jsonl"

    def note(self, entry: dict[str, Any], *, to_disk: bool = True) -> None:
        """Add a line; ``to_disk``: and see it and those before it to the disk."""
        with self.path.open("ab+") as file:
            if file.tell():  # after a line that was cut short begin a new one
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            file.flush()
            if to_disk:
                os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """All whole lines of all reports."""
        found = []
        for path in sorted(self.folder.glob("report*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
                    found.append(entry)
        return found

    def done(self) -> dict[str, dict[str, int]]:
        """Key of each job that is done -> its files and their sizes."""
        return {
            str(entry["key"]): entry["files"]
            for entry in self.entries()
            if entry.get("status") == "done" and "key" in entry and isinstance(entry.get("files"), dict)
        }


def is_done(job: BatchJob, key: str, done: dict[str, dict[str, int]], out: Path) -> bool:
    """Whether a job was done with the same contents and settings and its files are still there."""
    files = done.get(key)
    if files is None or set(files) != {path.relative_to(out).as_posix() for path in job.outs(out)}:
        return False
    return all((out / name).is_file() and (out / name).stat().st_size == size for name, size in files.items())
