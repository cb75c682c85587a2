# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints how fast and how well motions are put onto rigs: ``python -m tests.benchmarks.retarget --help``.

Times are the median of several runs of this process; keys are written by the add-on and, in the same run, by
``keyframe_insert`` for comparison.  Lengths are scaled to a body of 1.7 m.
"""

from __future__ import annotations

import os
import statistics
import sys
import traceback
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import click
import numpy as np
from tests.blender_addon.support.rigs import A_POSE, angles_between, body, play
from tests.blender_addon.support.walker import walk

from videomdm.motion import Motion, rotations
from videomdm_blender.clips import read_clip
from videomdm_blender.retarget import (
    ContactReport,
    HandTarget,
    Mapping,
    Options,
    RigRest,
    Take,
    retarget,
)
from videomdm_blender.retarget.contacts import find_contacts, runs
from videomdm_blender.retarget.feet import standing
from videomdm_blender.retarget.frames import Y, compose, inverse, norm, rotate
from videomdm_blender.retarget.ground import grounded
from videomdm_blender.retarget.measures import HEIGHT, body_height
from videomdm_blender.retarget.pose import Ground
from videomdm_blender.retarget.root import floor_shift, sole_height
from videomdm_blender.retarget.slots import SIDES
from videomdm_blender.retarget.stance import Stance

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FPS = 30.0
FINGER_BONES = 16  # a hand: brings the rig to 65 bones
RUNS = 7
LOW = 0.05  # metres
REACH = 0.98  # of an arm's length: further away nothing can be held
CHAINS = (
    ("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"), ("foot", "toe"),
)  # fmt: skip


def rig_of_65_bones() -> tuple[RigRest, Mapping]:
    """Six spine bones, twist bones in all limbs, hands with fingers."""
    rest, mapping = body(A_POSE, spine=6, twist=True)
    names, parents, heads, tails = list(rest.names), list(rest.parents), list(rest.heads), list(rest.tails)
    for side in SIDES:
        hand = names.index(mapping.first(f"{side}_hand"))
        for number in range(FINGER_BONES):
            first = number % 3 == 0 or number == FINGER_BONES - 1
            parents.append(hand if first else len(names) - 1)
            names.append(f"{side}_finger.{number}")
            start = rest.tails[hand] if first else tails[-1]
            heads.append(start)
            tails.append(start + 0.03 * (rest.tails[hand] - rest.heads[hand] + 0.01 * number))
    more = len(names) - len(rest.names)
    arrays = {
        key: np.concatenate([getattr(rest, key), np.repeat(getattr(rest, key)[-1:], more, axis=0)])
        for key in ("rotations", "pose", "inherits", "local_location", "connected")
    }
    return (
        replace(
            rest,
            names=tuple(names),
            parents=tuple(parents),
            heads=np.array(heads),
            tails=np.array(tails),
            **arrays,
        ),
        mapping,
    )


def timed(function: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Median milliseconds by the clock and of the processor."""
    clock, processor = [], []
    for _ in range(runs):
        start, used = perf_counter(), process_time()
        function()
        clock.append(1e3 * (perf_counter() - start))
        processor.append(1e3 * (process_time() - used))
    return statistics.median(clock), statistics.median(processor)


