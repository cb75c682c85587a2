# SPDX-License-Identifier: GPL-3.0-or-later
"""Variants of rigs whose true mapping is known: renamed, resized, turned, posed, with bones more or fewer.

Everything here is plain data (``RigRest``); Blender is not needed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from videomdm.motion import rotations
from videomdm_blender.mannequin.bones import BONES
from videomdm_blender.retarget import RigRest
from videomdm_blender.retarget.slots import SIDES

Table = dict[str, tuple[str, ...]]
FOLLOWING = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Case:
    """A rig and its true mapping.

    humanoid: the table of humanoid bones that its file declares, if it does.
    """

    rest: RigRest
    truth: Table
    humanoid: dict[str, str] | None = None


@dataclass(frozen=True)
class Row:
    """One bone; places in armature space."""

    name: str
    parent: str
    head: np.ndarray
    tail: np.ndarray
    rotation: np.ndarray


Change = Callable[[Case], Case]


def mannequin() -> Case:
    """The project's own character."""
    rows = [
        Row(b.name, b.parent, np.array(b.head), np.array(b.tail), np.array([1.0, 0.0, 0.0, 0.0]))
        for b in BONES
    ]
    truth: Table = {
        "hips": ("Hips",),
        "spine": ("Spine", "Spine1", "Spine2"),
        "neck": ("Neck",),
        "head": ("Head",),
    }
    parts = {
        "collar": "Shoulder", "upper_arm": "Arm", "forearm": "ForeArm", "hand": "Hand",
        "thigh": "UpLeg", "shin": "Leg", "foot": "Foot", "toe": "ToeBase",
    }  # fmt: skip
    truth |= {f"{side}_{part}": (side.title() + bone,) for side in SIDES for part, bone in parts.items()}
    return Case(rest_of(rows, np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])), truth)


def _rows(rest: RigRest) -> list[Row]:
    parents = ["" if parent < 0 else rest.names[parent] for parent in rest.parents]
    arrays = zip(rest.names, parents, rest.heads, rest.tails, rest.rotations, strict=True)
    return [Row(*row) for row in arrays]


def rest_of(rows: Iterable[Row], up: np.ndarray, front: np.ndarray) -> RigRest:
    """The bones in an order in which parents come first; children are ordered as in ``rows``."""
    below: dict[str, list[Row]] = {}
    for row in rows:
        below.setdefault(row.parent, []).append(row)
    ordered: list[Row] = []
    waiting = below.get("", [])[::-1]
    while waiting:
        ordered.append(waiting.pop())
        waiting += below.get(ordered[-1].name, [])[::-1]
    index = {row.name: number for number, row in enumerate(ordered)} | {"": -1}
    assert len(index) == len(ordered) + 1 == sum(map(len, below.values())) + 1
    count = len(ordered)
    return RigRest(
        names=tuple(row.name for row in ordered),
        parents=tuple(index[row.parent] for row in ordered),
        heads=np.array([row.head for row in ordered], float),
        tails=np.array([row.tail for row in ordered], float),
        rotations=np.array([row.rotation for row in ordered], float),
        pose=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        inherits=np.ones(count, bool),
        local_location=np.ones(count, bool),
        connected=np.zeros(count, bool),
        up=up,
        front=front,
    )


def _rebuilt(case: Case, rows: Iterable[Row], **truth: tuple[str, ...]) -> Case:
    return replace(
        case,
        rest=rest_of(rows, case.rest.up, case.rest.front),
        truth={slot: chain for slot, chain in (case.truth | truth).items() if chain},
    )


def _turned(q: np.ndarray, points: np.ndarray) -> np.ndarray:
    return rotations.rotate(np.broadcast_to(q, (*points.shape[:-1], 4)), points)


# Names


