# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping files: JSON that a person can read, correct and share."""

from __future__ import annotations

import json
import os
from pathlib import Path

from videomdm.errors import UserError
from videomdm.motion.clip import write_atomically

from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import SLOTS
from .check import check
from .families import FAMILIES, family_called

VERSION = 1
NO_FAMILY = ("", "structure")  # mappings made by hand, and those found without names


def save_mapping(path: str | os.PathLike[str], mapping: Mapping) -> Path:
    """Write a mapping; parts of the body that have no bone are listed too, so that they can be filled in."""
    slots = [f"    {json.dumps(s)}: {json.dumps(mapping.chain(s), ensure_ascii=False)}" for s in SLOTS]
    lines = [
        "{",
        f'  "version": {VERSION},',
        f'  "family": {json.dumps(mapping.family)},',
        '  "slots": {',
        ",\n".join(slots),
        "  }",
        "}",
    ]
    return write_atomically(path, ("\n".join(lines) + "\n").encode())


def load_mapping(path: str | os.PathLike[str], rest: RigRest) -> Mapping:
    """Read a mapping and check it against a rig; UserError where it cannot be read or does not fit."""
    path = Path(path)
    advice = "Write one with `videomdm mapping RIG --save FILE` and change that."
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except OSError as error:
        raise UserError(
            f"The mapping {path} cannot be read ({error.strerror}).", "Check the path."
        ) from error
    except ValueError as error:
        raise UserError(f"The mapping {path} is not valid JSON ({error}).", advice, "bad-mapping") from error
    slots = content.get("slots") if isinstance(content, dict) else None
    if not isinstance(slots, dict) or content.get("version") != VERSION:
        raise UserError(f"{path} is not a mapping of version {VERSION}.", advice, "bad-mapping")
    chains: dict[str, tuple[str, ...]] = {}
    for slot, bones in slots.items():
        names = [bones] if isinstance(bones, str) else bones
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(
                f"In {path} the bones of {slot!r} are not a list of names.", advice, "bad-mapping"
            )
        if names:
            chains[slot] = tuple(names)
    name = content.get("family", "")
    family = family_called(name) if isinstance(name, str) else None
    if family is None and name not in NO_FAMILY:
        known = ", ".join(known.key for known in FAMILIES)
        raise UserError(
            f"{path} is for rigs of a family {name!r}, which is not known.",
            f'Use one of {known}, or leave the family "".',
            "bad-mapping",
        )
    mapping = Mapping(chains, family.key if family else "")
    check(rest, mapping)
    return family.complete(rest, chains) if family else mapping


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The entries of a JSON object; ValueError where one comes twice, of which only the last would count."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} comes twice")
    return content