def peak_kilobytes(function: Callable[[], Any]) -> float:
    """The most memory that NumPy and Python held at once."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    return peak


def print_speed(frames: tuple[int, ...], runs: int) -> None:
    """Solving, contacts and memory on the rig of 65 bones."""
    rest, mapping = rig_of_65_bones()
    click.echo(f"{len(rest.names)} bones, {len(mapping.bones)} mapped; milliseconds by the clock (processor)")
    for count in frames:
        motion = walk(count / FPS, FPS, slide=0.2, tremble=0.003).motion
        repeats = runs if count < 2000 else 3
        cells = []
        for label, options in (("solve", Options()), ("solve + contact", Options(contact="auto"))):
            clock, processor = timed(partial(retarget, motion, rest, mapping, options), repeats)
            cells.append(f"{label} {clock:.0f} ({processor:.0f})")
        peak = peak_kilobytes(partial(retarget, motion, rest, mapping, Options(contact="auto")))
        click.echo(f"{count:6d} frames: {', '.join(cells)}, memory {peak / count:.1f} kB a frame")


def print_keys(count: int) -> None:
    """Writing curves beside ``keyframe_insert``, on the mannequin."""
    try:
        import bpy
    except ImportError:
        click.echo("keys: no Blender (bpy) in this environment")
        return
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.mannequin.build import build_mannequin

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = int(FPS), 1.0
    armature = build_mannequin(scene)
    motion = walk(count / FPS, FPS).motion

    def apply() -> Any:
        return apply_take(scene, armature, motion, name="take", start_frame=1)

    applied = apply()
    clock, _ = timed(apply, 3)

    def insert() -> None:
        armature.animation_data.action = bpy.data.actions.new("inserted")
        take = applied.take
        bones = [(armature.pose.bones[bone], take.rotations[:, n]) for n, bone in enumerate(take.bones)]
        for frame in range(count):
            for bone, turns in bones:
                bone.rotation_quaternion = turns[frame]
                bone.keyframe_insert("rotation_quaternion", frame=frame + 1)
            root = armature.pose.bones[applied.take.root]
            root.location = applied.take.location[frame]
            root.keyframe_insert("location", frame=frame + 1)

    inserted, _ = timed(insert, 1)
    click.echo(
        f"{count} frames on {len(applied.take.bones)} bones of the mannequin: from motion to curves {clock:.0f} ms; "
        f"keyframe_insert of the same keys {inserted:.0f} ms, {inserted / clock:.1f} times as long"
    )


def motions_to_measure(clips: tuple[Path, ...]) -> list[tuple[str, Motion]]:
    """Walks made here, or the clips of the files."""
    return [(path.stem, read_clip(path)) for path in clips] or [
        ("walk", walk().motion),
        ("skating", walk(slide=0.25).motion),
        ("trembling", walk(slide=0.15, tremble=0.004).motion),
    ]


def rigs_to_measure(paths: tuple[Path, ...]) -> list[tuple[str, RigRest, Mapping]]:
    """The rig of 65 bones, or those of the files."""
    if not paths:
        return [("65 bones", *rig_of_65_bones())]
    from videomdm_blender.armature.apply import mapping_of
    from videomdm_blender.armature.importing import open_rig
    from videomdm_blender.armature.rest import read_rest

    found = []
    for path in paths:
        rig = open_rig(path)
        found.append((path.name, read_rest(rig.armature), mapping_of(rig.armature, rig.humanoid)))
    return found


def limb_figures(rest: RigRest, mapping: Mapping, plain: Take, take: Take) -> tuple[float, float, float]:
    """Degrees between the limbs of two takes, median and 99th percentile; largest stretch of a limb, percent."""
    heads = [play(rest, one)[0] for one in (plain, take)]
    errors, stretch = [], 0.0
    for side in SIDES:
        for start, end in CHAINS:
            if not (mapping.chain(f"{side}_{start}") and mapping.chain(f"{side}_{end}")):
                continue
            bones = [
                one[mapping.first(f"{side}_{end}")] - one[mapping.first(f"{side}_{start}")] for one in heads
            ]
            length = np.linalg.norm(bones[1], axis=-1)
            stretch = max(stretch, float(np.ptp(length) / length[0]))
            if start != "foot":
                errors.append(angles_between(*bones))
    return float(np.median(errors)), float(np.percentile(errors, 99)), 100.0 * stretch


def print_quality(clips: tuple[Path, ...], rigs: tuple[Path, ...], options: Options) -> None:
    """What the clean-up of contacts does on every rig, and whether it is kept."""
    head = (
        "clip", "rig", "kept", "slide mm", "gap mm", "depth mm", "jerk", "low balls mm", "legs and arms °",
        "stretch %",
    )  # fmt: skip
    click.echo(f"{head[0]:10} {head[1]:20} {head[2]:5} " + " ".join(f"{name:>15}" for name in head[3:]))
    for rig, rest, mapping in rigs_to_measure(rigs):
        for clip, motion in motions_to_measure(clips):
            plain = retarget(motion, rest, mapping)
            take = retarget(motion, rest, mapping, options)
            report = take.contact
            assert report is not None
            row = [f"{clip:10.10} {rig:20.20} {'yes' if report.kept else 'no':5}"]
            row += [f"{cell:>15}" for cell in report_cells(report)]
            low = [low_slide(rest, mapping, motion, one) for one in (plain, take)]
            row.append(f"{f'{low[0]:.1f} > {low[1]:.1f}':>15}")
            median, p99, stretch = limb_figures(rest, mapping, plain, take)
            row += [f"{f'{median:.2f} {p99:.2f}':>15}", f"{stretch:15.4f}"]
            if report.reason:
                row.append(report.reason)
            click.echo(" ".join(row))


def ground_under(stance: Stance, motion: Motion, take: Take) -> Ground:
    """The ground on which a take's feet stand."""
    flat = standing(motion)
    height = sole_height(stance, flat, take.scale)
    return Ground.under(stance, floor_shift(stance, flat, take.scale), height, take.scale)


