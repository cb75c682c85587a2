# SPDX-License-Identifier: Apache-2.0
"""Contact sheets and loss curves."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from PIL import Image

from videomdm.errors import UserError
from videomdm.motion.clip import Motion
from videomdm_training.curve import draw_curve, duration, read_log, smooth
from videomdm_training.sheet import CHARACTERS, COLOURS, LINES, draw_sheet, view, wrapped

from .conftest import Train
from .motions import person


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def ink(picture: np.ndarray, colour: str) -> np.ndarray:
    """Which pixels have a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(picture - wanted).max(-1) < 12


def test_the_view_keeps_up_up_and_sides_apart():
    right, up, toward = view(np.eye(3)).T
    assert up[1] > 0.9 and right[1] == 0  # a metre up is up
    assert right[0] > 0 and toward[0] > 0  # the character's left: to the right and nearer
    assert right[2] < 0 and toward[2] > 0  # it faces the lower left
    points = np.random.default_rng(0).normal(size=(50, 3))
    flat = view(points)[:, [0, 2]]
    assert np.allclose(np.linalg.norm(flat, axis=1), np.linalg.norm(points[:, [0, 2]], axis=1))


def test_a_sheet_has_a_row_for_each_motion(tmp_path):
    motions = [
        Motion(person(60, walking=1.2), caption="walks"),
        Motion(person(3, waving=0.3), caption="waves"),
    ]
    one, two = (pixels(draw_sheet(motions[:n], tmp_path / f"{n}.png")) for n in (1, 2))
    assert two.shape[0] > 1.7 * one.shape[0] and two.shape[1] == one.shape[1]
    for side in ("left", "right"):
        assert 300 < ink(one, COLOURS[side]).sum() < ink(two, COLOURS[side]).sum()
    # ten figures side by side: their legs leave gaps between them
    columns = ink(one, COLOURS["left"]).any(0).astype(int)
    assert (np.diff(columns) == 1).sum() >= 10


def test_a_figure_that_rises_stays_in_the_picture(tmp_path):
    motion = person(30)
    motion[15:, :, 1] += 3.0
    assert draw_sheet([Motion(motion, caption="flies")], tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize("words", [r"pays $5 \foo$ tip", "a^b_{$", "walks and " * 90, "x" * 400, ""])
def test_words_of_users_are_drawn_as_they_are(tmp_path, words):
    file = draw_sheet([Motion(person(20), caption=words)], tmp_path / "sheet.png", words)
    assert pixels(file).shape[1] == 1350  # a long caption widens nothing
    assert all(len(line) <= CHARACTERS for line in wrapped(words).splitlines())
    if len(words) > CHARACTERS * LINES:
        assert wrapped(words).endswith("...") and wrapped(words).count("\n") == LINES - 1
    else:
        assert wrapped(words) == words
    run = tmp_path / "run $5 \\foo$"
    run.mkdir()
    (run / "log.jsonl").write_text('{"step": 1, "loss": 2.0, "$5 \\\\foo$": 1.0}\n')
    assert draw_curve(run, tmp_path / "curve.png").is_file()


def test_samples_of_a_training_encode_their_prompts_once(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from videomdm.diffusion.schedule import cosine
    from videomdm.model.denoiser import Denoiser, DenoiserConfig
    from videomdm.model.text import STATE
    from videomdm_training import samples
    from videomdm_training.normalisation import Normalisation

    asked = []

    def encode(prompts: list[str]):
        asked.append(prompts)
        return torch.ones(len(prompts), 3, STATE), torch.ones(len(prompts), 3, dtype=torch.bool)

    monkeypatch.setattr(samples, "text_encoder", lambda: encode)
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig(width=16, layers=1, heads=2, hidden=16)).eval()
    numbers = Normalisation(torch.zeros(263), torch.ones(263))
    draw = samples.Samples([r"pays $5 \foo$ tip"], numbers, cosine(50), tmp_path)
    with torch.inference_mode():
        first, second = draw(network, 1), draw(network, 2)
    assert first.is_file() and second.is_file() and asked == [[r"pays $5 \foo$ tip"]]


def test_the_sheet_of_a_model(train: Train, run_folder, tmp_path):
    words = ("--prompt", "a person waves", "--prompt", "a person walks", "--seconds", "1", "--seed", "3")
    train("sheet", run_folder, "-o", tmp_path / "sheet.png", *words)
    first = pixels(tmp_path / "sheet.png")
    train("sheet", run_folder, "-o", tmp_path / "again.png", *words)
    assert np.array_equal(first, pixels(tmp_path / "again.png"))
    assert "no model" in train("sheet", tmp_path / "none", "-o", tmp_path / "x.png", status=2).output
    assert not (tmp_path / "x.png").exists()


def test_the_curve_of_a_run(train: Train, run_folder, tmp_path):
    with open(run_folder / "log.jsonl") as log:
        rows = [json.loads(line) for line in log]
    rows += [{"step": step, "validation/5": 0.05, "validation/teacher": 0.07} for step in (20, 40, 60)]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    train("curve", run_folder, "-o", tmp_path / "one.png")
    train("curve", tmp_path / "run", "-o", tmp_path / "two.png")
    assert not np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "two.png"))


def test_logs_are_read_while_they_are_written(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 10, "loss": 2.0}\n{"step": 20, "loss": 1.0, "position": 0.5}\n{"step": 30, "lo')
    series = read_log(tmp_path)
    assert series["loss"][0].tolist() == [10, 20] and series["loss"][1].tolist() == [2.0, 1.0]
    assert series["position"][0].tolist() == [20]


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("", "empty"), ("words\n{}\n", "Line 1"), ('[1]\n{"step": 1}\n', "Line 1")],
)
def test_what_is_no_log_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(UserError, match=words):
        draw_curve(tmp_path, tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()


def test_smoothing_follows_the_curve_not_its_spikes():
    values = np.geomspace(1, 0.01, 500)
    assert np.abs(np.log(smooth(values) / values))[20:-20].max() < 0.01
    spiky = values.copy()
    spiky[100] *= 10
    assert np.abs(np.log(smooth(spiky) / values)).max() < 0.1
    assert smooth(np.array([3.0])).tolist() == [pytest.approx(3.0)]
    assert smooth(np.zeros(3)).max() < 1e-6


def test_times_are_told_in_the_unit_that_suits_them():
    assert [duration(s) for s in (5.2, 72.0, 119.7, 850.0, 7199.0, 9000.0)] == [
        "5 s", "72 s", "2 min", "14 min", "2.0 h", "2.5 h",
    ]  # fmt: skip
