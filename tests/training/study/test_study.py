# SPDX-License-Identifier: Apache-2.0
"""A study from the command line to its score: what the page tells, what it keeps to itself, and who is refused."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.support.models import small_model

from videomdm.errors import UserError
from videomdm_training.datasets.pack import Pack
from videomdm_training.sources import joints
from videomdm_training.study.files import Answer, Answers, Key, Pair, read_answers, read_key, write_key
from videomdm_training.study.page import pack as packed
from videomdm_training.study.score import count, score

from ..conftest import Train

PAIRS = 4


@pytest.fixture(scope="module")
def model(train: Train, tmp_path_factory) -> Path:
    """A small model with random weights."""
    return small_model(tmp_path_factory.mktemp("models") / "nobody")


@pytest.fixture(scope="module")
def made(train: Train, model, pack_file, tmp_path_factory):
    """A page of recorded motions against those of a small model, and its key."""
    page = tmp_path_factory.mktemp("study") / "pairs.html"
    train("study", "make", "real", model, "-o", page, "--pack", pack_file, "--pairs", PAIRS, "--seed", "3")
    return page, page.with_name("pairs.key.json")


def data_of(page: Path) -> dict:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found is not None
    return json.loads(found[1])


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(-1, 22, 3) / 1000


def answers_for(key: Key, choices: list[str], participant: str = "0a") -> Answers:
    told = tuple(Answer(i, choice, 1.5) for i, choice in enumerate(choices))
    blank = Answers(key.study, participant, told, "")
    return msgspec.structs.replace(blank, checksum=blank.expected_checksum())


def write(path: Path, answers: Answers) -> Path:
    path.write_bytes(msgspec.json.encode(answers))
    return path


def test_the_page_stands_alone_and_names_nobody(made, model):
    page, key_file = made
    text, key = page.read_text(), read_key(key_file)
    assert key.sources == ("real", str(model))
    assert "{{" not in text.replace("{{}}", "") and key.study in text
    for secret in (*key.sources, model.name, "denoiser", '"seed"', '"sources"'):
        assert f">{secret}<" not in text and f'"{secret}"' not in text, secret
    assert re.findall(r"https?:|src=|href=\"|@import|url\(|fetch\(", text) == []
    assert "default-src 'none'" in text


def test_each_side_is_whose_the_key_says_it_is(made, pack_file):
    page, key_file = made
    key, data = read_key(key_file), data_of(page)
    pack = Pack.load(pack_file)
    recorded = {packed(joints(pack, segment).numpy()): segment for segment in pack.select("test")}
    assert len(data["pairs"]) == len(key.pairs) == PAIRS
    assert sorted(pair.left for pair in key.pairs) == [0, 0, 1, 1]
    for pair, shown in zip(key.pairs, data["pairs"], strict=True):
        sides = [shown["left"], shown["right"]]
        # Pair.left is the source on the left, and the first source is "real"
        real, other = sides[pair.left], sides[1 - pair.left]
        assert pair.caption in recorded[real].captions and shown["caption"] == pair.caption
        assert other not in recorded and len(other) == len(real)
        np.testing.assert_allclose(unpacked(other)[0, 0, [0, 2]], 0, atol=2e-3)


def test_the_same_seed_makes_the_same_study_and_none_a_secret_one(
    train: Train, made, model, pack_file, tmp_path
):
    words = ("--pack", pack_file, "--pairs", PAIRS)
    train("study", "make", "real", model, "-o", tmp_path / "a.html", *words, "--seed", "3")
    assert (tmp_path / "a.html").read_bytes() == made[0].read_bytes()
    train("study", "make", "real", model, "-o", tmp_path / "b.html", *words)
    assert read_key(tmp_path / "b.key.json").study != read_key(made[1]).study


def test_the_page_plays_and_what_it_saves_can_be_scored(train: Train, made, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    page, key_file = made
    key = read_key(key_file)
    keys = ["3", " ", "1", "Backspace", "ArrowDown", "ArrowRight", "2"]
    script = Path(__file__).with_name("browser.js")
    done = subprocess.run([node, script, page, ",".join(keys)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    places = [place for place, _, _ in seen["states"]]
    assert places[:6] == ["2 of 4", "2 of 4", "3 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert seen["states"][1][2] == "Play" and seen["states"][2][2] == "Pause"
    assert [caption for _, caption, _ in seen["states"]][1] == f"“{key.pairs[1].caption}”"
    assert seen["end"] and seen["shown"] == seen["text"] and seen["kept"] == [key.study]
    assert seen["finite"] and seen["inside"] > 0.7
    pictures = seen["arcs"] // 2  # two players
    assert pictures > 100 and seen["lines"] == 2 * pictures * (18 + 21)  # a floor of 18 lines, 21 bones
    other = json.loads(seen["next"].pop("shown"))  # somebody else, who answered "left" throughout
    assert seen["next"] == {"locked": True, "unlocked": True, "place": "1 of 4"}
    assert other["participant"] != json.loads(seen["text"])["participant"]
    assert [answer["choice"] for answer in other["answers"]] == ["left"] * 4
    file = tmp_path / seen["name"]
    file.write_text(seen["text"])
    answers = read_answers(file, key)
    assert [a.choice for a in answers.answers] == ["right", "same", "right", "same"]
    assert all(a.seconds > 0.9 for a in answers.answers)
    result = train("study", "score", key_file, file)
    assert "1 participants, 4 pairs" in result.output and "| no difference | 2 | 50.0% |" in result.output


@pytest.fixture
def key() -> Key:
    return Key("5eed", ("ours", "theirs"), tuple(Pair(f"walk {i}", i % 2) for i in range(10)), {})


def test_preferences_follow_the_key_and_not_the_side(key: Key):
    """The left is ours in even pairs."""
    ours = ["left" if pair.left == 0 else "right" for pair in key.pairs]
    found = count(key, [answers_for(key, ours), answers_for(key, [*ours[:8], "same", "same"], "0b")])
    assert found.wins == (18, 0) and found.ties == 2 and found.preference == 1.0 and found.left == 0.5
    assert count(key, [answers_for(key, ["left"] * 10)]).wins == (5, 5)


def test_the_interval_is_wilsons(key: Key):
    """8 of 10: (0.4902, 0.9433), as published tables have it."""
    ours = ["left" if pair.left == 0 else "right" for pair in key.pairs]
    mixed = [*ours[:8], *("right" if c == "left" else "left" for c in ours[8:])]
    found = count(key, [answers_for(key, mixed)])
    assert found.wins == (8, 2)
    assert found.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert found.p_value == pytest.approx(0.109375)
    text = found.markdown()
    assert "| ours | 8 | 80.0% |" in text and "49.0% to 94.3%" in text


def test_nothing_decided_prefers_nothing(key: Key):
    found = count(key, [answers_for(key, ["same"] * 10)])
    assert found.wins == (0, 0) and np.isnan(found.preference) and found.interval == (0.0, 1.0)
    assert "10 decided" not in found.markdown()


def damage(text: str, kind: str) -> str:
    whole = json.loads(text)
    if kind == "cut":
        return text[: len(text) // 2]
    if kind == "empty":
        return ""
    if kind == "missing":
        del whole["answers"][3]
    elif kind == "twice":
        whole["answers"][4]["pair"] = 3
    elif kind == "unknown":
        whole["answers"][0]["choice"] = "both"
    elif kind == "changed":
        whole["answers"][0]["choice"] = "right"
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
        ("unknown", "damaged"), ("changed", "checksum"), ("other", "answers the study"), ("named", "checksum"),
        ("kind", "no answers"),
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


def test_what_cannot_be_compared_is_refused(train: Train, model, pack_file, tmp_path):
    page = tmp_path / "x.html"
    assert "Recorded motions" in train("study", "make", "real", model, "-o", page, status=2).output
    assert "the same" in train("study", "make", model, model, "-o", page, status=2).output
    many = ("--pack", pack_file, "--pairs", "100")
    assert "fewer than 100" in train("study", "make", "real", model, "-o", page, *many, status=2).output
    both = ("--pack", pack_file, "--prompt", "walk")
    assert "Both" in train("study", "make", "real", model, "-o", page, *both, status=2).output
    assert list(tmp_path.iterdir()) == []
