# SPDX-License-Identifier: Apache-2.0
"""Tensors that take long to make, kept in a folder between the starts of a run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

MOST_BYTES = 6 * 2**30  # of all sets in one folder
SPARE_BYTES = 2 * 2**30  # that must stay free on the disk
SUFFIX, PART = ".safetensors", ".part"
A_DAY = 86_400.0  # seconds; an unfinished file that is older was left by a process that died


class Cache:
    """A folder of sets of tensors, each under the hash of everything that decided it.

    A set is written whole or not at all, and read only if its checksum is right.  The folder holds at most ``most``
    bytes: the sets that were not used for longest make room, and a set that cannot fit is not kept.  Nothing here
    fails a training: what cannot be read is made again, what cannot be written is not kept.
    """

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most = most

    def load(self, key: str) -> dict[str, Tensor] | None:
        """The set kept under ``key``, mapped from its file, or None; one that is damaged is removed."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                facts = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
            if facts.get("key") != key or facts.get("checksum") != digest(tensors):
                raise ValueError("another set, or damaged")
            os.utime(path)
            return tensors
        except (SafetensorError, ValueError, OSError):
            _remove(path)
            return None

    def store(self, key: str, tensors: Mapping[str, Tensor]) -> bool:
        """Keep ``tensors`` under ``key``; whether there was room."""
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        size = sum(tensor.nbytes for tensor in held.values())
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if size > self.most or shutil.disk_usage(self.folder).free < size + SPARE_BYTES:
                return False
            self._make_room(size)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=PART)
            os.close(handle)
            temporary = Path(name)
            save_file(held, temporary, metadata={"key": key, "checksum": digest(held)})
            os.replace(temporary, self._path(key))
            return True
        except (SafetensorError, OSError):
            return False
        finally:
            if temporary is not None:
                _remove(temporary)

    def size(self) -> int:
        """Bytes of all sets."""
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    def remove(self) -> None:
        """Give the disk back."""
        for path in (*self.folder.glob(f"*{SUFFIX}"), *self.folder.glob(f"*{PART}")):
            _remove(path)
        with suppress(OSError):  # not there, or not ours alone
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key[:32]}{SUFFIX}"

    def _make_room(self, size: int) -> None:
        for path in self.folder.glob(f"*{PART}"):
            if path.stat().st_mtime < time.time() - A_DAY:
                _remove(path)
        kept = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        while kept and self.size() + size > self.most:
            _remove(kept.pop(0))


class TimeUp(Exception):
    """The deadline of a :class:`TimedCache` has passed; what was made until then is kept."""


class TimedCache(Cache):
    """A cache that ends the work it is filled by once a deadline, of ``time.monotonic()``, has passed."""

    def __init__(self, folder: Path, deadline: float) -> None:
        super().__init__(folder)
        self.deadline = deadline

    def store(self, key: str, tensors: Mapping[str, Tensor]) -> bool:
        """As a cache's; TimeUp afterwards where it is time, so that every start gets at least that far."""
        kept = super().store(key, tensors)
        if time.monotonic() >= self.deadline:
            raise TimeUp
        return kept


def _remove(path: Path) -> None:
    with suppress(OSError):  # gone already, or in use where files in use cannot go
        path.unlink()


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names, kinds, shapes and values of tensors."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def key_of(settings: object, tensors: Mapping[str, Tensor], code: Iterable[Path]) -> str:
    """The hash of everything that decides a set: settings (JSON values), tensors, and the program's own files.

    The version of torch and the kind of CPU are among it, because the last bits of a sum depend on them.
    """
    sha = hashlib.sha256()
    machine = (torch.__version__, torch.backends.cpu.get_cpu_capability())
    sha.update(json.dumps([machine, settings], sort_keys=True).encode())
    sha.update(digest(tensors).encode())
    for path in sorted(code):
        sha.update(_file_digest(path))
    return sha.hexdigest()


@lru_cache(maxsize=256)
def _file_digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
