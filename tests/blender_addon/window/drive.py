# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender with a window: uses the sidebar as a person would and takes pictures of it.

    blender --enable-event-simulate --python drive.py -- FOLDER

FOLDER holds plan.json, which names the connection file of a backend, and the frame buffer of the X server; the
pictures and ``seen.json`` appear there.  The steps are a generator: each ``yield`` gives Blender so many seconds
to draw and to run its timers.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

EXTENSION = "bl_ext.user_default.videomdm"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
PLAN = json.loads((FOLDER / "plan.json").read_text())
DRAW_SECONDS = 1.0  # of a software renderer
HOVER_SECONDS = (0.05, 0.2)  # for each place; a busy machine needs a second look
CLOSED = (
    "VIDEOMDM_PT_footage",
    "VIDEOMDM_PT_take",
    "VIDEOMDM_PT_library",
    "VIDEOMDM_PT_mapping",
    "VIDEOMDM_PT_sampling",
)
seen: dict[str, Any] = {}


def window() -> Any:
    return bpy.context.window_manager.windows[0]


def area() -> Any:
    return next(area for area in window().screen.areas if area.type == "VIEW_3D")


def sidebar() -> Any:
    return next(region for region in area().regions if region.type == "UI")


def screenshot(name: str) -> None:
    """Keep what the X server shows: its frame buffer is a file (Xvfb -fbdir) in XWD format."""
    raw = (FOLDER / "Xvfb_screen0").read_bytes()
    fields = struct.unpack(">25I", raw[:100])
    header, width, height, stride, colours = (fields[i] for i in (0, 4, 5, 12, 19))
    start = header + 12 * colours
    rows = np.frombuffer(raw, np.uint8, stride * height, start).reshape(height, stride)[::-1, : 4 * width]
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = rows.reshape(height, width, 4)[..., 2::-1] / 255.0  # BGRX, and Blender begins below
    image = bpy.data.images.new(name, width, height)
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(FOLDER / f"{name}.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)


def press(operator: str, share: float) -> Iterator[float]:
    """Find the sidebar's button for an operator with the mouse, and click on it.

    share: where to look, of the sidebar's width.
    """
    yield DRAW_SECONDS  # until panels have stopped moving
    region, command = sidebar(), f"bpy.ops.{operator}()"
    rows = range(region.y + region.height - 10, region.y, -14)
    x = region.x + int(region.width * share)
    for seconds, y in itertools.product(HOVER_SECONDS, rows):
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield seconds
        if under_mouse() != command:
            continue
        yield 0.2
        if under_mouse() != command:
            continue  # that was the button of the place before
        window().event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=y)
        yield 0.1
        window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=x, y=y)
        return
    raise LookupError(f"the sidebar has no button for {operator}")


def under_mouse() -> str:
    """The Python command of the button under the mouse."""
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=window(), area=area(), region=sidebar()):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
    return str(manager.clipboard)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> Iterator[float]:
    """Wait for a condition."""
    waited = 0.0
    while not condition():
        if waited > seconds:
            raise TimeoutError(str(condition))
        yield 0.1
        waited += 0.1


def do(operator: str, how: str = "INVOKE_DEFAULT", **options: Any) -> None:
    """An operator as a button of the sidebar runs it: with its own undo step."""
    with bpy.context.temp_override(window=window(), area=area(), region=sidebar()):
        getattr(bpy.ops.videomdm, operator)(how, True, **options)


def refusal(operator: str, **options: Any) -> str:
    """Why an operator cannot be used now."""
    try:
        do(operator, **options)
    except RuntimeError as error:
        return str(error).strip()
    return ""


def rig() -> Any:
    """The armature; after an undo what Python held of it is gone."""
    return bpy.data.objects["Mannequin"]


def action() -> str:
    """The name of the armature's Action."""
    data = rig().animation_data
    return data.action.name if data is not None and data.action is not None else ""


def undo() -> None:
    """Ctrl Z."""
    with bpy.context.temp_override(window=window(), area=area(), region=sidebar()):
        bpy.ops.ed.undo()


def open_panels() -> None:
    """Show panels that are closed at first."""
    for name in CLOSED:
        panel = getattr(bpy.types, name)
        bpy.utils.unregister_class(panel)
        panel.bl_options = set()
        bpy.utils.register_class(panel)


