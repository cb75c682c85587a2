# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand targets for a rig of any size: from where its hands are when it plays the motion without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..retarget.frames import inverse, rotate
from ..retarget.hands import HandTarget
from .battery import Grip
from .held import Hold
from .measures import Body
from .played import Watched


def targets(
    grips: Sequence[Grip], watched: Watched, body: Body
) -> tuple[tuple[HandTarget, ...], tuple[Hold, ...]]:
    """What to ask of the hands, and how it is measured whether they do it.

    body: the rig as it plays the motion without targets.
    """
    asked, holds = [], []
    for grip in grips:
        wrist = body.joints[f"{grip.side}_wrist"]
        start, end = (min(round(second * body.fps), len(wrist)) for second in (grip.start, grip.end))
        place = wrist[start] + np.array(grip.offset or (0.0, 0.0, 0.0))
        x, y, z = rotate(inverse(watched.stance.axes), place * watched.scale)
        there = None if grip.offset is None else (float(x), float(y), float(z))
        asked.append(HandTarget(grip.side, grip.start, grip.end, there))
        holds.append(Hold(grip.side, start, end, place, body.turns.get(f"{grip.side}_hand")))
    return tuple(asked), tuple(holds)
