# SPDX-License-Identifier: Apache-2.0
"""The parts of an evaluation may be measured one after the other into one folder: what is there already is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from videomdm.errors import UserError

from .figures import JSON, Report


def read_report(folder: Path) -> Report | None:
    """The report that lies in ``folder``, or None; UserError where its evaluation.json is none."""
    path = folder / JSON
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path} cannot be read as the report of an evaluation ({error}).",
            "Remove it, or choose another folder with -o.",
        ) from error


def refuse_others(before: Report, settings: Mapping[str, Any], needed: Sequence[str], folder: Path) -> None:
    """UserError where a report in ``folder`` is of something else than ``settings`` say.

    What both of them state must be the same, and of ``needed`` both must state all.
    """
    told = msgspec.to_builtins(settings)
    other = [
        f"{name} {before.settings.get(name, 'not stated')}, not {value}"
        for name, value in told.items()
        if (name in needed or name in before.settings) and before.settings.get(name) != value
    ]
    if other:
        raise UserError(
            f"{folder} holds another evaluation: {'; '.join(other)}.",
            "Choose another folder with -o, or ask for the same.",
        )


def joined(before: Report, report: Report, order: Sequence[str]) -> Report:
    """``report`` with the sections of ``before`` that it has not measured again, their titles in ``order``."""
    fresh = {section.title for section in report.sections}
    sections = [*(section for section in before.sections if section.title not in fresh), *report.sections]
    places = {title: place for place, title in enumerate(order)}
    sections.sort(key=lambda section: places.get(section.title, len(places)))
    return Report({**before.settings, **report.settings}, tuple(sections))