def low_slide(rest: RigRest, mapping: Mapping, motion: Motion, take: Take) -> float:
    """Median millimetres a frame that balls of feet move which are under 5 cm from the floor, standing or not.

    So it does not matter when feet are said to stand.
    """
    stance = Stance(rest, mapping)
    ground = ground_under(stance, motion, take)
    scale = HEIGHT / body_height(stance, ground)
    heads, _ = play(rest, take)
    part, high = ("toe", ground.ball) if mapping.chain("left_toe") else ("foot", ground.ankle)
    steps = []
    for number, side in enumerate(SIDES):
        path = scale * rotate(stance.axes, heads[mapping.first(f"{side}_{part}")])
        low = path[:, 1] - scale * (ground.floor + high[number]) < LOW
        steps.append(norm(np.diff(path[:, [0, 2]], axis=0))[low[1:] & low[:-1]])
    together = np.concatenate(steps)
    return 1e3 * float(np.median(together)) if len(together) else 0.0


def ends_of_feet(rest: RigRest, mapping: Mapping, motion: Motion, take: Take) -> tuple[float, float]:
    """By how much standing feet miss the places where they stand, and flat ones their direction, 95 of 100 values.

    Centimetres between balls, and ankles of flat feet, and the middle of their stand at the height of feet that
    stand; degrees between flat feet and feet that lie level and point as they do in the middle of the stand.
    """
    stance, flat = Stance(rest, mapping), standing(motion)
    positions = grounded(motion.positions.astype(float), flat, motion.fps)
    contacts = find_contacts(positions, np.asarray(motion.contacts, bool), flat, motion.fps)
    ground = ground_under(stance, motion, take)
    heads, turns = play(rest, take)
    both = contacts.heel & contacts.ball & contacts.floor
    places, degrees = [np.zeros(1)], [np.zeros(1)]
    for number, side in enumerate(SIDES):
        parts = [("foot", both[number], ground.ankle[number])]
        if mapping.chain(f"{side}_toe"):
            parts.append(("toe", (contacts.ball & contacts.floor)[number], ground.ball[number]))
        for part, stands, high in parts:
            path = rotate(stance.axes, heads[mapping.first(f"{side}_{part}")])
            for start, end in runs(stands):
                place = path[start:end].mean(axis=0) * (1.0, 0.0, 1.0) + (ground.floor + high) * Y
                places.append(norm(path[start:end] - place))
        turn = compose(stance.axes, turns[mapping.first(f"{side}_foot")], inverse(stance.axes))
        for start, end in runs(both[number]):
            forward = rotate(turn[start:end], stance.feet_forward[number])
            level = np.broadcast_to(forward.mean(axis=0) * (1.0, 0.0, 1.0), forward.shape)
            degrees += [angles_between(forward, level), angles_between(rotate(turn[start:end], Y), Y)]
    scale = 100.0 * HEIGHT / body_height(stance, ground)
    return scale * _most(places), _most(degrees)


