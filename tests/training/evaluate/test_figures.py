# SPDX-License-Identifier: Apache-2.0
"""Figures, their intervals, and the report that states them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from videomdm_training.evaluate.figures import Figure, Report, Section, summarise


def test_means_have_the_interval_of_their_standard_error():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    figure = summarise([{"mpjpe": v} for v in values])["mpjpe"]
    assert figure.mean == pytest.approx(values.mean())
    assert figure.interval == pytest.approx(1.96 * 2.0 / 20, rel=0.1)
    assert figure.count == 400


def test_what_was_not_measured_does_not_count():
    rows = [{"speed": 1.0, "foot_skate": float("nan")}, {"speed": 2.0}, {"jerk": float("nan")}]
    assert summarise(rows) == {"speed": Figure(1.5, pytest.approx(12.706 * 0.5, rel=1e-4), 2)}
    assert summarise([]) == {}
    assert summarise([{"speed": 0.205}] * 5) == {"speed": Figure(pytest.approx(0.205), 0.0, 5)}
    assert summarise([{"speed": 4.0}]) == {"speed": Figure(4.0, 0.0, 1)}


def test_rows_that_share_their_draws_count_as_one_in_the_interval():
    """Where each value comes twice, half of them tell nothing; the interval must hold the truth all the same."""
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        rows = [{"fid": value} for value in np.repeat(rng.normal(5.0, 1.0, 6), 2)]
        alone, together = summarise(rows)["fid"], summarise(rows, 2)["fid"]
        assert (together.mean, together.count) == (alone.mean, 12) and together.interval > alone.interval
        missed += abs(together.mean - 5.0) > together.interval
    assert 0.02 < missed / 400 < 0.09
    assert summarise([{"fid": 1.0}, {"fid": 2.0}], 2)["fid"] == Figure(1.5, 0.0, 2)
    assert summarise([{"fid": 1.0}, {"fid": 1.0, "variety": 2.0}, {"fid": 4.0}], 2)["variety"] == Figure(
        2.0, 0.0, 1
    )


def test_the_report_is_written_for_people_and_programs(tmp_path):
    columns = {
        "a": {"mpjpe": Figure(0.0825, 0.004, 7), "pck_50": Figure(0.5, 0.1, 6)},
        "b": {"mpjpe": Figure(0.1, 0.0, 1)},
    }
    report = Report({"seed": 3}, (Section("Lifting", "About the root.", columns),))
    for path in report.write(tmp_path):
        assert path.is_file()
    text = (tmp_path / "evaluation.md").read_text()
    assert "| MPJPE, mm | 82.5 ± 4.0 | 100.0 |" in text
    assert "| PCK@50 mm, % | 50.0 ± 10.0 (6 clips) | - |" in text
    assert "| clips | 7 | 1 |" in text and "* seed: 3" in text and "About the root." in text
    data = json.loads((tmp_path / "evaluation.json").read_text())
    assert data["sections"][0]["columns"]["a"]["mpjpe"] == {"mean": 0.0825, "interval": 0.004, "count": 7}
    assert data["settings"] == {"seed": 3}


def test_a_section_says_what_its_means_are_over(tmp_path):
    columns = {
        "a": {
            "recall": Figure(0.5, 0.1, 20),
            "fid": Figure(0.0625, 0.01, 20),
            "multimodality": Figure(0.3, 0, 10),
        }
    }
    lines = Report({}, (Section("Words", "", columns, "replications"),)).markdown().splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    assert table == [
        "| FID | 0.0625 ± 0.0100 |",
        "| multimodality | 0.300 (10 replications) |",
        "| recall, % | 50.0 ± 10.0 |",
        "| replications | 20 |",
    ]
