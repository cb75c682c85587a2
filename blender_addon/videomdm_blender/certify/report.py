# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as a table for people and as data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .limits import LIMITS, ROUND_TRIP, Limit, broken

BESIDE, MOST_BESIDE = ("changed", "s"), ("0", "")  # titles and limits of what is told beside the measures

LEGEND = (
    "Orange: the motion. Blue: the rig's joints. Grey: its skin. Violet: where the front of each limb at rest has "
    "turned; where the two of a limb part, it twists. Crosses on the floor: feet that should stand, green where they "
    "do, red with their way where they slide by more than a centimetre."
)


@dataclass(frozen=True)
class Certificate:
    """What an examination found; ``result`` is that of ``examination.perform``, or ``error`` says why not."""

    rig: str
    result: dict[str, Any] | None = None
    error: str = ""

    @property
    def faults(self) -> list[str]:
        """Every limit that is not kept, one phrase each."""
        if self.result is None:
            return [self.error]
        found = []
        for clip, entry in self.result["clips"].items():
            for limit in broken(entry["measures"]):
                value = entry["measures"][limit.key]
                found.append(f"{clip}: {limit.title} {value:.{limit.digits}f} > {limit.most:g}")
            found += [f"{clip}: changed {what}" for what in entry["changed"]]
        for suffix, trip in self.result["round_trip"].items():
            if "error" in trip:
                found.append(f"{suffix}: {trip['error']}")
                continue
            for limit in broken(trip, ROUND_TRIP):
                found.append(f"{suffix}: {limit.title} {trip[limit.key]:.{limit.digits}f} > {limit.most:g}")
        return found

    @property
    def verdict(self) -> str:
        """One word."""
        if self.result is None:
            return "refused"
        return "failed" if self.faults else "passed"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"rig": self.rig, "verdict": self.verdict, "faults": self.faults, "result": self.result}


def worst(certificate: Certificate) -> list[str]:
    """The worst of all motions by each measure, changes and seconds, then of all round trips by both."""
    result = certificate.result
    if result is None:
        return []
    clips = list(result["clips"].values())
    cells = [
        f"{max(clip['measures'][limit.key] for clip in clips):.{limit.digits}f}" if clips else "-"
        for limit in LIMITS
    ]
    cells.append(str(max((len(clip["changed"]) for clip in clips), default=0)))
    cells.append(f"{max((clip['seconds'] for clip in clips), default=0.0):.2f}")
    trips = [trip for trip in result["round_trip"].values() if "error" not in trip]
    lost = len(trips) < len(result["round_trip"])
    for limit in ROUND_TRIP:
        value = f"{max(trip[limit.key] for trip in trips):.{limit.digits}f}" if trips else "-"
        cells.append("lost" if lost else value)
    return cells


def rig_table(certificate: Certificate) -> list[list[str]]:
    """One row for each motion and the limits below; the first row has the titles."""
    assert certificate.result is not None
    rows = [["motion", *(limit.title for limit in LIMITS), *BESIDE]]
    for name, clip in certificate.result["clips"].items():
        cells = [f"{clip['measures'][limit.key]:.{limit.digits}f}" for limit in LIMITS]
        rows.append([name, *cells, str(len(clip["changed"])), f"{clip['seconds']:.2f}"])
    rows.append(["limit", *(_most(limit) for limit in LIMITS), *MOST_BESIDE])
    return rows


def trip_table(certificate: Certificate) -> list[list[str]]:
    """One row for each format that was written and read again."""
    assert certificate.result is not None
    rows = [["file", *(limit.title for limit in ROUND_TRIP), "bones"]]
    for suffix, trip in certificate.result["round_trip"].items():
        if "error" in trip:
            rows.append([suffix, "lost", "lost", "0"])
        else:
            cells = [f"{trip[limit.key]:.{limit.digits}f}" for limit in ROUND_TRIP]
            rows.append([suffix, *cells, str(trip["bones"])])
    rows.append(["limit", *(_most(limit) for limit in ROUND_TRIP), ""])
    return rows


def summary_table(certificates: Sequence[Certificate]) -> list[list[str]]:
    """One row for each rig with its worst values."""
    titles = [limit.title for limit in LIMITS] + [*BESIDE] + [f"trip {limit.title}" for limit in ROUND_TRIP]
    rows = [["rig", "verdict", *titles]]
    for certificate in certificates:
        cells = worst(certificate) or ["-"] * len(titles)
        rows.append([certificate.rig, certificate.verdict, *cells])
    rows.append(["limit", "", *map(_most, LIMITS), *MOST_BESIDE, *map(_most, ROUND_TRIP)])
    return rows


def plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown(certificates: Sequence[Certificate], pictures: dict[str, Path]) -> str:
    """All certificates as one page."""
    lines = ["# Certificates", "", *_markdown_table(summary_table(certificates)), ""]
    for certificate in certificates:
        lines += [f"## {certificate.rig}: {certificate.verdict}", ""]
        if certificate.result is not None:
            result = certificate.result
            lines += [f"{result['family']}, {result['bones']} mapped bones, {result['seconds']:.1f} s.", ""]
            lines += [*_markdown_table(rig_table(certificate)), ""]
            if result["round_trip"]:
                lines += [*_markdown_table(trip_table(certificate)), ""]
        lines += [f"- {fault}" for fault in certificate.faults]
        lines += [""] if certificate.faults else []
        if certificate.rig in pictures:
            lines += [f"![The motions over the rig]({pictures[certificate.rig].name})", "", LEGEND, ""]
    lines += ["| measure | most | what |", "| --- | --- | --- |"]
    lines += [f"| {limit.title} | {_most(limit)} | {limit.meaning} |" for limit in (*LIMITS, *ROUND_TRIP)]
    lines += [
        "| changed | 0 | settings, Actions, rotation modes ... that are not as before, and bones with keys unasked |"
    ]
    lines += ["| s | | seconds to put the motion on the rig |"]
    return "\n".join(lines) + "\n"


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    first, *rest = rows
    return [f"| {' | '.join(row)} |" for row in (first, ["---"] * len(first), *rest)]


def _most(limit: Limit) -> str:
    return "" if limit.most is None else f"{limit.most:g}"