def renamed(name: Callable[[str], str]) -> Change:
    """Other names; the truth follows."""

    def change(case: Case) -> Case:
        new = {old: name(old) for old in case.rest.names}
        assert len(set(new.values())) == len(new)
        table = case.humanoid and {bone: new[node] for bone, node in case.humanoid.items() if node in new}
        return Case(
            replace(
                case.rest,
                names=tuple(new.values()),
                copies={
                    new[bone]: tuple((new.get(target, target), share) for target, share in copies)
                    for bone, copies in case.rest.copies.items()
                },
                settings={new[bone]: settings for bone, settings in case.rest.settings.items()},
            ),
            {slot: tuple(new[bone] for bone in chain) for slot, chain in case.truth.items()},
            table,
        )

    return change


def _nonsense(name: str) -> str:
    return f"n{zlib.crc32(name.encode()):08x}"


def _other_side(name: str) -> str:
    """The name of the other side: Left and Right, left and right, l and r, L and R change places."""
    swapped = re.sub(r"left|right", lambda m: "right" if m[0] == "left" else "left", name)
    swapped = re.sub(r"Left|Right", lambda m: "Right" if m[0] == "Left" else "Left", swapped)
    return re.sub(
        r"(?<![A-Za-z])[lLrR](?![a-z])|^[lr](?=[A-Z])",
        lambda m: m[0].translate(str.maketrans("lLrR", "rRlL")),
        swapped,
    )


nonsense = renamed(_nonsense)
other_sides = renamed(_other_side)


def undeclared(case: Case) -> Case:
    """Without the table of a VRM file: only the bones can tell."""
    return replace(case, humanoid=None)


# Places


def scaled(factor: float) -> Change:
    """Another unit."""

    def change(case: Case) -> Case:
        return replace(
            case, rest=replace(case.rest, heads=case.rest.heads * factor, tails=case.rest.tails * factor)
        )

    return change


def turned(axis: tuple[float, float, float], degrees: float, *, back: bool = False) -> Change:
    """The bones turned inside the armature; ``back``: and the object turned back, so that it looks the same."""
    q = rotations.from_axis_angle(np.array(axis), np.array(np.radians(degrees)))

    def change(case: Case) -> Case:
        rest = case.rest
        moved = replace(
            rest,
            heads=_turned(q, rest.heads),
            tails=_turned(q, rest.tails),
            rotations=rotations.multiply(np.broadcast_to(q, rest.rotations.shape), rest.rotations),
        )
        if back:
            moved = replace(moved, up=np.round(_turned(q, rest.up)), front=np.round(_turned(q, rest.front)))
        return replace(case, rest=moved)

    return change


def laid_down(case: Case) -> Case:
    """The object turned by 90 degrees: the character lies on its back in the scene."""
    return replace(case, rest=replace(case.rest, up=case.rest.front, front=-case.rest.up))


def aimed(**directions: tuple[float, float, float]) -> Change:
    """Limbs pointed and the pose made the rest pose; slot -> direction (left, up, forward) of its first bone.

    Directions of right limbs are mirrored: the first number points away from the body.
    """

    def change(case: Case) -> Case:
        body = _body_axes(case)
        for slot, direction in directions.items():
            side, part = slot.split("_", 1)
            wanted = np.array(direction) * ((1.0 if side == "left" else -1.0), 1.0, 1.0)
            case = _swung(case, case.truth[slot][0], case.truth[f"{side}_{FOLLOWING[part]}"], wanted @ body)
        return case

    return change


def _swung(case: Case, bone: str, tip: tuple[str, ...], direction: np.ndarray) -> Case:
    """The bone and all below turned so that the line to ``tip`` points into ``direction``."""
    rest = case.rest
    at = rest.index(bone)
    below = [i for i, name in enumerate(rest.names) if name == bone or bone in rest.ancestors(name)]
    line = rest.head(tip[0]) - rest.heads[at]
    q = rotations.between(line / np.linalg.norm(line), direction / np.linalg.norm(direction))
    heads, tails, spun = rest.heads.copy(), rest.tails.copy(), rest.rotations.copy()
    heads[below] = rest.heads[at] + _turned(q, heads[below] - rest.heads[at])
    tails[below] = rest.heads[at] + _turned(q, tails[below] - rest.heads[at])
    spun[below] = rotations.multiply(np.broadcast_to(q, (len(below), 4)), spun[below])
    return replace(case, rest=replace(rest, heads=heads, tails=tails, rotations=spun))


