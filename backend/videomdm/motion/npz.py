# SPDX-License-Identifier: Apache-2.0
"""Arrays of ``.npz`` archives from strangers: nothing is unpickled, and no header decides how much is allocated.

NumPy's own reader makes an array as large as its header says before it reads it, and unpacks a member however
large it turns out.  Here the sizes are added up first, and held against what is there.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib

import numpy as np

from .files import MOST_BYTES

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(data: bytes, most: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays of an archive by name.

    ValueError where ``data`` is no archive of plain arrays, is damaged, or unpacks to more than ``most`` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if any(
                member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members
            ):
                raise ValueError("it is compressed in an unusual way")
            if sum(member.file_size for member in members) > most:
                raise ValueError(f"it unpacks to more than {most / 2**20:.0f} MiB")
            return {
                member.filename.removesuffix(".npy"): _read_npy(archive.read(member)) for member in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, MemoryError) as error:
        raise ValueError(f"it is no readable archive of arrays ({error})") from error


def _read_npy(data: bytes) -> np.ndarray:
    """The array of one ``.npy`` file; ValueError where its header does not fit its bytes."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"it has arrays of format version {version}")
    try:
        shape, _, dtype = _HEADERS[version](file)
    except Exception as error:  # NumPy lets out whatever Python's tokenizer and parser raise
        raise ValueError("an array has no readable header") from error
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"an array of shape {shape} and {dtype} does not fit its bytes")
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