def ends_of_hands(rest: RigRest, mapping: Mapping, motion: Motion) -> tuple[float, float]:
    """The same of hands that are asked to stay where they are for a second, while arms reach there."""
    first = len(motion.positions) / motion.fps / 3.0
    targets = tuple(HandTarget(side, first, first + 1.0) for side in ("left", "right"))
    plain, take = (retarget(motion, rest, mapping, Options(hands=hands)) for hands in ((), targets))
    (free, turned), (heads, turns) = play(rest, plain), play(rest, take)
    start, end = round(first * motion.fps), round((first + 1.0) * motion.fps) + 1
    places, degrees = [], []
    for side in SIDES:
        hand = mapping.first(f"{side}_hand")
        shoulder, elbow = (heads[mapping.first(f"{side}_{part}")] for part in ("upper_arm", "forearm"))
        arm = norm(elbow[0] - shoulder[0]) + norm(heads[hand][0] - elbow[0])
        near = norm(shoulder[start:end] - free[hand][start]) < REACH * arm
        places.append(norm(heads[hand][start:end] - free[hand][start])[near])
        degrees.append(np.degrees(rotations.angle_between(turns[hand], turned[hand]))[start:end])
    stance = Stance(rest, mapping)
    height = sole_height(stance, standing(motion), take.scale)
    scale = 100.0 * HEIGHT / body_height(stance, Ground.under(stance, 0.0, height, take.scale))
    return scale * _most(places), _most(degrees)


def _most(values: Sequence[np.ndarray]) -> float:
    """95 of 100; nan where nothing was asked for."""
    together = np.concatenate(values)
    return float(np.percentile(together, 95)) if len(together) else float("nan")


def print_ends(clips: tuple[Path, ...], rigs: tuple[Path, ...]) -> None:
    """How exactly feet stand, and hands are held, where that is asked for."""
    head = ("clip", "rig", "feet, auto", "feet, always", "hands")
    click.echo("ends, 95 of 100 values: centimetres at a height of 1.7 m, degrees")
    click.echo(f"{head[0]:10} {head[1]:20} " + " ".join(f"{name:>13}" for name in head[2:]))
    for rig, rest, mapping in rigs_to_measure(rigs):
        for clip, motion in motions_to_measure(clips):
            takes = [retarget(motion, rest, mapping, Options(contact=contact)) for contact in ("auto", True)]
            cells = [ends_of_feet(rest, mapping, motion, take) for take in takes]
            if all(mapping.chain(f"{side}_hand") for side in SIDES):
                cells.append(ends_of_hands(rest, mapping, motion))
            row = [f"{f'{place:.2f} {turn:.2f}':>13}" for place, turn in cells]
            click.echo(" ".join([f"{clip:10.10} {rig:20.20}", *row]))


def report_cells(report: ContactReport) -> list[str]:
    """Each measure without and with the clean-up."""
    if report.before is None or report.after is None:
        return [""] * 4
    a, b = report.before, report.after
    return [
        f"{a.slide:.1f} > {b.slide:.1f}",
        f"{a.gap:.1f} > {b.gap:.1f}",
        f"{a.penetration:.1f} > {b.penetration:.1f}",
        f"{a.jerk:.0f} > {b.jerk:.0f}",
    ]


@click.command()
@click.option(
    "--clip", "clips", type=FILE, multiple=True, help="Clip to measure.  [default: walks made here]"
)
@click.option("--rig", "rigs", type=FILE, multiple=True, help="Rig to measure.  [default: one of 65 bones]")
@click.option("--always", is_flag=True, help="Clean up contacts even where that is not better.")
@click.option("--frames", type=int, multiple=True, default=(300, 10_000), show_default=True)
@click.option("--runs", type=int, default=RUNS, show_default=True, help="Of which the median time counts.")
@click.option("--keys/--no-keys", default=True, help="Write keys in Blender, too.")
def main(
    clips: tuple[Path, ...],
    rigs: tuple[Path, ...],
    always: bool,
    frames: tuple[int, ...],
    runs: int,
    keys: bool,
) -> None:
    """Measure retargeting."""
    print_speed(frames, runs)
    if keys:
        print_keys(300)
    print_quality(clips, rigs, Options(contact=True if always else "auto"))
    print_ends(clips, rigs)


if __name__ == "__main__":
    status = 1
    try:
        main(standalone_mode=False)
        status = 0
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    if "bpy" in sys.modules:
        os._exit(status)  # Blender's own clean-up can hang
    sys.exit(status)
