# SPDX-License-Identifier: Apache-2.0
"""Captions: their mirrored words, and the table of their token states."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from videomdm.errors import UserError  # noqa: E402 (after the skip)
from videomdm.model.text import text_encoder  # noqa: E402
from videomdm_training.captions import CaptionTable, mirror_caption  # noqa: E402


@pytest.mark.parametrize(
    ("caption", "mirrored"),
    [
        ("a person lifts the left arm, then the right", "a person lifts the right arm, then the left"),
        ("Left foot first", "Right foot first"),
        ("walks in a circle counterclockwise", "walks in a circle clockwise"),
        ("turns clockwise on the spot", "turns counterclockwise on the spot"),
        ("a counter-clockwise circle", "a clockwise circle"),
        ("leans leftwards", "leans rightwards"),
        ("a left-handed throw", "a right-handed throw"),
        ("walks to the right before stopping", "walks to the left before stopping"),
        ("steps back and to the right now and then", "steps back and to the left now and then"),
        ("turns right after two steps", "turns left after two steps"),
    ],
)
def test_sides_and_turns_change_places(caption, mirrored):
    assert mirror_caption(caption) == mirrored


@pytest.mark.parametrize(
    "caption",
    [
        "starts to run right away",
        "stands upright",
        "makes a right-angle turn",
        "turns at a right angle",
        "bends right down to the floor",
        "stops right before the wall",
        "all right",
        "a frightened person walks",
        "jumps in place",
        "",
    ],
)
def test_words_that_name_no_side_stay(caption):
    assert mirror_caption(caption) == caption


def test_mirroring_twice_is_no_change():
    caption = "someone turns clockwise, kicks with the left leg and leans rightward"
    assert mirror_caption(mirror_caption(caption)) == caption


@pytest.fixture(scope="module")
def encoder():
    try:
        return text_encoder()
    except UserError as error:
        pytest.skip(str(error))


def test_the_table_gives_the_states_that_the_encoder_gives(encoder):
    captions = ["a person walks", "", "someone throws a ball with the right hand and turns around", "waves"]
    table = CaptionTable()
    ids = torch.tensor([table.add(caption) for caption in captions])
    assert table.add("a person walks") == 0 and len(table.texts) == 4
    table.encode(encoder, torch.device("cpu"), batch=3)
    states, mask = table.states(ids)
    for row, caption in enumerate(captions):
        direct, real = encoder([caption])
        assert int(mask[row].sum()) == int(real.sum())
        assert torch.allclose(states[row][mask[row]], direct[0][real[0]], atol=2e-3)


def test_captions_that_are_not_kept_are_empty(encoder):
    table = CaptionTable()
    ids = torch.tensor([table.add("a person walks"), table.add("waves")])
    table.encode(encoder, torch.device("cpu"))
    _, mask = table.states(ids, keep=torch.tensor([False, True]))
    assert mask.any(1).tolist() == [False, True]
    states, mask = table.states(ids, keep=torch.tensor([False, False]))
    assert not mask.any() and torch.isfinite(states).all()
