# SPDX-License-Identifier: Apache-2.0
"""The teacher's figures: exact for a lifter whose errors are known, and printed by the command."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402 (after the skip)

from videomdm.errors import UserError  # noqa: E402
from videomdm.model.checkpoint import save_model  # noqa: E402
from videomdm.model.lifter import Lifted, Lifter, LifterConfig  # noqa: E402
from videomdm_training.datasets.pack import Pack  # noqa: E402
from videomdm_training.evaluate import filmed  # noqa: E402
from videomdm_training.teacher import measure  # noqa: E402
from videomdm_training.teacher.command import teacher  # noqa: E402
from videomdm_training.views import DetectorConfig, observe  # noqa: E402

from ..motions import write_pack  # noqa: E402

CPU = torch.device("cpu")
QUIET = DetectorConfig(jitter=0.0, drift=0.0, dropout=0.0)


class Oracle(Lifter):
    """Answers with the truth that was last observed, all joints but the root 100 mm nearer to the camera."""

    truth: torch.Tensor
    up: torch.Tensor

    def forward(self, keypoints, weights, frame_mask=None):
        off = torch.zeros(22, 3)
        off[1:, 2] = -0.1
        return Lifted(self.truth + off, self.up)


def test_known_errors_are_measured_as_they_are(tmp_path, monkeypatch):
    pack = Pack.load(write_pack(tmp_path / "set.pack"))
    oracle = Oracle(LifterConfig(width=32, layers=1, heads=2, hidden=32))

    def watched(positions, camera, generator, config):
        oracle.truth, oracle.up = camera.to_camera(positions), camera.R[:, 0, :, 1]
        return observe(positions, camera, generator, config)

    monkeypatch.setattr(filmed, "observe", watched)
    section = measure.measure_teacher(oracle, pack, {"val": pack.select("val")}, CPU, detector=QUIET)
    figures = section.columns["val"]
    assert figures["mpjpe"].mean == pytest.approx(0.1, abs=1e-5)
    assert figures["pck_50"].mean == 0 and figures["acceleration"].mean < 1e-2
    assert figures["pa_mpjpe"].mean < 0.05  # the joints stay in place among each other, the root apart
    assert figures["gravity"].mean < 1e-3 and figures["depth"].mean < 1e-5
    # on its rays a joint moves across the view only, and the error along the ray stays
    assert section.columns["val, on rays"]["mpjpe"].mean == pytest.approx(0.1, abs=0.01)


def test_the_command_prints_and_writes_the_figures(tmp_path):
    torch.manual_seed(0)
    pack = write_pack(tmp_path / "set.pack")
    save_model(
        tmp_path / "lifter.safetensors", Lifter(LifterConfig(width=32, layers=1, heads=2, hidden=32)), {}
    )
    words = [str(tmp_path / "lifter.safetensors"), str(pack), "--limit", "3", "-o", str(tmp_path / "report")]
    result = CliRunner().invoke(teacher, [*words, "--set", "detector.swap=0.05"])
    assert result.exit_code == 0, (result.output, result.exc_info)
    assert "PA-MPJPE" in result.output and "swap=0.05" in result.output
    figures = json.loads((tmp_path / "report" / "evaluation.json").read_text())["sections"][0]["columns"]
    teachers = ("", ", on rays", ", fitted", ", truth")
    assert set(figures) == {split + name for split in ("val", "test") for name in teachers}
    assert figures["test, fitted"]["bone_drift"]["mean"] < 1e-4 < figures["test"]["bone_drift"]["mean"]
    assert 0 < figures["test, fitted"]["fid"]["mean"] < 4  # embeddings are unit vectors
    assert 0 < figures["test"]["mpjpe"]["mean"] < 3  # metres
    CliRunner().invoke(teacher, [*words, "--set", "detector.swap=0.05"])
    again = json.loads((tmp_path / "report" / "evaluation.json").read_text())["sections"][0]["columns"]
    assert again == figures
    nothing = CliRunner().invoke(teacher, [*words, "--set", "detector.swaps=0.05"])
    assert isinstance(nothing.exception, UserError) and "swaps" in str(nothing.exception)