def steps() -> Iterator[float]:
    addon_utils.enable(EXTENSION, default_set=True)
    from videomdm_blender.mannequin.build import build_mannequin

    open_panels()
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    armature = build_mannequin(window().scene)
    window().view_layer.objects.active = armature
    area().spaces.active.show_region_ui = True
    yield 1.0
    sidebar().active_panel_category = "VideoMDM"
    view = next(region for region in area().regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window(), area=area(), region=view):
        bpy.ops.view3d.view_all()
    yield DRAW_SECONDS
    screenshot("01_off")
    seen["no backend"] = refusal("generate")
    bpy.context.preferences.addons[EXTENSION].preferences.connection_file = PLAN["connection_file"]
    bpy.ops.ed.undo_push(message="Mannequin")
    yield from generating()
    yield from changing_the_take()
    yield from mapping()
    yield from editing_keypoints()
    yield from listing()


def generating() -> Iterator[float]:
    """Connect, generate, cancel, be refused, get a take."""
    from videomdm_blender.connection import hub
    from videomdm_blender.generate import jobs

    scene = window().scene
    yield from press("videomdm.connect", 0.6)
    yield from until(lambda: hub.hub.status.phase.name == "READY")
    yield DRAW_SECONDS
    screenshot("02_connected")
    seen["no footage"] = refusal("lift_footage")
    window().view_layer.objects.active = None
    seen["no armature"] = refusal("generate")
    window().view_layer.objects.active = rig()
    scene.videomdm.prompt = "a slow walk"
    yield from press("videomdm.generate", 0.4)
    yield from until(lambda: jobs.desk.current is not None and jobs.desk.current.fraction > 0.2)
    screenshot("03_running")
    do("cancel")
    yield from until(lambda: jobs.desk.current.ended)
    scene.videomdm.prompt = "refuse this"
    ended: list[bool] = []  # each time that the sidebar is drawn
    handler = bpy.types.SpaceView3D.draw_handler_add(
        lambda: ended.append(jobs.desk.current.ended), (), "UI", "POST_PIXEL"
    )
    do("generate")
    yield from until(lambda: jobs.desk.current.ended)
    yield DRAW_SECONDS
    bpy.types.SpaceView3D.draw_handler_remove(handler, "UI")
    seen["end shown"] = ended[-1]
    screenshot("04_refused")
    seen["no take"] = refusal("reapply_take")
    scene.videomdm.prompt = "a person walks forward"
    do("generate")
    yield from until(lambda: jobs.desk.error is None and jobs.desk.current.ended)
    seen["state"], seen["action"] = jobs.desk.current.state.name, action()
    yield DRAW_SECONDS
    screenshot("05_done")


def changing_the_take() -> Iterator[float]:
    """Every setting of the panel, every operator on the take, and back."""
    from videomdm_blender.generate import jobs

    first = action()
    take = window().scene.videomdm.take
    take.root, take.heading, take.interpolation, take.reduce_degrees = "object", True, "bezier", 1.0
    take.loop = "whole"
    yield DRAW_SECONDS
    screenshot("06_settings")
    do("reapply_take")
    reapplied = action()
    do("mirror_take")
    mirrored = action()
    do("loop_take", loop="best")
    looped = action()
    do("push_down_take")
    seen["pushed down"] = [track.name for track in rig().animation_data.nla_tracks]
    seen["actions"] = len({first, reapplied, mirrored, looped})
    back = []
    for _ in range(4):
        undo()
        back.append(action())
    seen["take undone"] = back == [looped, mirrored, reapplied, first]
    do("apply_take", index=0)
    yield DRAW_SECONDS
    screenshot("07_applied")
    undo()
    undo()
    seen["undone"] = not bpy.data.actions and "Mannequin" in bpy.data.objects
    jobs.desk.takes.clear()


def mapping() -> Iterator[float]:
    """Find the bones, correct one from the viewport, see what is wrong, save and load, choose by hand."""
    file = str(FOLDER / "mapping.json")
    do("mapping_find")
    yield DRAW_SECONDS
    screenshot("08_mapping")
    do("mapping_save", "EXEC_DEFAULT", filepath=file)
    rig().data.bones.active = rig().data.bones["RightHand"]
    do("mapping_add", slot="left_hand")
    do("mapping_pick", slot="left_hand", place=0)
    seen["wrong bone"] = rig().videomdm_mapping.problem
    yield DRAW_SECONDS
    screenshot("09_wrong_bone")
    undo()
    seen["bone undone"] = rig().videomdm_mapping.chain("left_hand")
    do("mapping_reset")
    seen["reset"] = not rig().videomdm_mapping.is_given
    do("mapping_choose")
    rig().videomdm_mapping.left_hand_0 = "LeftHand"
    yield DRAW_SECONDS
    screenshot("10_by_hand")
    do("mapping_mirror")
    seen["other side"] = rig().videomdm_mapping.chain("right_hand")
    do("mapping_load", "EXEC_DEFAULT", filepath=file)
    seen["loaded"] = rig().videomdm_mapping.problem == "" and rig().videomdm_mapping.chain("left_hand")


