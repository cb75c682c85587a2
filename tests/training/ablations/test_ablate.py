# SPDX-License-Identifier: Apache-2.0
"""A table of runs, trained one after the other, that goes on where it stopped."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.errors import UserError  # noqa: E402
from videomdm_training.ablations.table import METHOD, read_table  # noqa: E402
from videomdm_training.configuration import load_config  # noqa: E402
from videomdm_training.engine import LOG, STATE, load_state  # noqa: E402
from videomdm_training.fit import FitConfig  # noqa: E402

from ..conftest import SMALL, Train  # noqa: E402

TABLE = """
common = ["engine.steps=4", "engine.validate_every=4", "samples=[]", "views=1"]
[runs]
all = []
no_depth = ["loss.depth=none"]
mdm = ["loss.supervision=3d", "engine.steps=6"]
"""


def test_every_run_of_the_methods_table_is_a_valid_training_and_none_is_like_another():
    table = read_table(METHOD)
    configs = [load_config(FitConfig, None, table.settings(name)) for name in table.runs]
    assert len(configs) >= 10
    assert all(a != b for i, a in enumerate(configs) for b in configs[:i])


def test_a_table_is_trained_stopped_and_gone_on_with(train: Train, pack_file, lifter_file, tmp_path):
    table, folder = tmp_path / "table.toml", tmp_path / "runs"
    table.write_text(TABLE)
    words = ("ablate", pack_file, "--lifter", lifter_file, "-o", folder, "--table", table)
    stopped = train(*words, "--time-limit", "0.000001", settings=SMALL)
    assert "to go on" in stopped.output and "no_depth" in stopped.output
    done = train(*words, settings=SMALL)
    assert "finished" in done.output
    report = (folder / "ablation.md").read_text()
    rows = [line.split("|")[1:-1] for line in report.splitlines()]
    assert [row[0].strip() for row in rows[2:]] == ["all", "no_depth", "mdm"]
    assert [int(row[1]) for row in rows[2:]] == [4, 4, 6]
    heads = [cell.strip() for cell in rows[0]]
    assert heads[3:] == ["5, mm", "15, mm", "30, mm", "45, mm", "teacher, mm"]
    assert all(float(cell) > 0 for row in rows[2:] for cell in row[3:])
    before = (folder / "all" / "state.pt").read_bytes()
    again = train(*words, "--only", "all", settings=SMALL)
    assert "finished" in again.output and (folder / "all" / "state.pt").read_bytes() == before
    table.write_text(TABLE.replace("loss.depth=none", "loss.depth=mean"))
    changed = train(*words, settings=SMALL, status=2).output
    assert "no_depth is finished, with other settings" in changed.replace("\n", " ")
    assert "no run" in train(*words, "--only", "nothing", settings=SMALL, status=2).output


@pytest.mark.parametrize(
    "text", ["runs = 3", "x = 1\n[runs]\na = []", '[runs]\n"a/b" = []', "[runs]", "[[", "[runs]\na = 1"]
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text):
    path = tmp_path / "table.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="table"):
        read_table(path)


def test_runs_that_begin_with_another_take_its_steps_once(train: Train, pack_file, lifter_file, tmp_path):
    table, folder = tmp_path / "table.toml", tmp_path / "runs"
    table.write_text("""
common = ["engine.steps=5", "loss.teacher_steps=3", "samples=[]", "views=1", "engine.validate_every=9"]
[runs]
warm = ["engine.steps=3", "engine.cooldown=0.0"]
whole = ["engine.cooldown=0.0"]
branch = ["engine.cooldown=0.0"]
[starts]
branch = "warm"
""")
    words = ("ablate", pack_file, "--lifter", lifter_file, "-o", folder, "--table", table)
    train(*words, "--only", "branch", settings=SMALL)
    assert not (folder / "whole").exists()  # not asked for
    train(*words, settings=SMALL)
    whole, branch = (load_state(folder / name / STATE) for name in ("whole", "branch"))
    assert whole["step"] == branch["step"] == 5
    assert all(torch.equal(weight, branch["network"][name]) for name, weight in whole["network"].items())
    rows = [json.loads(line) for line in (folder / "branch" / LOG).read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == sorted(set(steps)) and steps[0] <= 3 < steps[-1]


def test_a_run_cannot_begin_with_a_later_one(tmp_path):
    path = tmp_path / "table.toml"
    path.write_text('[runs]\na = []\nb = ["views=1"]\n[starts]\na = "b"\n')
    with pytest.raises(UserError, match="no earlier run"):
        read_table(path)