def _body_axes(case: Case) -> np.ndarray:
    """(3, 3) rows: the body's left, up and forward in armature space."""
    rest = case.rest
    mid = {
        part: np.mean([rest.head(case.truth[f"{side}_{part}"][0]) for side in SIDES], axis=0)
        for part in ("upper_arm", "thigh")
    }
    up = mid["upper_arm"] - mid["thigh"]
    up = up / np.linalg.norm(up)
    left = rest.head(case.truth["left_upper_arm"][0]) - rest.head(case.truth["right_upper_arm"][0])
    left = left - (left @ up) * up
    left = left / np.linalg.norm(left)
    return np.array([left, up, np.cross(left, up)])


def grown(**factors: float) -> Change:
    """Other proportions: part of the body -> how long the way to where it begins becomes.

    What lies along the way, as twist bones do, goes with it.
    """

    def change(case: Case) -> Case:
        rest = case.rest
        parts: dict[str, str] = {}
        for slot, chain in case.truth.items():
            part = slot.split("_", 1)[-1]
            after = FOLLOWING.get(part, part)
            parts |= {chain[0]: part} | dict.fromkeys(chain[1:], after)
            if part in FOLLOWING:
                children = [rest.names[child] for bone in chain for child in rest.children[rest.index(bone)]]
                parts = dict.fromkeys(children, after) | parts
        heads, tails = rest.heads.copy(), rest.tails.copy()
        for index, (name, parent) in enumerate(zip(rest.names, rest.parents, strict=True)):
            factor = factors.get(parts.get(name, ""), 1.0)
            if parent >= 0:
                heads[index] = heads[parent] + (rest.heads[index] - rest.heads[parent]) * factor
            tails[index] = heads[index] + (rest.tails[index] - rest.heads[index]) * factor
        return replace(case, rest=replace(rest, heads=heads, tails=tails))

    return change


def swollen(**factors: float) -> Change:
    """Parts of the body with all that hangs on them, but for other parts: part -> how large they become."""

    def change(case: Case) -> Case:
        rest = case.rest
        heads, tails = rest.heads.copy(), rest.tails.copy()
        mapped = {bone for chain in case.truth.values() for bone in chain}
        for slot, chain in case.truth.items():
            factor = factors.get(slot.split("_", 1)[-1])
            if factor is None:
                continue
            at, origin = rest.index(chain[-1]), heads[rest.index(chain[-1])].copy()
            beside = [
                index
                for index, name in enumerate(rest.names)
                if chain[-1] in rest.ancestors(name) and not {name, *_up_to(rest, name, chain[-1])} & mapped
            ]
            heads[beside] = origin + (heads[beside] - origin) * factor
            for index in (at, *beside):
                tails[index] = origin + (tails[index] - origin) * factor
        return replace(case, rest=replace(rest, heads=heads, tails=tails))

    return change


def _up_to(rest: RigRest, name: str, carrier: str) -> list[str]:
    """The bones between a bone and one that it hangs on."""
    line = rest.ancestors(name)
    return line[: line.index(carrier)]


# Bones more or fewer


