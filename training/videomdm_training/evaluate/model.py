# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on the held-out clips of a packed data set.

Three parts: the lifter alone, lifting with the prior, and generation.  Footage is synthetic: cameras as VideoMDM
draws them, and a detector's errors.  Every number comes from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from videomdm.camera import Camera
from videomdm.diffusion.guidance import text_guided
from videomdm.errors import UserError
from videomdm.lifting import Footage, LiftSettings, first_guess, lift_footage
from videomdm.model.lifter import Lifter
from videomdm.motion.clip import FPS
from videomdm.pipeline import Pipeline, TextRequest

from ..clips import Batch
from ..datasets.pack import Pack, Segment
from ..sources import joints, position_clips, usable
from ..views import CameraConfig, DetectorConfig, View, observe, sample_cameras
from . import lifting, physical
from .figures import Report, Section, summarise

TEACHER_CLIPS, LIFTED_CLIPS, GENERATED_CLIPS = 128, 20, 48  # of a split, where no limit is given
BATCH = 16
STEPS, GUIDANCE = 20, 2.5


def evaluate(model: str, pack: Path, limit: int = 0, seed: int = 0) -> Report:
    """Evaluate ``model`` (name or folder) on "val" and, for the lifter, "test" of a pack.

    ``limit`` is the number of clips in each part; 0 takes the defaults.  UserError where there is nothing to
    evaluate on.
    """
    pipeline = Pipeline.load(model)
    data = Pack.load(pack)
    held_out = {split: usable(data.select(split)) for split in ("val", "test")}
    if not held_out["val"]:
        raise UserError(f"{pack} has no segments for validation.", 'Give some of them the split "val".')
    sections = []
    if pipeline.lifter is not None:
        chosen = {k: _subset(v, limit or TEACHER_CLIPS, seed) for k, v in held_out.items() if v}
        sections.append(lifter_section(pipeline.lifter, data, chosen, pipeline.device, seed))
        sections.append(
            prior_section(pipeline, data, _subset(held_out["val"], limit or LIFTED_CLIPS, seed), seed)
        )
    chosen_val = _subset(held_out["val"], limit or GENERATED_CLIPS, seed)
    sections.append(generation_section(pipeline, data, chosen_val, seed))
    settings = {
        "model": pipeline.info.name,
        "data": pack.name,
        "seed": seed,
        "limit": limit,
        "denoising steps": STEPS,
        "guidance": GUIDANCE,
        "frames per second": FPS,
        "camera": _told(CameraConfig()),
        "detector": _told(DetectorConfig()),
        "device": pipeline.device.type,
    }
    return Report(settings, tuple(sections))


def lifter_section(
    lifter: Lifter, data: Pack, splits: dict[str, list[Segment]], device: torch.device, seed: int
) -> Section:
    """The lifter's joints against the truth, both in camera space."""
    columns = {}
    for split, segments in splits.items():
        rows: list[dict[str, float]] = []
        for batch, view in _views(data, segments, device, seed, f"lifter, {split}"):
            with torch.inference_mode():
                lifted = lifter(view.keypoints, view.confidence, batch.mask)
            truth = view.camera.to_camera(batch.frames["positions"])
            cosine = (lifted.up * view.camera.R[:, 0, :, 1]).sum(-1).clamp(-1, 1)
            off = (lifted.joints[:, :, 0, 2] / truth[:, :, 0, 2] - 1).abs()
            for i, n in enumerate(batch.lengths.tolist()):
                guess, real = lifted.joints[i, :n].cpu().numpy(), truth[i, :n].cpu().numpy()
                depth, gravity = float(off[i, :n].mean()), float(cosine[i].arccos())
                rows.append(lifting.measure(guess, real, FPS) | {"gravity": gravity, "depth": depth})
        columns[split] = summarise(rows)
    notes = "Joints about the root, in camera space, from synthetic keypoints with a detector's errors."
    return Section("The lifter alone", notes, columns)


