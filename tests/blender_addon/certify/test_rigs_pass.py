# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs with other proportions than the motion's body keep every limit with default options, as Blender plays them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.blender_addon.support.stage_rigs import make_rigify

from videomdm_blender.certify.limits import broken

CONTACT = {
    "slide_mm": 2.0, "limb_median_deg": 0.5, "limb_direction_deg": 2.0, "held_place_mm": 10.0, "held_turn_deg": 2.0,
    "stretch_percent": 0.01, "penetration_mm": 15.0, "jitter_ratio": 1.3,
}  # fmt: skip


def examined(rig: Path, armature: str, battery: list[str]) -> dict[str, dict[str, Any]]:
    """What `videomdm certify` finds, motion by motion."""
    from videomdm_blender.certify.examination import perform

    answer = perform(
        {"rig": str(rig), "armature": armature, "mapping": "", "battery": battery, "clips": [],
         "fps": 20.0, "contact": "auto", "formats": [], "picture": ""}
    )  # fmt: skip
    found: dict[str, dict[str, Any]] = answer["clips"]
    return found


def check(clips: dict[str, dict[str, Any]]) -> None:
    for name, clip in clips.items():
        assert not broken(clip["measures"]), (name, clip)
        assert all(clip["measures"][key] <= most for key, most in CONTACT.items()), (
            "the limits stay as they are"
        )
        assert clip["changed"] == []


@pytest.mark.parametrize(
    ("name", "battery"),
    [
        ("CesiumMan.glb", ["walk", "turn"]),  # toes that begin beneath the ankle
        ("Example.vrm", ["walk"]),  # legs that are straight at rest
        ("human-kenney.glb", ["walk", "turn"]),  # wide hips, long soles
    ],
)
def test_feet_stand_and_limbs_keep_their_directions(
    bpy: Any, shared_data: Path, name: str, battery: list[str]
) -> None:
    clips = examined(shared_data / "rigs" / name, "", battery)
    check(clips)
    for clip in clips.values():
        assert clip["measures"]["leg_direction_deg"] > 0.05, "something was done"
        assert any("were cleaned up" in note for note in clip["notes"])


@pytest.mark.parametrize("armature", ["metarig", "rig"])
def test_a_rigify_human_squats_on_feet_that_stand(bpy: Any, tmp_path: Path, armature: str) -> None:
    path = make_rigify("basic_human", tmp_path / "rigify.blend")
    clips = examined(path, armature, ["squat", "hold"])
    check(clips)
    assert clips["squat"]["measures"]["slide_mm"] < 0.1