def without(*parts: str) -> Change:
    """Without parts of the body; what hung on them hangs on their parents.

    With the toes goes what hung on them, and with the neck an end bone on the head: above the arms, two bones
    in a row are neck and head.
    """

    def change(case: Case) -> Case:
        gone = {
            bone for slot, chain in case.truth.items() if slot.split("_", 1)[-1] in parts for bone in chain
        }
        empty: Table = {slot: () for slot, chain in case.truth.items() if chain and chain[0] in gone}
        lasting = {row.name: row for row in _rows(case.rest)}

        def above(name: str) -> str:
            while name in gone:
                name = lasting[name].parent
            return name

        if "toe" in parts:
            toes = {case.truth[f"{side}_toe"][0] for side in SIDES}
            gone |= {row.name for row in lasting.values() if row.parent in toes}
        if "neck" in parts:
            on_head = [row.name for row in lasting.values() if row.parent == case.truth["head"][0]]
            gone |= set(on_head if len(on_head) == 1 else ())
        rows = [replace(row, parent=above(row.parent)) for row in lasting.values() if row.name not in gone]
        case = replace(case, truth=case.truth | empty)
        if case.humanoid:
            kept = {bone: node for bone, node in case.humanoid.items() if node not in gone}
            case = replace(case, humanoid=kept)
        return _rebuilt(case, rows)

    return change


def spine_of(count: int) -> Change:
    """As many spine bones: merged from below, or the longest split in two until there are enough."""

    def change(case: Case) -> Case:
        rows = {row.name: row for row in _rows(case.rest)}
        chain = list(case.truth["spine"])
        top = np.mean([case.rest.head(case.truth[f"{side}_upper_arm"][0]) for side in SIDES], axis=0)
        while len(chain) > count:
            gone = rows.pop(chain.pop(1))
            for name, row in rows.items():
                if row.parent == gone.name:
                    rows[name] = replace(row, parent=gone.parent)
        while len(chain) < count:
            ends = [*(rows[bone].head for bone in chain[1:]), top]
            lengths = [np.linalg.norm(end - rows[b].head) for b, end in zip(chain, ends, strict=True)]
            at = int(np.argmax(lengths))
            upper = rows[chain[at]]
            middle = (upper.head + ends[at]) / 2
            new = Row(f"{upper.name}_{len(chain)}up", upper.name, middle, ends[at], upper.rotation)
            for name, row in rows.items():
                if row.parent == upper.name and (at + 1 == len(chain) or name == chain[at + 1]):
                    rows[name] = replace(row, parent=new.name)
            rows[upper.name] = replace(upper, tail=middle)
            rows[new.name] = new
            chain.insert(at + 1, new.name)
        table = case.humanoid and {bone: node for bone, node in case.humanoid.items() if node in rows}
        return _rebuilt(replace(case, humanoid=table), rows.values(), spine=tuple(chain))

    return change


def with_leaves(case: Case, parent: str, *names: str, place: np.ndarray | None = None) -> Case:
    """Bones without children on ``parent``, at its head or at a place."""
    place = case.rest.head(parent) if place is None else place
    size = float(np.max(np.ptp(case.rest.heads, axis=0)))
    leaves = [_leaf(name, parent, place, np.array([0.0, 0.0, 0.02 * size])) for name in names]
    return _rebuilt(case, [*_rows(case.rest), *leaves])


def with_twists(case: Case) -> Case:
    """Twist bones beside the limbs, one at the start and one half way."""
    rows = _rows(case.rest)
    for side in SIDES:
        for part, after in (
            ("upper_arm", "forearm"),
            ("forearm", "hand"),
            ("thigh", "shin"),
            ("shin", "foot"),
        ):
            bone, end = case.truth[f"{side}_{part}"][0], case.rest.head(case.truth[f"{side}_{after}"][0])
            head = case.rest.head(bone)
            for number, share in enumerate((0.0, 0.5)):
                start = head + share * (end - head)
                rows.append(_leaf(f"{bone}_twist{number}", bone, start, 0.2 * (end - head)))
    return _rebuilt(case, rows)


