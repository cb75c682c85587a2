# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm certify``: how well do rigs take motions?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from videomdm.errors import UserError
from videomdm.motion.clip import write_atomically

from ..batch import pool
from ..batch.jobs import FORMATS, RIGS, parse_formats
from ..batch.schedule import Task
from ..cli import RIG_SUFFIXES
from ..clips import read_clip
from ..headless import TIME_LIMIT, no_blender
from .battery import BATTERY
from .figure import FPS
from .report import Certificate, markdown, plain, rig_table, summary_table, trip_table

MODULE = "videomdm_blender.certify.examination"
NOT_PASSED = 1
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("rigs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--clips", multiple=True, type=FILE, help="Further motion (.npz, .bvh); can be given several times."
)
@click.option(
    "--battery", default=",".join(BATTERY), show_default=True, help="Which of the motions of the battery."
)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("certificates"),
              show_default=True, help="Folder for the report and the pictures.")  # fmt: skip
@click.option("--armature", default="", help="Name of the armature object, where a file has several.")
@click.option("--mapping", type=FILE, help="Mapping file to use instead of finding the bones.")
@click.option(
    "--fps", type=click.FloatRange(1, 240), default=FPS, show_default=True, help="Frame rate to play at."
)
@click.option(
    "--contact/--no-contact",
    default=None,
    help="Keep standing feet in place and out of the floor.  [default: as retarget does]",
)
@click.option("--formats", default="fbx,glb,bvh,usd", show_default=True,
              help=f"Files to write and read again: some of {','.join(FORMATS)}, or none.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Rigs at a time.  [default: the cores]")
@click.option(
    "--limit", type=click.FloatRange(1), default=TIME_LIMIT, show_default=True, help="Seconds for one rig."
)
def certify(
    rigs: tuple[Path, ...],
    clips: tuple[Path, ...],
    battery: str,
    out: Path,
    armature: str,
    mapping: Path | None,
    fps: float,
    contact: bool | None,
    formats: str,
    jobs: int | None,
    limit: float,
) -> None:
    """Put a battery of motions onto RIGS (files, folders), play them in Blender, and measure what is seen.

    Prints a table for each rig and writes certificates.md, certificates.json and a picture of each rig, the
    motions drawn over it.  Status 0: every rig passed; 1: some did not.
    """
    names = _battery(battery)
    suffixes = () if formats.strip() == "none" else parse_formats(formats)
    for clip in clips:
        read_clip(clip)  # what is wrong with it is said before Blender starts
    if mapping is not None and not mapping.is_file():
        raise UserError(f"{mapping} does not exist.", "Check the path.", "no-file")
    files = _files(rigs)
    if find_spec("bpy") is None:
        raise no_blender()
    out.mkdir(parents=True, exist_ok=True)
    titles = _titles(files)
    pictures = {title: out / f"{title}.png" for title in titles}
    tasks = [
        Task(
            key=title,
            group=str(file),
            job={
                "rig": str(file.resolve()),
                "armature": armature,
                "mapping": str(mapping.resolve()) if mapping else "",
                "battery": names,
                "clips": [str(clip.resolve()) for clip in clips],
                "fps": fps,
                "contact": "auto" if contact is None else contact,
                "formats": suffixes,
                "picture": str(pictures[title].resolve()),
            },
        )
        for title, file in zip(titles, files, strict=True)
    ]
    found: dict[str, Certificate] = {}
    with TemporaryDirectory(prefix="videomdm-certify-", ignore_cleanup_errors=True) as folder:
        for task, answer in pool.run(MODULE, tasks, jobs, limit, Path(folder)):
            found[task.key] = _certificate(task.key, answer)
            _show(found[task.key], pictures[task.key])
    certificates = [found[title] for title in titles]
    _write(out, certificates, pictures)
    click.echo("\n".join(["", *plain(summary_table(certificates))]))
    passed = sum(certificate.verdict == "passed" for certificate in certificates)
    click.echo(f"\n{passed} of {len(certificates)} rigs passed; see {out / 'certificates.md'}.")
    if passed < len(certificates):
        raise click.exceptions.Exit(NOT_PASSED)


def _battery(text: str) -> list[str]:
    names = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := [name for name in names if name not in BATTERY]:
        raise UserError(
            f"The battery has no {', '.join(unknown)}.", f"It has {','.join(BATTERY)}.", "no-motion"
        )
    return names


def _files(sources: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            found += sorted(path for path in source.iterdir() if path.suffix.lower() in RIGS)
        elif not source.is_file():
            raise UserError(f"{source} does not exist.", "Check the path.", "no-file")
        elif source.suffix.lower() not in RIG_SUFFIXES:
            raise UserError(
                f"{source} is no kind of rig file.", f"Use one of {', '.join(RIG_SUFFIXES)}.", "bad-rig"
            )
        else:
            found.append(source)
    if not found:
        raise UserError("There are no rigs in what was given.", f"Rigs are {', '.join(RIGS)}.", "no-rigs")
    return list(dict.fromkeys(found))


def _titles(files: Sequence[Path]) -> list[str]:
    """A name for each rig: that of its file, with a number where two have the same."""
    names = [file.name for file in files]
    return [name if names.index(name) == k else f"{name}-{k + 1}" for k, name in enumerate(names)]


def _certificate(title: str, answer: dict[str, Any]) -> Certificate:
    if "error" in answer:
        message, advice, _ = answer["error"]
        return Certificate(title, error=f"{message} {advice}".strip())
    return Certificate(title, result=answer["done"])


def _show(certificate: Certificate, picture: Path) -> None:
    lines = ["", f"{certificate.rig}: {certificate.verdict}"]
    if certificate.result is not None:
        lines += plain(rig_table(certificate))
        if certificate.result["round_trip"]:
            lines += ["", *plain(trip_table(certificate))]
        lines.append(f"picture: {picture}")
    lines += [f"  {fault}" for fault in certificate.faults]
    click.echo("\n".join(lines))


def _write(out: Path, certificates: Sequence[Certificate], pictures: dict[str, Path]) -> None:
    shown = {c.rig: pictures[c.rig] for c in certificates if c.result is not None}
    write_atomically(out / "certificates.md", markdown(certificates, shown).encode())
    data = [certificate.as_json() for certificate in certificates]
    write_atomically(out / "certificates.json", (json.dumps(data, indent=1) + "\n").encode())
