# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers are found by name and by structure, and curl into the palm whatever the rig's axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm_blender.controls.fingers import finger_controls
from videomdm_blender.edit.fingers import find_hand
from videomdm_blender.edit.relaxed import in_axes_of, relaxed
from videomdm_blender.retarget.rig import RigRest
from videomdm_blender.rigs import auto_rig_pro

SIDES = ("left", "right")
FINGERS = ("thumb", "index", "middle", "ring", "little")
UP, FRONT = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
# Of a left hand that points to +X, palm down: where fingers begin from the wrist, and the way they go.
STARTS = {"thumb": (0.02, -0.025, 0.0), "index": (0.09, -0.03, 0.0), "middle": (0.095, -0.01, 0.0),
          "ring": (0.09, 0.01, 0.0), "little": (0.08, 0.03, 0.0)}  # fmt: skip
WAYS = {"thumb": (0.7, -0.7, -0.1), "index": (1.0, -0.1, 0.0), "middle": (1.0, 0.0, 0.0),
        "ring": (1.0, 0.1, 0.0), "little": (1.0, 0.2, 0.0)}  # fmt: skip
NAMES = {name: f"{name}.#" for name in FINGERS}


def arm(
    side: str = "left",
    names: Mapping[str, str] = NAMES,
    bend: float = 0.0,
    palm: bool = False,
    end: bool = False,
    turned: np.ndarray | None = None,
) -> RigRest:
    """A forearm and a hand with five fingers, rolls at random.

    bend:   degrees that each joint of the four fingers is bent by at rest.
    palm:   each of the four hangs on a bone in the palm; end: each has a last bone that marks its tip.
    turned: (4,) how the whole arm is turned.
    """
    bones: list[tuple[str, str, np.ndarray, np.ndarray]] = [
        ("forearm", "", np.array([0.0, 0.0, 0.0]), np.array([0.25, 0.0, 0.0])),
        ("hand", "forearm", np.array([0.25, 0.0, 0.0]), np.array([0.33, 0.0, 0.0])),
    ]
    wrist = bones[1][2]
    for finger in FINGERS:
        place, way = wrist + STARTS[finger], rotations.normalise(np.array(WAYS[finger]))
        parent = "hand"
        if palm and finger != "thumb":
            parent = f"palm {FINGERS.index(finger)}"
            bones.append((parent, "hand", wrist + 0.1 * np.array(STARTS[finger]), place))
        for joint in range(3 + end):
            if joint and finger != "thumb":
                axis = rotations.normalise(np.cross(way, -UP))
                way = rotations.rotate(rotations.from_axis_angle(axis, np.array(np.radians(bend))), way)
            name = names[finger].replace("#", str(joint + 1))
            bones.append((name, parent, place, place + 0.03 * way))
            place, parent = place + 0.03 * way, name
    sign = 1.0 if side == "left" else -1.0
    heads, tails = (np.array([bone[i] for bone in bones]) * (sign, 1.0, 1.0) for i in (2, 3))
    if turned is not None:
        heads, tails = (
            rotations.rotate(np.broadcast_to(turned, (len(bones), 4)), ends) for ends in (heads, tails)
        )
    order = [name for name, *_ in bones]
    count = len(bones)
    return RigRest(
        names=tuple(order),
        parents=tuple(order.index(parent) if parent else -1 for _, parent, *_ in bones),
        heads=heads,
        tails=tails,
        rotations=rotations.normalise(np.random.default_rng(3).normal(size=(count, 4))),
        pose=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        inherits=np.ones(count, bool),
        local_location=np.ones(count, bool),
        connected=np.zeros(count, bool),
        up=UP,
        front=FRONT,
    )