def with_controls(case: Case) -> Case:
    """IK targets for hands and feet and poles for elbows and knees, all on a root bone on the floor."""
    body, size = _body_axes(case), float(np.max(np.ptp(case.rest.heads, axis=0)))
    rows = _rows(case.rest)
    floor = case.rest.head(case.truth["hips"][0]) - body[1] * size / 2
    rows.append(_leaf("ctrl_root", "", floor, 0.2 * size * body[2]))
    for side in SIDES:
        for part, forward in (("hand", 0.0), ("foot", 0.0), ("forearm", -0.3), ("shin", 0.3)):
            bone = (case.truth.get(f"{side}_{part}") or case.truth[f"{side}_forearm"])[0]
            place = case.rest.head(bone) + forward * size * body[2]
            rows.append(_leaf(f"ctrl_{bone}", "ctrl_root", place, 0.1 * size * body[2]))
    rows = [
        replace(row, parent="ctrl_root") if not row.parent and row.name != "ctrl_root" else row
        for row in rows
    ]
    return _rebuilt(case, rows)


def with_extras(case: Case) -> Case:
    """Eyes, breasts, end bones, a sword in the right hand, fingers and a tail, as far as there are none."""
    body, size = _body_axes(case), float(np.max(np.ptp(case.rest.heads, axis=0)))
    left, up, forward = body * size
    rows = _rows(case.rest)
    chest, hips = case.truth["spine"][-1], case.truth["hips"][0]
    head = case.truth["head"][0]
    for sign in (1.0, -1.0):
        side = "xy"[sign < 0]
        rows.append(
            _leaf(
                f"eye_{side}",
                head,
                case.rest.head(head) + 0.02 * sign * left + 0.05 * up + 0.05 * forward,
                0.02 * forward,
            )
        )
        rows.append(
            _leaf(
                f"breast_{side}",
                chest,
                case.rest.head(chest) + 0.05 * sign * left + 0.06 * forward,
                0.05 * forward,
            )
        )
    at = case.rest.head(hips) - 0.05 * forward
    parent = hips
    for number in range(5):
        rows.append(_leaf(f"tail_{number}", parent, at, -0.08 * forward - 0.05 * up))
        parent, at = f"tail_{number}", at - 0.08 * forward - 0.05 * up
    for sign, side in zip((1.0, -1.0), SIDES, strict=True):
        hand = case.truth.get(f"{side}_hand", ("",))[0]
        if not hand or case.rest.children[case.rest.index(hand)]:
            continue
        out = case.rest.head(hand) - case.rest.head(case.truth[f"{side}_forearm"][0])
        out = out / np.linalg.norm(out) * size
        for number, finger in enumerate(FINGERS):
            parent, at = (
                hand,
                case.rest.head(hand) + (0.03 + 0.02 * (number > 0)) * out + 0.01 * number * forward,
            )
            for joint in range(3):
                name = f"{finger}{joint}_{'xy'[sign < 0]}"
                rows.append(_leaf(name, parent, at, 0.015 * out))
                parent, at = name, at + 0.015 * out
        if side == "right":
            rows.append(_leaf("sword", hand, case.rest.head(hand) + 0.04 * out, 0.5 * forward))
            rows.append(
                _leaf("sword_tip", "sword", case.rest.head(hand) + 0.04 * out + 0.5 * forward, 0.1 * up)
            )
    return _rebuilt(case, rows)


def with_skirt(case: Case) -> Case:
    """A long skirt of mirrored chains on the hips, and two plaits on the head."""
    body, size = _body_axes(case), float(np.max(np.ptp(case.rest.heads, axis=0)))
    left, up, forward = body * size
    rows = _rows(case.rest)
    chains = [
        ("hips", 0.1 * s * left + f * forward, "xy"[s < 0] + str(f)) for s in (1, -1) for f in (0.07, -0.07)
    ]
    chains += [("head", 0.04 * s * left - 0.05 * forward, "xy"[s < 0] + "plait") for s in (1, -1)]
    for slot, offset, label in chains:
        parent = case.truth[slot][0]
        at = case.rest.head(parent) + offset
        for number in range(5):
            rows.append(_leaf(f"cloth_{label}_{number}", parent, at, -0.08 * up + 0.1 * offset))
            parent, at = f"cloth_{label}_{number}", at - 0.08 * up + 0.1 * offset
    return _rebuilt(case, rows)


