# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of commands that make takes; they arrive as one :class:`~.edit.settings.TakeSettings`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from videomdm.errors import UserError

from .edit.settings import CHOICES, RANGES, TakeSettings

DEFAULTS = TakeSettings()
SECONDS = click.FloatRange(*RANGES["blend_in"])
OPTIONS = (
    click.option("--in-place", is_flag=True, help="Leave out the travel over the floor."),
    click.option(
        "--root-motion",
        type=click.Choice(["hips", "bone", "object"]),
        default=DEFAULTS.root,
        show_default=True,
        help="Who travels over the floor: the hips, the rig's root bone above them, or the armature object.",
    ),
    click.option(
        "--heading/--no-heading",
        default=DEFAULTS.heading,
        show_default=True,
        help="Root bone or object also turn with the character.",
    ),
    click.option("--mirror", is_flag=True, help="Left and right change places."),
    click.option(
        "--loop",
        type=click.Choice(CHOICES["loop"]),
        default=DEFAULTS.loop,
        show_default=True,
        help="Close the whole clip, or the stretch of it that repeats best, so that its end is its beginning.",
    ),
    click.option(
        "--loop-window",
        type=click.FloatRange(*RANGES["loop_window"]),
        default=DEFAULTS.loop_window,
        show_default=True,
        help="Seconds around a loop's seam that take up the difference.",
    ),
    click.option("--cycles", is_flag=True, help="Let a loop repeat for ever by modifiers on its curves."),
    click.option(
        "--reduce",
        "reduce_degrees",
        type=click.FloatRange(*RANGES["reduce_degrees"]),
        default=DEFAULTS.reduce_degrees,
        show_default=True,
        metavar="DEG",
        help="Leave out keys as long as no bone turns by more than this away; 0 keeps all.",
    ),
    click.option(
        "--reduce-mm",
        "reduce_millimetres",
        type=click.FloatRange(*RANGES["reduce_millimetres"]),
        default=DEFAULTS.reduce_millimetres,
        show_default=True,
        metavar="MM",
        help="With --reduce: how far body and standing feet may be away.",
    ),
    click.option(
        "--interpolation",
        type=click.Choice(CHOICES["interpolation"]),
        default=DEFAULTS.interpolation,
        show_default=True,
        help="Between keys.",
    ),
    click.option(
        "--blend-in",
        type=SECONDS,
        default=DEFAULTS.blend_in,
        show_default=True,
        help="Seconds over which the take grows out of the rig's own animation.",
    ),
    click.option(
        "--blend-out",
        type=SECONDS,
        default=DEFAULTS.blend_out,
        show_default=True,
        help="Seconds over which it returns to that animation.",
    ),
    click.option(
        "--align/--no-align",
        default=DEFAULTS.align,
        show_default=True,
        help="With --blend-in: start where the character stands, facing as it does.",
    ),
    click.option(
        "--fingers",
        type=click.Choice(CHOICES["fingers"]),
        default=DEFAULTS.fingers,
        show_default=True,
        help="Relax fingers that nobody has posed, or leave all at rest.",
    ),
    click.option("--nla", "push_down", is_flag=True, help="Make the take a strip on an NLA track (.blend)."),
)


def take_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above; its function gets them as ``settings``."""

    @wraps(function)
    def command(*arguments: Any, in_place: bool, root_motion: str, **rest: Any) -> None:
        if in_place and root_motion != DEFAULTS.root:
            raise UserError(
                "--in-place leaves the travel out, --root-motion hands it on.",
                "Use one of the two.",
                "setting",
            )
        chosen = {name: rest.pop(name) for name in list(rest) if name in DEFAULTS.__dataclass_fields__}
        root = "in-place" if in_place else root_motion
        function(*arguments, settings=TakeSettings(root=root, **chosen), **rest)

    for option in reversed(OPTIONS):
        command = option(command)
    return command
