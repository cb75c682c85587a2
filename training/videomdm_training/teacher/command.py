# SPDX-License-Identifier: Apache-2.0
"""``videomdm train teacher`` and ``videomdm train lifted``: measure a teacher; take over another tool's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from videomdm.errors import UserError

from ..commands import options

_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of cameras and noise."
)


@click.command()
@click.argument("lifter", type=click.Path(path_type=Path))
@click.argument("pack", type=click.Path(path_type=Path))
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(["train", "val", "test"]),
    default=("val", "test"),
    show_default=True,
)
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Segments of each split; 0: all.")
@click.option(
    "-o", "--out", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write the report here."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of the camera and detector.")
@_seed
def teacher(
    lifter: Path,
    pack: Path,
    splits: tuple[str, ...],
    limit: int,
    folder: Path | None,
    overrides: tuple[str, ...],
    seed: int,
) -> None:
    """Measure LIFTER, a model file, on PACK's held-out segments: MPJPE, PA-MPJPE, PCK, acceleration, FID.

    Beside the lifter's own answers: those put onto their rays, and bodies fitted to them, as training can take them.
    """
    import numpy as np
    import torch

    from videomdm.model.checkpoint import load_model
    from videomdm.model.lifter import Lifter

    from ..configuration import load_config
    from ..datasets.pack import Pack
    from ..evaluate.evaluator import FrozenEvaluator
    from ..evaluate.figures import Report
    from ..sources import usable
    from .fit_lifter import LifterViews
    from .measure import measure_teacher

    views = load_config(LifterViews, None, overrides)
    network = load_model(lifter, Lifter).network
    assert isinstance(network, Lifter)
    data = Pack.load(pack)
    chosen = {}
    for split in splits:
        segments = usable(data.select(split))
        order = np.random.default_rng(seed).permutation(len(segments))[: limit or None]
        if segments:
            chosen[split] = [segments[i] for i in order]
    if not chosen:
        raise UserError(
            f"{pack} has no segments of {', '.join(splits)}.", "Choose another split with --split."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    evaluator = FrozenEvaluator.load(None)
    section = measure_teacher(network, data, chosen, device, seed, views.camera, views.detector, evaluator)
    settings = {"lifter": str(lifter), "data": pack.name, "seed": seed, "limit": limit, "views": repr(views)}
    report = Report(settings, (section,))
    click.echo(report.markdown())
    for path in report.write(folder) if folder is not None else ():
        click.echo(path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.folder("The subfolder `lifted` of a folder of keypoint files.")
@click.option("--fps", type=float, help="Frames per second, where a file does not say.")
@click.option(
    "--axes",
    type=click.Choice(["y-up", "z-up", "camera"]),
    default="y-up",
    show_default=True,
    help="Where a file does not say; camera: x right, y down, z forward.",
)
@click.option(
    "--units",
    type=click.Choice(["m", "mm", "any"]),
    default="m",
    show_default=True,
    help="Where a file does not say; any: scaled to the body's size.",
)
@click.option(
    "--body-models",
    type=click.Path(exists=True, path_type=Path),
    help="SMPL-H models as .npz, for files with pose parameters.",
)
def lifted(
    files: tuple[Path, ...], folder: Path, fps: float | None, axes: str, units: str, body_models: Path | None
) -> None:
    """Take over motion that another tool lifted from video (FILES: .npz or .npy), as the noisy teacher.

    Joint arrays of SMPL (22, 24 and more joints), Human3.6M (17) or the NBA set (16), or SMPL pose parameters.
    Poses about the root are fine in camera axes: training puts them where the keypoints are.
    """
    from ..datasets.smpl import Bodies
    from .imported import read_lifted

    twice = sorted(stem for stem, count in Counter(file.stem for file in files).items() if count > 1)
    if twice:
        raise UserError(
            f"Several files are called {', '.join(twice)}, and only one of them could be {twice[0]}.npz.",
            "Name them as the keypoints files they belong to, or take them over one by one.",
        )
    bodies = None if body_models is None else Bodies(body_models)
    read = [(file.stem, read_lifted(file, fps, axes, bodies, units)) for file in files]
    for name, motion in read:
        click.echo(motion.save(folder / f"{name}.npz"))
