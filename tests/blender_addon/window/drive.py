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

EXTENSION = "bl_ext.user_default.videomdm"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
PLAN = json.loads((FOLDER / "plan.json").read_text())
DRAW_SECONDS = 2.0  # of a software renderer
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


def press(operator: str) -> Iterator[float]:
    """Find the sidebar's button for an operator with the mouse, and click on it."""
    region = sidebar()
    rows = range(region.y + region.height - 10, region.y, -12)
    columns = [region.x + int(region.width * share) for share in (0.3, 0.7)]
    for x, y in itertools.product(columns, rows):
        window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        yield 0.05
        bpy.context.window_manager.clipboard = ""
        with bpy.context.temp_override(window=window(), area=area(), region=region):
            if bpy.ops.ui.copy_python_command_button.poll():
                bpy.ops.ui.copy_python_command_button()
        if bpy.context.window_manager.clipboard == f"bpy.ops.{operator}()":
            window().event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=y)
            yield 0.1
            window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=x, y=y)
            return
    raise LookupError(f"the sidebar has no button for {operator}")


def until(condition: Callable[[], bool], seconds: float = 30.0) -> Iterator[float]:
    """Wait for a condition."""
    waited = 0.0
    while not condition():
        if waited > seconds:
            raise TimeoutError(str(condition))
        yield 0.1
        waited += 0.1


def steps() -> Iterator[float]:
    addon_utils.enable(EXTENSION, default_set=True)
    from videomdm_blender.connection import hub
    from videomdm_blender.generate import jobs
    from videomdm_blender.mannequin.build import build_mannequin

    library_panel = bpy.types.VIDEOMDM_PT_library
    bpy.utils.unregister_class(library_panel)
    library_panel.bl_options = set()  # open from the start
    bpy.utils.register_class(library_panel)
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    scene = window().scene
    armature = build_mannequin(scene)
    window().view_layer.objects.active = armature
    area().spaces.active.show_region_ui = True
    yield 1.0
    sidebar().active_panel_category = "VideoMDM"
    view = next(region for region in area().regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window(), area=area(), region=view):
        bpy.ops.view3d.view_all()
    yield 1.0
    screenshot("1_off")
    bpy.context.preferences.addons[EXTENSION].preferences.connection_file = PLAN["connection_file"]
    bpy.ops.ed.undo_push(message="Mannequin")
    yield from press("videomdm.connect")
    yield from until(lambda: hub.hub.status.phase.name == "READY")
    yield DRAW_SECONDS
    screenshot("2_connected")
    scene.videomdm.prompt = "a slow walk"
    yield from press("videomdm.generate")
    yield from until(lambda: jobs.desk.current is not None and jobs.desk.current.fraction > 0.2)
    screenshot("3_running")
    jobs.cancel(jobs.desk.current)
    yield from until(lambda: jobs.desk.current.ended)
    yield DRAW_SECONDS
    scene.videomdm.prompt = "refuse this"
    yield from press("videomdm.generate")
    yield from until(lambda: jobs.desk.current.ended)
    yield DRAW_SECONDS
    screenshot("4_refused")
    scene.videomdm.prompt = "a person walks forward"
    yield from press("videomdm.generate")
    yield from until(lambda: jobs.desk.error is None and jobs.desk.current.ended)
    seen["state"] = jobs.desk.current.state.name
    seen["action"] = armature.animation_data.action.name
    yield DRAW_SECONDS
    screenshot("5_done")
    name = armature.name
    bpy.ops.ed.undo()  # after it, what Python held of the scene is gone
    seen["undone"] = not bpy.data.actions and name in bpy.data.objects
    jobs.desk.takes.clear()
    yield DRAW_SECONDS
    yield from press("videomdm.list_takes")
    yield from until(lambda: bool(jobs.desk.stored))
    yield DRAW_SECONDS
    screenshot("6_library")
    bpy.ops.preferences.addon_show(module=EXTENSION)
    yield 2 * DRAW_SECONDS
    screenshot("7_preferences")


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
