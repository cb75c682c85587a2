# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a generation, saved with the scene."""

from __future__ import annotations

from typing import Literal

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from videomdm import limits, protocol

from ..controls.limb import Controls
from ..footage.property_group import VIDEOMDM_PG_footage, VIDEOMDM_PG_keypoints
from ..retarget import Options
from .take_settings import VIDEOMDM_PG_take

DEFAULTS = protocol.TextJob(prompt="")


class VIDEOMDM_PG_generate(bpy.types.PropertyGroup):
    """What is asked of the model.  The limits are those of ``videomdm.limits``."""

    prompt: StringProperty(
        name="Prompt",
        description="The motion in words",
        default="a person walks forward",
        maxlen=limits.MAX_PROMPT_CHARACTERS,
    )
    seconds: FloatProperty(
        name="Length",
        description="Length of the motion",
        default=DEFAULTS.seconds,
        min=limits.MIN_SECONDS,
        max=limits.MAX_SECONDS,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        precision=1,
        step=50,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed and settings give the same motion",
        default=DEFAULTS.seed,
        min=0,
        max=limits.MAX_SEED,
    )
    random_seed: BoolProperty(
        name="New Seed Each Time",
        description="Draw another seed for each generation, so that each gives another motion",
        default=True,
    )
    guidance: FloatProperty(
        name="Guidance",
        description="How closely the motion follows the words; high values exaggerate",
        default=DEFAULTS.guidance,
        min=0.0,
        max=limits.MAX_GUIDANCE,
        soft_max=7.5,
    )
    steps: IntProperty(
        name="Steps",
        description="Denoising steps; more take longer",
        default=DEFAULTS.steps,
        min=1,
        max=limits.MAX_STEPS,
        soft_max=100,
    )
    samples: IntProperty(
        name="Takes",
        description="Takes to make from the prompt; the first is applied, all are listed",
        default=DEFAULTS.samples,
        min=1,
        max=limits.MAX_SAMPLES,
    )

    controls: EnumProperty(
        name="Controls",
        description="Controls of arms and legs that takes key, on rigs that have both",
        items=[
            (Controls.FK.name, "FK", "FK controls; IK controls are left alone"),
            (Controls.IK.name, "IK", "IK hands, feet and poles; the limbs are switched to IK"),
            (Controls.BOTH.name, "Both", "FK and IK controls in the same pose; the limbs follow FK"),
        ],
        default=Controls.FK.name,
    )

    feet: EnumProperty(
        name="Plant Feet",
        description="Keep standing feet in place and out of the floor",
        items=[
            ("AUTO", "Where It Helps", "Where the take becomes better by every measure"),
            ("ALWAYS", "Always", "Also where legs must turn far for it"),
            ("NEVER", "Never", "The motion as it was made"),
        ],
        default="AUTO",
    )

    take: PointerProperty(type=VIDEOMDM_PG_take)
    footage: PointerProperty(type=VIDEOMDM_PG_footage)

    def retargeting(self) -> Options:
        """How takes are put on rigs, before anything that is asked for in :attr:`take`."""
        contact: dict[str, bool | Literal["auto"]] = {"AUTO": "auto", "ALWAYS": True, "NEVER": False}
        return Options(contact=contact[self.feet])

    def request(self) -> protocol.TextJob:
        """The settings as a job for the backend."""
        return protocol.TextJob(
            prompt=self.prompt,
            seconds=round(self.seconds, 3),
            seed=self.seed,
            guidance=round(self.guidance, 3),
            steps=self.steps,
            samples=self.samples,
        )


def settings(scene: bpy.types.Scene) -> VIDEOMDM_PG_generate:
    """The settings of a scene; the add-on must be registered."""
    found: VIDEOMDM_PG_generate = scene.videomdm  # type: ignore[attr-defined]  # registration adds it
    return found


def attach() -> None:
    """Give every scene its settings."""
    bpy.types.Scene.videomdm = bpy.props.PointerProperty(  # type: ignore[attr-defined]  # a property of ours
        type=VIDEOMDM_PG_generate
    )


def detach() -> None:
    """Take the settings off the scenes' type."""
    del bpy.types.Scene.videomdm  # type: ignore[attr-defined]  # a property of ours


CLASSES = (VIDEOMDM_PG_take, VIDEOMDM_PG_footage, VIDEOMDM_PG_keypoints, VIDEOMDM_PG_generate)
