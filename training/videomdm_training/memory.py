# SPDX-License-Identifier: Apache-2.0
"""Memory that is free, but not given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Let the C library return what it holds free to the system; does nothing where it is not glibc.

    Batches have many lengths, so their tensors leave holes of many sizes in the heap.  By itself glibc gives back the
    heap's end only, and a training grows from hour to hour.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
