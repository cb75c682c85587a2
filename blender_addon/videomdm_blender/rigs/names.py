# SPDX-License-Identifier: GPL-3.0-or-later
"""What bone names have in common: spelling, and the side that they tell of."""

from __future__ import annotations

import re
from functools import lru_cache

from ..retarget.slots import SIDES

# A side in a name: a word, or a letter that stands for itself or before a capital ("lShldr", "hand_l").
_SIDE = re.compile(
    r"(?P<word>left|right|Left|Right|LEFT|RIGHT)"
    r"|(?P<letter>(?<![A-Za-z])[lLrR](?![A-Za-z])|^[lr](?=[A-Z]))"
)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A bone name in small letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def without_number(name: str) -> str:
    """The same without a number at the end that follows an underscore or a dot, as converters append it."""
    return plain(re.sub(r"[_.]\d+$", "", name))


@lru_cache(maxsize=4096)
def side_first(name: str) -> str:
    """The same with the side at the front, wherever and however it is written: "hand.L" gives "lefthand"."""
    found = _SIDE.search(name)
    if found is None:
        return plain(name)
    side = next(side for side in SIDES if side[0] == found[0][0].lower())
    return side + plain(f"{name[: found.start()]}_{name[found.end() :]}")


def side_of(name: str) -> str | None:
    """The side that a bone's name tells of, if it does."""
    lower = name.lower()
    for side in SIDES:
        letter = side[0]
        if side in lower or re.search(rf"(^|[^a-z]){letter}([^a-z]|$)", lower):
            return side
        if re.match(rf"{letter}(?=[A-Z])", name):
            return side
    return None
