# SPDX-License-Identifier: Apache-2.0
"""The page of a study: what it holds, how it plays, and what it lets people answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion.clip import FPS
from videomdm_training.study.files import Key, Pair, read_answers, read_key, write_key
from videomdm_training.study.page import Shown, build_page, pack, page_data
from videomdm_training.study.score import score

from ..motions import person
from .support import browse

FRAMES = 40
CAPTIONS = ("<b>pay</b> $5 & {{data}}", "a person waves", "a person walks", "walks, once more")
WATCH = "~2.1"  # seconds: a little more than the motions last


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A page of tall and short people; the tall one is the first of pairs 0 and 2, the second of 1 and 3."""
    tall = [person(FRAMES, walking=1.0, phase=i) for i in range(4)]
    motions = [(one, 0.6 * one) if i % 2 == 0 else (0.6 * one, one) for i, one in enumerate(tall)]
    shown = [Shown(words, two) for words, two in zip(CAPTIONS, motions, strict=True)]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(build_page("5eed", page_data(shown, FPS)), encoding="utf-8")
    return path


@pytest.fixture
def key_file(tmp_path) -> Path:
    pairs = tuple(Pair(words, 1 if i % 2 else 0) for i, words in enumerate(CAPTIONS))
    return write_key(tmp_path / "page.key.json", Key("5eed", ("tall", "short"), pairs, {}))


def saved(seen: dict, folder: Path) -> list[Path]:
    paths = []
    for name, text in zip(seen["names"], seen["texts"], strict=True):
        paths.append(folder / name)
        paths[-1].write_text(text)
    return paths


def unpacked(unit: float, text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(-1, 22, 3) * unit


def test_everybody_has_an_order_and_sides_of_their_own_and_the_score_knows_them(page, key_file, tmp_path):
    """Whoever always prefers the tall one is found to, on whatever side it was."""
    everybody = [*([WATCH, "higher"] * 4), "save", "next"] * 8
    seen = browse(page, *everybody[:-1])
    several = [json.loads(text)["answers"] for text in seen["texts"]]
    assert len({tuple(a["pair"] for a in answers) for answers in several}) > 3
    assert len({tuple(a["flipped"] for a in answers) for answers in several}) > 3
    asked = [f"“{CAPTIONS[a['pair']]}”" for answers in several for a in answers]
    shown = [state["caption"] for state in seen["states"]]  # after each answer, so of the one that follows
    for first in range(0, len(asked), 4):
        assert shown[first : first + 3] == asked[first + 1 : first + 4]
    found = score(key_file, saved(seen, tmp_path))
    assert found.participants == 8 and found.wins == (32, 0) and 0.1 < found.left < 0.9
    assert len({json.loads(text)["participant"] for text in seen["texts"]}) == 8
    pictures = seen["arcs"] // 2  # two players
    assert pictures > 1000 and seen["lines"] == 2 * pictures * (18 + 21)  # a floor of 18 lines, 21 bones
    assert seen["finite"] and seen["inside"] > 0.7


def test_answers_wait_until_the_motions_were_watched(page):
    seen = browse(
        page, "~1.5", "1", "2", "~0.7", "2", "~1", " ", "~5", "3", " ", "~1.2", "3", "Backspace", "1"
    )
    places = [(state["place"][0], state["open"]) for state in seen["states"]]
    assert places == [
        ("1", False), ("1", False),  # too early
        ("2", False),
        ("2", False), ("2", False), ("2", False),  # a motion that stands still is not watched
        ("3", False),
        ("2", True), ("3", False),  # what was answered before may be changed
    ]  # fmt: skip


def test_space_pauses_wherever_the_focus_is_but_on_buttons_that_it_presses(page):
    seen = browse(
        page, WATCH, " @choose-left", " @choose-right", " @time", " @play", "1", WATCH, " @back", " "
    )
    left, right, time, play, answer, back, plain = seen["states"]
    assert [state["play"] for state in (left, right, time, play)] == ["Play", "Pause", "Play", "Pause"]
    assert all(
        state["prevented"] and not state["clicked"] and not state["focus"] for state in (left, right, time)
    )
    assert play["clicked"] and not play["prevented"]
    assert [s["place"][0] for s in (left, right, time, play, answer, back, plain)] == list("1111211")
    assert back["clicked"] and plain["play"] == "Play"


def test_no_button_keeps_the_focus_for_the_next_pair(page):
    (state,) = browse(page, WATCH, "1@choose-left")["states"]
    assert state["place"] == "2 of 4" and state["focus"] == ""


def test_what_was_answered_is_there_after_a_reload_and_gone_for_the_next(page, key_file, tmp_path):
    once = [WATCH, "3", WATCH, "ArrowDown", "reload", WATCH, "ArrowRight", WATCH, "2", "save"]
    seen = browse(page, *once, "next", *([WATCH, "1"] * 4), "save")
    assert [state["place"][0] for state in seen["states"][:3]] == ["2", "3", "4"]
    assert [seen["states"][last]["locked"] for last in (3, 7)] == [True, True]  # until the answers are saved
    assert seen["end"] and seen["kept"] == ["5eed"] and seen["shown"] == seen["texts"][1]
    first, second = (json.loads(text) for text in seen["texts"])
    assert [a["choice"] for a in first["answers"]] == ["right", "same", "right", "same"]
    assert [a["choice"] for a in second["answers"]] == ["left"] * 4
    assert first["participant"] != second["participant"]
    assert all(a["milliseconds"] > 2000 for a in first["answers"] + second["answers"])
    assert score(key_file, saved(seen, tmp_path)).participants == 2


def test_the_page_and_its_reader_agree_on_the_checksum(page, key_file, tmp_path):
    seen = browse(page, *([WATCH, "1"] * 4), "save")
    (path,) = saved(seen, tmp_path)
    answers = read_answers(path, read_key(key_file))
    assert answers.checksum == answers.expected_checksum()
    path.write_text(path.read_text().replace('"choice": "left"', '"choice": "right"', 1))
    with pytest.raises(UserError, match="checksum"):
        read_answers(path, read_key(key_file))


def test_floating_or_sunk_motions_stand_on_the_floor_like_all():
    motion = person(FRAMES, walking=1.0)
    lifted, plain = motion + np.float32([0, 0.05, 0]), motion - np.float32([0, 0.3, 0])
    _, (first, second) = pack([lifted, plain], FPS)
    assert np.abs(unpacked(0.001, first) - unpacked(0.001, second)).max() < 0.0021
    assert abs(unpacked(0.001, first)[..., 1].min()) < 0.02


def test_motions_that_go_far_are_not_cut_off():
    far = person(FRAMES) + np.linspace(0, 80, FRAMES, dtype=np.float32)[:, None, None] * np.float32([0, 0, 1])
    unit, (near, moved) = pack([person(FRAMES), far], FPS)
    assert 0.0024 < unit < 0.0026
    np.testing.assert_allclose(unpacked(unit, moved)[-1, 0, 2], 80, atol=0.01)
    assert np.abs(unpacked(unit, near)).max() < 2
    assert pack([person(FRAMES)], FPS)[0] == 0.001


def test_motions_that_cannot_be_shown_are_refused():
    motion = person(FRAMES)
    with pytest.raises(ValueError, match="equal length"):
        page_data([Shown("walk", (motion, motion[1:]))], FPS)
    with pytest.raises(UserError, match="no numbers"):
        page_data([Shown("walk", (motion, motion * np.nan))], FPS)