def prior_section(pipeline: Pipeline, data: Pack, segments: Sequence[Segment], seed: int) -> Section:
    """The lifter alone and with guided sampling, both against the truth in a level world."""
    assert pipeline.lifter is not None
    text, mask = pipeline.encoder([""])
    denoise = text_guided(pipeline.denoiser, text.to(pipeline.device), mask.to(pipeline.device), 1.0)
    settings = LiftSettings(seed=seed, steps=STEPS, window=pipeline.denoiser.config.max_frames)
    alone: list[dict[str, float]] = []
    guided: list[dict[str, float]] = []
    real: list[dict[str, float]] = []
    for batch, view in _views(data, segments, pipeline.device, seed, "lifting with the prior"):
        for i, n in enumerate(batch.lengths.tolist()):
            footage = Footage(view.keypoints[i, :n], view.confidence[i, :n])
            truth = batch.frames["positions"][i, :n].cpu().numpy()
            guess, _ = first_guess(footage, pipeline.lifter, settings.window, settings.overlap)
            sampled = lift_footage(
                footage, pipeline.lifter, denoise, pipeline.schedule, pipeline.mean, pipeline.std, settings
            )
            alone.append(_in_world(guess, truth))
            guided.append(_in_world(sampled, truth))
            real.append(_plausibility(truth))
    columns = {
        "lifter alone": summarise(alone),
        "with the prior": summarise(guided),
        "truth": summarise(real),
    }
    notes = (
        "The same synthetic keypoints, no words.  Each motion is turned about the vertical as a whole to fit the "
        "truth best; errors of the pose are about the root, the root's path starts at the true place."
    )
    return Section("Lifting with the prior", notes, columns)


def generation_section(pipeline: Pipeline, data: Pack, segments: Sequence[Segment], seed: int) -> Section:
    """Physical measures of motions made from held-out captions, and of the captioned motions themselves."""
    made, real = [], []
    for number, segment in enumerate(tqdm(segments, desc="generation", unit="clip")):
        truth = joints(data, segment).numpy()
        seconds = min(len(truth) / FPS, pipeline.info.max_seconds)
        request = TextRequest(segment.captions[0], seconds, seed + number, GUIDANCE, STEPS)
        made.append(physical.measure(pipeline.generate(request)[0].positions, FPS))
        real.append(physical.measure(truth, FPS))
    notes = (
        f"Motions made from held-out captions, as long as the captioned motion, beside those motions.  A toe stands "
        f"where it is lower than {physical.CONTACT_HEIGHT:g} m over two frames, and slides above "
        f"{physical.SLIDING_SPEED:g} m/s; below the floor means by more than {physical.BELOW_FLOOR:g} m; Y is up."
    )
    return Section("Generation", notes, {"generated": summarise(made), "real": summarise(real)})


def _in_world(positions: Tensor, truth: np.ndarray) -> dict[str, float]:
    turned = lifting.turn_onto(positions.cpu().numpy(), truth)
    errors = lifting.measure(turned, truth, FPS)
    return errors | {"path": lifting.path_error(turned, truth)} | _plausibility(turned)


def _plausibility(positions: np.ndarray) -> dict[str, float]:
    measured = physical.measure(positions, FPS)
    return {name: measured[name] for name in ("foot_skate", "jerk")}


def _views(
    data: Pack, segments: Sequence[Segment], device: torch.device, seed: int, words: str
) -> Iterator[tuple[Batch, View]]:
    """Batches of clips of similar length, each clip seen by one camera."""
    clips = position_clips(data, segments, device)
    generator = torch.Generator(device).manual_seed(seed)
    with tqdm(total=len(clips), desc=words, unit="clip") as bar:
        for index in clips.order.split(BATCH):
            batch = clips.batch(index)
            positions = batch.frames["positions"]
            camera: Camera = sample_cameras(positions, batch.mask, generator, CameraConfig())
            yield batch, observe(positions, camera, generator, DetectorConfig())
            bar.update(len(index))


def _subset(segments: Sequence[Segment], count: int, seed: int) -> list[Segment]:
    """``count`` segments drawn without repetition, or all."""
    order = np.random.default_rng(seed).permutation(len(segments))[:count]
    return [segments[i] for i in order]


def _told(config: CameraConfig | DetectorConfig) -> str:
    return ", ".join(f"{name} {value}" for name, value in vars(config).items())