def shuffled(case: Case) -> Case:
    """Children in another order."""
    rows = _rows(case.rest)
    order = np.random.default_rng(7).permutation(len(rows))
    return _rebuilt(case, [rows[i] for i in order])


def _leaf(name: str, parent: str, head: np.ndarray, length: np.ndarray) -> Row:
    return Row(name, parent, head, head + length, np.array([1.0, 0.0, 0.0, 0.0]))


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(case: Case) -> Case:
        for one in changes:
            case = one(case)
        return case

    return change


T_ARMS = {f"{side}_upper_arm": (1.0, 0.0, 0.0) for side in SIDES}
A_ARMS = {f"{side}_upper_arm": (1.0, -1.0, 0.0) for side in SIDES}
RELAXED = {
    **{f"{side}_upper_arm": (0.25, -1.0, -0.05) for side in SIDES},
    **{f"{side}_forearm": (0.1, -1.0, 0.4) for side in SIDES},
    **{f"{side}_thigh": (0.12, -1.0, 0.08) for side in SIDES},
    **{f"{side}_shin": (0.05, -1.0, -0.08) for side in SIDES},
}
UNEVEN = {
    "left_upper_arm": (0.3, 1.0, 0.1),
    "right_upper_arm": (0.2, -1.0, 0.3),
    "right_forearm": (0.1, -0.3, 1.0),
    "left_thigh": (0.2, -1.0, 0.5),
    "left_shin": (0.0, -1.0, -0.4),
}

VARIANTS: dict[str, Change] = {
    "as it is": both(),
    "nonsense": nonsense,
    "nonsense, other order": both(nonsense, shuffled),
    "namespace": renamed(lambda name: f"hero:{name}"),
    "two namespaces": renamed(lambda name: f"show|hero:{name}"),
    "prefix": renamed(lambda name: f"Bob_{name}"),
    "suffix": renamed(lambda name: f"{name}_jnt"),
    "prefix and suffix": renamed(lambda name: f"SK_{name}_bind"),
    "numbers of a converter": renamed(lambda name: f"{name}_{zlib.crc32(name.encode()) % 1000:03}"),
    "capitals": renamed(str.upper),
    "millimetres": scaled(1000.0),
    "tiny, nonsense": both(nonsense, scaled(0.01)),
    "Y up, object turned back": turned((1.0, 0.0, 0.0), -90.0, back=True),
    "Y up, object turned back, nonsense": both(nonsense, turned((1.0, 0.0, 0.0), -90.0, back=True)),
    "facing backwards": turned((0.0, 0.0, 1.0), 180.0),
    "facing backwards, nonsense": both(nonsense, turned((0.0, 0.0, 1.0), 180.0)),
    "facing the side, nonsense": both(nonsense, turned((0.0, 0.0, 1.0), 90.0)),
    "facing 37 degrees aside, nonsense": both(nonsense, turned((0.0, 0.0, 1.0), 37.0)),
    "lying, nonsense": both(nonsense, laid_down),
    "T-pose, nonsense": both(nonsense, aimed(**T_ARMS)),
    "A-pose, nonsense": both(nonsense, aimed(**A_ARMS)),
    "relaxed": aimed(**RELAXED),
    "relaxed, nonsense": both(nonsense, aimed(**RELAXED)),
    "uneven pose, nonsense": both(nonsense, aimed(**UNEVEN)),
    "twist bones": with_twists,
    "twist bones, nonsense": both(with_twists, nonsense),
    "controls": with_controls,
    "controls, nonsense": both(with_controls, nonsense),
    "extra bones": with_extras,
    "extra bones, nonsense": both(with_extras, nonsense),
    "skirt and plaits, nonsense": both(with_skirt, nonsense),
    "everything added, relaxed, nonsense": both(
        aimed(**RELAXED), with_twists, with_extras, with_skirt, with_controls, nonsense, shuffled
    ),
    "no toes": without("toe"),
    "no toes, nonsense": both(without("toe"), nonsense),
    "no neck": without("neck"),
    "no neck, nonsense": both(without("neck"), nonsense),
    "no collars": without("collar"),
    "no collars, nonsense": both(without("collar"), nonsense),
    "no toes, neck, collars, nonsense": both(without("toe", "neck", "collar"), nonsense),
    **{f"{count} spine bones": spine_of(count) for count in range(1, 7)},
    **{f"{count} spine bones, nonsense": both(spine_of(count), nonsense) for count in range(1, 7)},
    "long limbs, nonsense": both(nonsense, grown(shin=1.4, foot=1.5, forearm=1.3, hand=1.4, spine=0.7)),
    "short legs and long arms, nonsense": both(nonsense, grown(shin=0.6, foot=0.6, forearm=1.4, hand=1.5)),
    "a toon, nonsense": both(
        nonsense, grown(shin=0.7, foot=0.7, forearm=0.85, hand=0.85, head=1.5, neck=0.8)
    ),
    "other sides in the names": other_sides,
}

