# SPDX-License-Identifier: GPL-3.0-or-later
"""All families; of two that fit a rig equally well the earlier one names it."""

from . import (
    acclaim,
    auto_rig_pro,
    biped,
    character_creator,
    cmu,
    daz,
    daz9,
    makehuman,
    mixamo,
    plain,
    ready_player_me,
    rigify,
    rigify_meta,
    smpl,
    unity,
    unreal,
    vrm,
)
from .family import Family

FAMILIES: tuple[Family, ...] = (
    rigify.FAMILY,
    auto_rig_pro.CONTROLS,
    rigify_meta.FAMILY,
    vrm.FAMILY,
    unreal.FAMILY,
    mixamo.FAMILY,
    ready_player_me.FAMILY,
    cmu.FAMILY,
    unity.FAMILY,
    biped.FAMILY,
    character_creator.FAMILY,
    daz.FAMILY,
    daz9.FAMILY,
    makehuman.FAMILY,
    auto_rig_pro.FAMILY,
    smpl.FAMILY,
    smpl.LONG_NAMES,
    acclaim.FAMILY,
    plain.FAMILY,
)


def family_called(key: str) -> Family | None:
    """The family with the given key."""
    return next((family for family in FAMILIES if family.key == key), None)
