# SPDX-License-Identifier: Apache-2.0
"""Keys and answers: what they say together, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm_training.study.files import Answers, Key, Pair, read_answers, read_key, write_key
from videomdm_training.study.score import count, score

from .support import answers_for, preferring, signed


@pytest.fixture
def key() -> Key:
    """The first motion is ours in even pairs."""
    return Key("5eed", ("ours", "theirs"), tuple(Pair(f"walk {i}", i % 2) for i in range(10)), {})


def write(path: Path, answers: Answers) -> Path:
    path.write_bytes(msgspec.json.encode(answers))
    return path


def test_preferences_follow_the_key_and_not_the_side(key: Key):
    ours = np.ones(10, int)
    found = count(key, preferring(key, np.stack([ours, [1] * 8 + [0] * 2])))
    assert found.wins == (18, 0) and found.ties == 2 and found.preference == 1.0 and found.left == 0.5
    assert [pair.wins for pair in found.pairs] == [(2, 0)] * 8 + [(1, 0)] * 2 and found.pairs[9].ties == 1
    assert count(key, [answers_for(key, ["left"] * 10)]).wins == (5, 5)


def test_what_was_flipped_or_asked_for_in_another_order_counts_for_the_same(key: Key):
    plain = preferring(key, np.array([[1, 1, 1, 1, 1, -1, -1, 0, 1, 1]]))[0]
    other = {"left": "right", "right": "left", "same": "same"}
    turned = [
        msgspec.structs.replace(a, flipped=True, choice=other[a.choice]) if a.pair % 3 else a
        for a in reversed(plain.answers)
    ]
    found = count(key, [signed(msgspec.structs.replace(plain, answers=tuple(turned)))])
    assert found.pairs == count(key, [plain]).pairs and found.wins == (7, 2)


def test_the_score_tells_pairs_and_people_apart(key: Key):
    found = count(key, preferring(key, np.array([[1] * 8 + [-1] * 2] * 4)))
    assert found.wins == (32, 8) and found.agreement == 1.0 and found.seconds == 1.5
    # four people who say the same of 10 pairs are no more than one about the pairs: 112 of 1024 signs go as far
    assert found.p_value == pytest.approx(112 / 1024, abs=0.02) and found.p_people == pytest.approx(
        0.125, abs=0.02
    )
    assert found.interval[0] < 0.55 and found.interval[1] == pytest.approx(1.0, abs=0.05)
    text = found.markdown()
    assert "| ours | 32 | 80.0% |" in text and "| walk 9 | 0 | 4 | 0 |" in text and "agree in 100.0%" in text


def test_captions_are_shown_as_text(key: Key):
    pair = Pair("a man *jumps* | pays $5\n<b>", 0)
    text = count(msgspec.structs.replace(key, pairs=(pair,)), [answers_for(key, ["left"])]).markdown()
    assert r"| a man \*jumps\* \| pays \$5 \<b\> | 1 | 0 | 0 |" in text


def test_nothing_decided_prefers_nothing(key: Key):
    found = count(key, [answers_for(key, ["same"] * 10)])
    assert found.wins == (0, 0) and np.isnan(found.preference) and found.interval == (0.0, 1.0)
    assert found.p_value == found.p_people == 1.0
    assert "10 decided" not in found.markdown() and "nan" not in found.markdown()


def damage(text: str, kind: str) -> str:
    whole = json.loads(text)
    if kind == "cut":
        return text[: len(text) // 2]
    if kind == "empty":
        return ""
    if kind == "deep":
        return '{"kind":' + "[" * 100_000
    if kind == "missing":
        del whole["answers"][3]
    elif kind == "twice":
        whole["answers"][4]["pair"] = 3
    elif kind == "unknown":
        whole["answers"][0]["choice"] = "both"
    elif kind == "changed":
        whole["answers"][0]["choice"] = "right"
    elif kind == "slower":
        whole["answers"][0]["milliseconds"] += 1
    elif kind == "turned":
        whole["answers"][0]["flipped"] = True
    elif kind == "reordered":
        whole["answers"].reverse()
    elif kind == "other":
        whole["study"] = "0ther"
    elif kind == "named":
        whole["participant"] = "Bob"
    elif kind == "kind":
        whole["kind"] = "videomdm-study-key"
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cut", "damaged"), ("empty", "damaged"), ("missing", "each of the 10"), ("twice", "each of the 10"),
        ("unknown", "damaged"), ("changed", "checksum"), ("slower", "checksum"), ("turned", "checksum"),
        ("reordered", "checksum"), ("other", "answers the study"), ("named", "checksum"), ("kind", "no answers"),
        ("deep", "damaged"),
    ],
)  # fmt: skip
def test_damaged_answers_are_refused(key: Key, tmp_path: Path, kind: str, words: str):
    text = msgspec.json.encode(answers_for(key, ["left"] * 10)).decode()
    path = tmp_path / "answers.json"
    path.write_text(damage(text, kind))
    with pytest.raises(UserError, match=words):
        read_answers(path, key)


def test_keys_and_files_that_are_not_there_or_not_whole(key: Key, tmp_path: Path):
    path = write_key(tmp_path / "a.key.json", key)
    assert read_key(path) == key
    once = write(tmp_path / "one.json", answers_for(key, ["left"] * 10))
    again = write(tmp_path / "two.json", answers_for(key, ["right"] * 10))
    with pytest.raises(UserError, match="more than once"):
        score(path, [once, again])
    with pytest.raises(UserError, match="cannot be read"):
        score(path, [tmp_path / "none.json"])
    path.write_text(path.read_text()[:-9])
    with pytest.raises(UserError, match="no key of a study"):
        read_key(path)


@pytest.mark.parametrize("settings", ['{"seed": ' + "[" * 100_000, '{"seed": [1]}', "[" * 100_000])
def test_keys_with_nested_settings_are_refused(key: Key, tmp_path: Path, settings: str):
    path = write_key(tmp_path / "a.key.json", key)
    text = path.read_text()
    assert text.count('"settings": {}') == 1
    path.write_text(text.replace('"settings": {}', f'"settings": {settings}'))
    with pytest.raises(UserError, match="no key of a study"):
        read_key(path)


def test_endless_files_are_not_read(key: Key, tmp_path: Path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(UserError, match="more than 4 MiB"):
        read_answers(path, key)
