# SPDX-License-Identifier: GPL-3.0-or-later
"""How events reach Blender's main thread, and the operators of the connection."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from videomdm import protocol

PATIENCE = 60.0  # of a busy machine


def test_pump_keeps_its_budget(connected: Any) -> None:
    heard = []

    def slow(event: object) -> None:
        heard.append(event)
        time.sleep(0.02)

    connected.hub.listeners.append(slow)
    for _ in range(50):
        connected.hub.session.events.put(protocol.Accepted(protocol.new_job_id()))
    started = time.monotonic()
    connected.pump(0.05)
    assert time.monotonic() - started < 0.2
    assert 0 < len(heard) < 10
    assert connected.wait(lambda: len(heard) == 50, PATIENCE)


def test_wait_gives_up(connected: Any) -> None:
    started = time.monotonic()
    assert connected.wait(lambda: False, 0.2) is False
    assert 0.2 <= time.monotonic() - started < 1.0


def test_the_timer_survives_a_fault(connected: Any, caplog: pytest.LogCaptureFixture) -> None:
    def faulty(event: object) -> None:
        raise RuntimeError("a fault of ours")

    connected.hub.listeners.append(faulty)
    connected.hub.session.events.put(protocol.Accepted(protocol.new_job_id()))
    assert connected._tick() > 0
    assert "a fault of ours" in caplog.text


def test_the_timer_runs_and_is_quick_only_when_needed(bpy: Any, connected: Any) -> None:
    assert bpy.app.timers.is_registered(connected._tick)
    assert connected._tick() == connected.BUSY_SECONDS
    connected.disconnect(wait=True)
    assert connected.wait(lambda: connected.hub.session is None, PATIENCE)
    assert connected._tick() == connected.IDLE_SECONDS


def test_operators_connect_and_disconnect(
    bpy: Any, addon: None, puppet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase

    monkeypatch.setenv("VIDEOMDM_DATA", str(puppet.parent))
    assert bpy.ops.videomdm.connect() == {"FINISHED"}
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    with pytest.raises(RuntimeError, match="connection already"):
        bpy.ops.videomdm.connect()
    bpy.ops.videomdm.disconnect()
    assert hub.wait(lambda: hub.hub.session is None, PATIENCE)
    assert hub.hub.status.phase is Phase.OFF
    # A backend that runs already is used, not started a second time.
    assert bpy.ops.videomdm.start_backend() == {"FINISHED"}
    assert hub.hub.session is not None and hub.hub.session.backend is None
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)


def test_the_sidebar_starts_and_stops_a_backend(
    bpy: Any, addon: None, puppet_data: Path, serve_command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from videomdm_blender import preferences
    from videomdm_blender.connection import hub, ops
    from videomdm_blender.connection.session import Phase

    chosen = preferences.Choices(None)
    chosen.backend_python = serve_command[0]
    monkeypatch.setattr(ops, "choices", lambda context: chosen)
    assert bpy.ops.videomdm.start_backend() == {"FINISHED"}
    assert hub.hub.status.phase is Phase.STARTING and hub.hub.status.local
    assert hub.wait(lambda: hub.hub.status.phase is Phase.READY, PATIENCE)
    bpy.ops.videomdm.disconnect()
    assert hub.hub.status.phase is Phase.STOPPING
    assert hub.wait(lambda: hub.hub.session is None, PATIENCE)
    assert hub.hub.status.phase is Phase.OFF
    assert not (puppet_data / "connection.json").exists()  # it ended in good order
    assert (puppet_data / "backend.log").exists()


def test_a_backend_that_cannot_start_says_why(
    bpy: Any, addon: None, puppet_data: Path, serve_command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from videomdm_blender.connection import hub
    from videomdm_blender.connection.session import Phase

    monkeypatch.setenv("VIDEOMDM_PIPELINE", "no_such_module:Pipeline")
    hub.start_backend(serve_command, puppet_data / "connection.json", puppet_data / "log")
    assert hub.wait(lambda: hub.hub.session is None, PATIENCE)
    assert hub.hub.status.phase is Phase.FAILED
    assert "no_such_module" in str(hub.hub.status.error)


def test_unregistering_leaves_nothing(bpy: Any, scene: Any, puppet: Path) -> None:
    import videomdm_blender
    from videomdm_blender.connection import hub

    threads = threading.active_count()
    for _ in range(2):
        videomdm_blender.register()
        assert hasattr(bpy.types, "VIDEOMDM_PT_generate") and hasattr(bpy.types.Scene, "videomdm")
        hub.connect(puppet)
        videomdm_blender.unregister()
        assert not [name for name in dir(bpy.types) if name.startswith("VIDEOMDM_")]
        assert not hasattr(bpy.types.Scene, "videomdm")
        assert not bpy.app.timers.is_registered(hub._tick)
        assert hub.hub.session is None and hub.hub.listeners == [] and hub.hub.chores == []
        assert threading.active_count() == threads


def test_preferences_of_the_enabled_add_on(bpy: Any, tmp_path: Path) -> None:
    import addon_utils

    from videomdm_blender.preferences import choices

    assert choices(bpy.context).model == "base"
    assert addon_utils.enable("videomdm_blender", default_set=True) is not None
    try:
        found = bpy.context.preferences.addons["videomdm_blender"].preferences
        found.backend_python, found.device = str(tmp_path / "python"), "cpu"
        chosen = choices(bpy.context)
        assert chosen.backend_python == str(tmp_path / "python") and chosen.device == "cpu"
    finally:
        addon_utils.disable("videomdm_blender", default_set=True)