def editing_keypoints() -> Iterator[float]:
    """Points of a figure: one is clicked on, dragged, ignored; all is undone; and back."""
    from videomdm.keypoints import Keypoints
    from videomdm.keypoints.layout import COUNT
    from videomdm_blender.footage import points_ops
    from videomdm_blender.footage.read import read
    from videomdm_blender.footage.shown import keypoints_in
    from videomdm_blender.generate import jobs

    home, point = window().scene, "left_wrist"
    angles = np.linspace(0.0, 2 * np.pi, COUNT, endpoint=False)
    ring = np.stack([320 + 200 * np.cos(angles), 240 + 200 * np.sin(angles)], axis=-1).round()
    figure = Keypoints(ring[None].repeat(10, axis=0), np.full((10, COUNT), 0.6), 25.0, 640, 480)
    points_ops.arrive(figure, FOLDER / "ring.mp4", home.session_uid, rig().session_uid)
    jobs.push_undo("VideoMDM: ring keypoints")
    yield DRAW_SECONDS
    seen["keypoints"] = [window().scene.name, bpy.context.mode]
    armature = keypoints_in(window().scene)
    view = next(region for region in area().regions if region.type == "WINDOW")
    place = armature.matrix_world @ armature.pose.bones[point].head
    at = location_3d_to_region_2d(view, area().spaces.active.region_3d, place)
    x, y = view.x + round(at.x), view.y + round(at.y)
    for kind, value, dx in (
        ("MOUSEMOVE", "NOTHING", 0), ("LEFTMOUSE", "PRESS", 0), ("LEFTMOUSE", "RELEASE", 0), ("G", "PRESS", 0),
        ("G", "RELEASE", 0), ("MOUSEMOVE", "NOTHING", 40), ("LEFTMOUSE", "PRESS", 40), ("LEFTMOUSE", "RELEASE", 40),
    ):  # fmt: skip
        window().event_simulate(type=kind, value=value, x=x + dx, y=y)
        yield 0.3
    yield DRAW_SECONDS
    seen["clicked"] = bpy.context.active_pose_bone.name
    moved = read(keypoints_in(window().scene))
    seen["dragged"] = int((moved.points != figure.points).any(axis=-1).sum())
    do("ignore_keypoints")
    yield DRAW_SECONDS
    screenshot("11_keypoints")
    seen["ignored"] = int((read(keypoints_in(window().scene)).confidence == 0).sum())
    undo()
    seen["trusted again"] = int((read(keypoints_in(window().scene)).confidence == 1).sum())
    undo()
    seen["not dragged"] = read(keypoints_in(window().scene)).to_bytes() == figure.to_bytes()
    do("close_keypoints")
    seen["home"] = window().scene.name
    yield DRAW_SECONDS


def listing() -> Iterator[float]:
    """The backend's library, and the preferences."""
    from videomdm_blender.generate import jobs

    do("list_takes")
    yield from until(lambda: bool(jobs.desk.stored))
    yield DRAW_SECONDS
    screenshot("12_library")
    do("fetch_take", job=jobs.desk.stored[0].job)
    yield from until(lambda: jobs.desk.current.ended)
    seen["fetched"] = action()
    bpy.ops.preferences.addon_show(module=EXTENSION)
    yield 2 * DRAW_SECONDS
    screenshot("13_preferences")


def main() -> None:
    bpy.context.preferences.view.show_splash = False
    running = steps()

    def step() -> float | None:
        try:
            return next(running)
        except StopIteration:
            pass
        except BaseException:
            seen["error"] = traceback.format_exc()
            screenshot("error")
        (FOLDER / "seen.json").write_text(json.dumps(seen))
        sys.stdout.flush()
        os._exit(0)

    bpy.app.timers.register(step, first_interval=2.0)


main()
