# SPDX-License-Identifier: GPL-3.0-or-later
"""A mapping as a table that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from ..retarget.rig import Mapping
from ..retarget.slots import CENTRE_SLOTS, SIDE_SLOTS, SIDES, words

NONE = "-"


def table(mapping: Mapping) -> str:
    """The bones of each part of the body, those of the sides beside each other."""
    left, right = SIDES
    rows = [(words(slot), _bones(mapping, slot), "") for slot in CENTRE_SLOTS]
    rows.append(("", left, right))
    rows += [
        (words(part), _bones(mapping, f"{left}_{part}"), _bones(mapping, f"{right}_{part}"))
        for part in SIDE_SLOTS
    ]
    return "\n".join(_aligned(rows))


def _bones(mapping: Mapping, slot: str) -> str:
    return ", ".join(mapping.chain(slot)) or NONE


def _aligned(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    parts = max(len(row[0]) for row in rows)
    lefts = max(len(row[1]) for row in rows if row[2])
    for part, left, right in rows:
        yield f"{part:<{parts}}  {left:<{lefts}}  {right}".rstrip()
