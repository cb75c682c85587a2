# SPDX-License-Identifier: GPL-3.0-or-later
"""How a motion becomes a take: the one set of options that sidebar, command line and batch share."""

from __future__ import annotations

from dataclasses import dataclass

from videomdm.errors import UserError

ROOT_MODES = ("hips", "in-place", "bone", "object")
LOOPS = ("off", "whole", "best")
INTERPOLATIONS = ("linear", "bezier", "constant")
FINGERS = ("relaxed", "rest")
CHOICES = {"root": ROOT_MODES, "loop": LOOPS, "interpolation": INTERPOLATIONS, "fingers": FINGERS}
RANGES = {
    "loop_window": (0.0, 10.0),
    "reduce_degrees": (0.0, 45.0),
    "reduce_millimetres": (0.1, 1000.0),
    "blend_in": (0.0, 60.0),
    "blend_out": (0.0, 60.0),
}
"""What numbers may be, for whoever asks for them: sidebar, command line, batch lists and scripts."""


@dataclass(frozen=True)
class TakeSettings:
    """Everything about a take that is not the motion, the rig or the frame it starts on.

    Plain values only, so that it travels as JSON.  UserError where a value is none of those allowed.

    root:               who travels over the floor: the "hips" as in the motion; nobody ("in-place"); the rig's
                        root "bone" above the hips; or the armature "object".
    heading:            root bone and object also take over which way the character faces.
    mirror:             left and right change places.
    loop:               "off"; "whole": the clip's end is led back to its start; "best": so is the stretch of
                        the clip that repeats best, the rest is left out.
    loop_window:        seconds around the seam over which a loop's difference is spread.
    cycles:             loops get a Cycles modifier, so that they repeat for ever; travel goes on.
    reduce_degrees:     leave out keys as long as no bone turns by more than this away; 0 keeps a key on each
                        frame.
    reduce_millimetres: the same for places: of the body, and of feet that stand.
    interpolation:      between keys: "linear", "bezier" or "constant".
    blend_in:           seconds over which the take grows out of the animation that is there, from its start.
    blend_out:          seconds over which it returns to that animation, to its end.
    align:              a take that is blended in starts where the character stands, the way it faces.
    push_down:          the take becomes a strip on an NLA track of its own.
    fingers:            "relaxed": fingers that are at rest get one key of a hand that does nothing; those that
                        are posed or animated stay so.  "rest": all are left alone.
    """

    root: str = "hips"
    heading: bool = True
    mirror: bool = False
    loop: str = "off"
    loop_window: float = 0.4
    cycles: bool = False
    reduce_degrees: float = 0.0
    reduce_millimetres: float = 5.0
    interpolation: str = "linear"
    blend_in: float = 0.0
    blend_out: float = 0.0
    align: bool = True
    push_down: bool = False
    fingers: str = "relaxed"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} cannot be {getattr(self, name)!r}.",
                    f"Use one of {', '.join(allowed)}.",
                    "setting",
                )
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise UserError(f"{name} cannot be {value}.", f"Use {least:g} to {most:g}.", "setting")
        if self.reduce_degrees and self.interpolation == "constant":
            raise UserError(
                "Keys cannot be left out where poses are held.",
                "Choose linear or Bezier interpolation, or keep all keys.",
                "setting",
            )
        if self.loop != "off" and (self.blend_in or self.blend_out):
            raise UserError(
                "A loop cannot be blended with other animation: it would not close.",
                "Choose one of the two; an NLA strip can blend a loop.",
                "setting",
            )

    @property
    def blends(self) -> bool:
        """Whether the animation that is there has a say."""
        return self.blend_in > 0 or self.blend_out > 0