def played(rest: RigRest, poses: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bone -> (3,) its tail, as Blender would have it."""
    heads, turns, tails = {}, {}, {}
    for index, name in enumerate(rest.names):
        parent = rest.names[rest.parents[index]] if rest.parents[index] >= 0 else ""
        turn = turns[parent] if parent else np.array([1.0, 0.0, 0.0, 0.0])
        offset = rest.heads[index] - (rest.heads[rest.parents[index]] if parent else 0.0)
        heads[name] = (heads[parent] if parent else 0.0) + rotations.rotate(turn, offset)
        roll = rest.rotations[index]
        if name in poses:
            whole = rotations.multiply(rotations.multiply(turn, roll), poses[name])
            turn = rotations.multiply(whole, rotations.conjugate(roll))
        turns[name] = turn
        tails[name] = heads[name] + rotations.rotate(turn, rest.tails[index] - rest.heads[index])
    return tails


def poses_of(rest: RigRest, side: str) -> dict[str, np.ndarray]:
    hand = find_hand(rest, side, ("forearm", "hand"))
    assert hand is not None and len(hand.fingers) == 5
    return {bone: in_axes_of(rest, bone, turn) for bone, turn in relaxed(hand).items()}


TURNS = (None, (0.5, 0.5, 0.5, 0.5), (0.1, 0.7, -0.3, 0.64))


@pytest.mark.parametrize("turned", TURNS, ids=["", "lying", "anyhow"])
@pytest.mark.parametrize("side", SIDES)
def test_fingers_curl_into_the_palm(side: str, turned: tuple[float, ...] | None) -> None:
    turn = np.array([1.0, 0.0, 0.0, 0.0]) if turned is None else rotations.normalise(np.array(turned))
    rest = arm(side, turned=turn)
    tails = played(rest, poses_of(rest, side))
    back = rotations.conjugate(turn)
    deeper = []
    for finger in FINGERS:
        tip = f"{finger}.3"
        moved = rotations.rotate(back, tails[tip] - rest.tails[rest.index(tip)])
        assert moved[2] < -0.005, f"{finger} goes out of the palm"
        deeper.append(-moved[2])
    assert deeper[1] < deeper[2] < deeper[4], "the little finger curls more than the index finger"
    # No finger is broken: joints of the four bend by less than 45 degrees, those of the thumb by less than 20.
    for bone, pose in poses_of(rest, side).items():
        angle = np.degrees(2.0 * np.arccos(min(abs(pose[0]), 1.0)))
        assert angle < (20.0 if bone.startswith("thumb") else 45.0), bone


@pytest.mark.parametrize(
    "names",
    [
        {name: f"L_{name}_#" for name in FINGERS},
        {
            "thumb": "Finger0#",
            "index": "Finger1#",
            "middle": "Finger2#",
            "ring": "Finger3#",
            "little": "Finger4#",
        },
        {"thumb": "e#", "index": "d#", "middle": "c#", "ring": "b#", "little": "a#"},
    ],
    ids=["names", "numbers", "nothing"],
)
@pytest.mark.parametrize("more", [{}, {"palm": True}, {"end": True}, {"palm": True, "end": True}])
def test_they_are_found_with_and_without_names(names: Mapping[str, str], more: Mapping[str, bool]) -> None:
    rest = arm(names=names, **more)
    hand = find_hand(rest, "left", ("forearm", "hand"))
    assert hand is not None
    found = {finger.kind: finger.bones for finger in hand.fingers}
    wanted = {kind: tuple(names[kind].replace("#", str(joint)) for joint in (1, 2, 3)) for kind in FINGERS}
    assert found == wanted


def test_what_is_bent_at_rest_is_bent_no_further() -> None:
    straight, half, whole = (poses_of(arm(bend=bend), "left") for bend in (0.0, 15.0, 60.0))
    angles = [2.0 * np.arccos(min(poses["middle.2"][0], 1.0)) for poses in (straight, half, whole)]
    assert angles[1] == pytest.approx(angles[0] - np.radians(15.0), abs=1e-3) and angles[2] < 1e-6


def test_fingers_bent_backwards_are_left_alone() -> None:
    hand = find_hand(arm(bend=-25.0), "left", ("forearm", "hand"))
    assert hand is not None and relaxed(hand) == {}


def test_without_a_thumb_or_with_a_mitten_nothing_is_guessed() -> None:
    rest = arm(names={name: f"{name[0]}#" for name in FINGERS})
    keep = [i for i, name in enumerate(rest.names) if not name.startswith("t")]
    names = tuple(rest.names[i] for i in keep)
    parents = tuple(names.index(rest.names[rest.parents[i]]) if rest.parents[i] >= 0 else -1 for i in keep)
    rows = {key: getattr(rest, key)[keep] for key in ("heads", "tails", "rotations", "pose", "inherits",
            "local_location", "connected")}  # fmt: skip
    assert find_hand(replace(rest, names=names, parents=parents, **rows), "left", ("forearm", "hand")) is None
    first = {"index": ("index.1",), "thumb": ("thumb.1",)}
    assert find_hand(arm(), "left", ("forearm", "hand"), first) is None


# Auto-Rig Pro: what its game exports leave, universal and humanoid, and the controls that an animator has.
ARP_UNIVERSAL = {"thumb": ("thumb1.l", "c_thumb2.l", "c_thumb3.l")} | {
    kind: (f"{word}1.l", f"c_{word}2.l", f"c_{word}3.l")
    for kind, word in (("index", "index"), ("middle", "middle"), ("ring", "ring"), ("little", "pinky"))
}
ARP_CONTROLS = {
    kind: tuple(f"c_{name.removeprefix('c_')}" for name in names) for kind, names in ARP_UNIVERSAL.items()
}


@pytest.mark.parametrize("palm", [False, True], ids=["", "bases"])
@pytest.mark.parametrize(
    ("names", "named"),
    [(ARP_UNIVERSAL, False), (ARP_CONTROLS, False), (ARP_CONTROLS, True)],
    ids=["universal", "humanoid", "controls"],
)
def test_those_of_auto_rig_pro(names: dict[str, tuple[str, ...]], named: bool, palm: bool) -> None:
    """``hand.l > c_index1_base.l > index1.l > c_index2.l > c_index3.l``; of controls the third is ``c_index1.l``."""
    new = {f"{kind}.{joint + 1}": bone for kind, bones in names.items() for joint, bone in enumerate(bones)}
    new |= {
        f"palm {FINGERS.index(kind)}": f"c_{names[kind][0].removeprefix('c_')[:-2]}_base.l"
        for kind in FINGERS
    }
    rest = arm(palm=palm)
    rest = replace(rest, names=tuple(new.get(name, name) for name in rest.names))
    assert palm == ("c_index1_base.l" in rest.names) == ("c_pinky1_base.l" in rest.names)
    controls = finger_controls(auto_rig_pro.CONTROLS.key, "left")
    assert controls == ARP_CONTROLS and finger_controls(auto_rig_pro.FAMILY.key, "left") is None
    hand = find_hand(rest, "left", ("forearm", "hand"), controls if named else None)
    assert hand is not None
    assert {finger.kind: finger.bones for finger in hand.fingers} == names
    assert set(relaxed(hand)) == {bone for bones in names.values() for bone in bones}
