# SPDX-License-Identifier: Apache-2.0
"""Numbers out of other people's ``.npy`` and ``.npz`` files.

Nothing is unpickled, and whatever is wrong with a file is a UserError that says "it ...", so that the caller can
name the file and go on with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from videomdm.errors import UserError

RATES = ("fps", "mocap_framerate", "mocap_frame_rate")
_NO_PICKLES = "Pickled files (.pkl) are not read: they can hold code."


def load_array(file: Path) -> np.ndarray:
    """The numbers of an ``.npy`` as float64; UserError where it is cut, an archive, or holds something else."""
    try:
        # numpy.load would hand out an archive that somebody named .npy
        with file.open("rb") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # NumPy lets out whatever Python's tokenizer and parser raise
        raise UserError(
            f"it is no readable .npy of numbers ({error})", f"Save it with numpy.save. {_NO_PICKLES}"
        ) from error
    return numbers(array, "its content")


def load_arrays(file: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz``; UserError where it is no such file or lacks one of ``names``."""
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise ValueError("it is a single array")
        with loaded as archive:
            arrays = {name: archive[name] for name in (*names, *optional) if name in archive.files}
    except Exception as error:  # NumPy, zipfile and zlib let out whatever their parsers raise
        raise UserError(
            f"it is no readable .npz of plain arrays ({error})",
            f"{_NO_PICKLES} Convert it to .npz, or copy it again.",
        ) from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(f"it has no {', '.join(missing)}", "Give a file of the right kind.")
    return arrays


def numbers(value: object, name: str) -> np.ndarray:
    """An array of real numbers as float64; UserError where it is text or anything else."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise UserError(f"{name} is no array of real numbers ({array.dtype})", "Make the file again.")
    return array.astype(np.float64)


def frame_rate(arrays: Mapping[str, np.ndarray], given: float | None = None) -> float:
    """Frames per second, as a file says under one of ``RATES``, or as ``given``; UserError where there is none."""
    name = next((name for name in RATES if name in arrays), None)
    if name is None and given is None:
        raise UserError("it does not say its frame rate", "Store it as fps, or give it.")
    rate = numbers(given if name is None else arrays[name], "its frame rate")
    if rate.size != 1 or not 1 <= rate.item() < 1000:
        raise UserError(
            f"{rate.tolist()} frames per second is no usable frame rate", "Store one number as fps."
        )
    return rate.item()


def word(value: object, otherwise: str) -> str:
    """One word that a file stores as text or as bytes, or ``otherwise``."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "SU":
        return otherwise
    text = array.item()
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