# Bodies that no human has; their names tell nothing.
TOONS: dict[str, Change] = {
    "short legs": both(grown(shin=0.4, foot=0.4), nonsense),
    "stubs of legs": both(grown(shin=0.22, foot=0.22, toe=0.6), nonsense),
    "stubs of arms": both(grown(forearm=0.3, hand=0.3), nonsense),
    "stubs of arms and legs": both(grown(forearm=0.35, hand=0.35, shin=0.3, foot=0.3), nonsense),
    "arms longer than legs": both(grown(forearm=1.5, hand=1.6, shin=0.6, foot=0.55), nonsense),
    "a gorilla": both(grown(forearm=1.5, hand=1.7, shin=0.45, foot=0.45, collar=1.5), swollen(hand=1.6), nonsense),
    "huge head": both(grown(head=1.5), swollen(head=4.0), nonsense),
    "huge head without a neck": both(swollen(head=4.0), without("neck"), nonsense),
    "huge hands": both(grown(forearm=0.8, hand=0.8), swollen(hand=3.0), nonsense),
    "huge feet": both(grown(shin=0.7, foot=0.7, toe=2.5), swollen(toe=2.5, foot=2.5), nonsense),
    "short thighs": both(grown(shin=0.35), nonsense),
    "short shins": both(grown(foot=0.35), nonsense),
    "short forearms": both(grown(hand=0.4), nonsense),
    "long shins and forearms": both(grown(foot=2.2, hand=2.2), nonsense),
    "all trunk": both(grown(spine=2.0, shin=0.4, foot=0.4, forearm=0.6, hand=0.6), nonsense),
    "hardly a trunk": both(grown(spine=0.4, collar=0.6, upper_arm=0.6), nonsense),
    "a chibi": both(
        grown(spine=0.6, shin=0.4, foot=0.35, forearm=0.45, hand=0.45, toe=0.7), swollen(head=3.5, hand=1.3),
        without("neck"), nonsense,
    ),
    "a plumber": both(grown(shin=0.4, foot=0.4, toe=1.4, head=1.2), swollen(head=2.5, hand=2.2, toe=1.8), nonsense),
    "a chibi, relaxed": both(
        aimed(**RELAXED), grown(spine=0.6, shin=0.4, foot=0.35, forearm=0.45, hand=0.45, toe=0.7),
        swollen(head=3.5), nonsense, shuffled,
    ),
}  # fmt: skip
