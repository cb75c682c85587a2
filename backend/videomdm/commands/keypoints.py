# SPDX-License-Identifier: Apache-2.0
"""``videomdm keypoints``: the 2D keypoints of one person, from video or from another detector's output."""

from __future__ import annotations

import math
from pathlib import Path

import click


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        width, height = (int(part) for part in value.lower().split("x"))
        if width < 1 or height < 1:
            raise ValueError
    except ValueError:
        raise click.BadParameter("write it as WIDTHxHEIGHT, for example 1920x1080") from None
    return width, height


@click.command()
@click.argument("source", metavar="VIDEO", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Keypoints file to write."
)
@click.option("--start", type=click.FloatRange(min=0), help="Seconds at which to begin.")
@click.option("--end", type=click.FloatRange(min=0), help="Seconds at which to stop.")
@click.option(
    "--fps",
    type=click.FloatRange(min=1, max=240),
    help="Video: read it at this rate. Folder or JSON: the rate that it has (30 if not given).",
)
@click.option("--size", callback=_size, help="Folder or JSON: the image size, as WIDTHxHEIGHT.")
@click.option(
    "--person", type=click.IntRange(min=1), default=1, show_default=True,
    help="Whom to take where several are seen; 1 is seen longest and largest.",
)  # fmt: skip
@click.option(
    "--overlay", type=click.Path(path_type=Path), help="Also write this MP4 with the skeleton drawn."
)
@click.option("--clean/--no-clean", default=True, show_default=True, help="Repair and smooth the keypoints.")
def keypoints(
    source: Path,
    output: Path,
    start: float | None,
    end: float | None,
    fps: float | None,
    size: tuple[int, int] | None,
    person: int,
    overlay: Path | None,
    clean: bool,
) -> None:
    """Find a person's 2D keypoints in VIDEO.

    VIDEO may also be a folder of OpenPose JSON files, or an AlphaPose or COCO result list (JSON), which
    is converted.
    """
    from ..errors import UserError
    from ..keypoints import formats
    from ..keypoints.clean import clean as clean_keypoints
    from ..keypoints.detect import detect_people
    from ..keypoints.overlay import write_overlay
    from ..keypoints.track import choose_person
    from ..keypoints.video import Video
    from .options import check_writable

    if not source.exists():
        raise UserError(f"There is no file or folder {source}.", "Check the path.")
    if any(seconds is not None and math.isnan(seconds) for seconds in (start, end)):
        raise UserError("The start or the end is no number.", "Give them in seconds.")
    for path in filter(None, (output, overlay)):
        check_writable(path)
    if any(path is not None and path.exists() and path.samefile(source) for path in (output, overlay)):
        raise UserError(f"{source} would be overwritten.", "Choose another name for the output.")
    if formats.is_keypoint_source(source):
        if overlay is not None:
            raise UserError(
                f"{source} holds no pictures to draw an overlay on.", "Leave --overlay out, or give a video."
            )
        found = formats.load_any(source, fps, size, person)
        begin = round((start or 0) * found.fps)
        stop = len(found) if end is None else round(end * found.fps)
        if begin >= min(stop, len(found)):
            raise UserError(
                f"{source} is {found.seconds:.2f} s long; nothing lies between the chosen start and end.",
                "Choose another start and end.",
            )
        if (begin, stop) != (0, len(found)):
            found = found.part(begin, stop)
    else:
        if size is not None:
            raise UserError("A video tells its own image size.", "Leave --size out.")
        video = Video(source, start, end, fps)
        found = choose_person(detect_people(video, progress=True), person)
    if clean:
        found = clean_keypoints(found)
    found.save(output)
    if overlay is not None:
        write_overlay(overlay, video, found, progress=True)
    notes = found.provenance.get("notes")
    for note in notes if isinstance(notes, list) else []:
        click.echo(f"Note: {note}", err=True)
    click.echo(
        f"{output}: {len(found)} frames at {found.fps:g} frames per second, {found.width} x {found.height};"
        f" the person is seen in {100 * found.coverage:.0f} % of them."
    )
