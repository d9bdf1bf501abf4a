"""The whole demo, small: two modes at 64x128 with weights that were trained on something else."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import cv2
import pytest

from segpp_deploy.config import Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tasks.protocol.evaluation import Score
from segpp_deploy.tuning.measurement import Candidate, Measurement
from segpp_deploy.workflows.demo.options import DemoOptions
from segpp_deploy.workflows.demo.report import describe_conditions
from segpp_deploy.workflows.demo.result import DemoResult, measurements_table
from segpp_deploy.workflows.demo.run import run_demo

CARD = """
name: stand-in
title: CamVid weights under other names
arch: b0
task: seg
input_size: 64x128
checkpoint: {file: weights.safetensors}
licence: none
provenance: a test
classes: [%s]
"""


@pytest.fixture(scope="module")
def result(camvid_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(camvid_weights, folder / "weights.safetensors")
    card = folder / "stand-in.yaml"
    card.write_text(CARD % ", ".join(f"{{name: class {index}}}" for index in range(11)))
    options = DemoOptions(
        folder / "report",
        images=2,
        iterations=2,
        model=str(card),
        size=Size(64, 128),
        modes=(Preset.ORIGINAL, Preset.FAST),
    )
    return run_demo(options)


@pytest.mark.slow
@pytest.mark.camvid
class TestDemo:
    def test_rows(self, result: DemoResult) -> None:
        original, fast = result.rows
        assert (original.candidate.mode, fast.candidate.mode) == ("original", "fast")
        assert original.speedup == 1.0
        assert original.attention_pairs == 1.0
        assert fast.attention_pairs < 1.0
        assert min(row.agreement.value for row in result.rows) > 0.99
        assert min(row.peak_memory_bytes for row in result.rows) > 2**20
        assert (result.images, result.torch_images) == (2, 2)

    def test_report_files(self, result: DemoResult) -> None:
        folder = result.html.parent
        recorded = json.loads((folder / "report.json").read_text())
        assert [row["mode"] for row in recorded["rows"]] == ["original", "fast"]
        page = result.html.read_text()
        assert "data:image/jpeg;base64," in page
        assert "<svg" in page
        assert not re.search(r'(src|href)="(?!data:|#)', page)
        assert to_markdown(result.tables()[0]) in (folder / "report.md").read_text()
        assert cv2.imread(str(folder / "overlay.jpg")).shape[1] == 1286  # two cells and a gap
        assert {path.suffix for path in (folder / "engines").iterdir()} == {".onnx", ".engine", ".json"}
        assert len(list((folder / "scenes/images").iterdir())) == 2

    def test_conditions_name_machine_and_samples(self, result: DemoResult) -> None:
        text = describe_conditions(result)
        assert result.environment["cpu"] in text
        assert "64x128 pixels" in text
        assert "2 held-out scenes" in text


def measurement(
    mode: str, pairs: float, miou: float, delta: float, agreement: float, latency_ms: float, speedup: float, peak: int
) -> Measurement:
    candidate = Candidate(mode, TargetName.CPU)
    scores = Score("mIoU", miou), delta, Score("pixel agreement", agreement)
    return Measurement(candidate, pairs, *scores, latency_ms, speedup, peak)


def test_table_shows_differences_to_the_first_row() -> None:
    rows = [
        measurement("original", 1.0, 0.80, 0.0, 1.0, 20.0, 1.0, 2**20),
        measurement("fast", 0.1, 0.7925, -0.75, 0.99987, 10.4, 1.923, 3 * 2**20),
    ]
    assert [Measurement.from_dict(row.to_dict()) for row in rows] == rows
    assert measurements_table(rows).rows[1] == (
        "fast",
        "10 %",
        "79.25 %",
        "-0.75",
        "99.987 %",
        "10 ms",
        "1.92x",
        "3 MiB",
    )


def test_missing_library_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SegppError, match="needs matplotlib"):
        run_demo(DemoOptions(tmp_path / "report"))
    assert list(tmp_path.iterdir()) == []


def test_missing_model_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="Unknown model 'nothing'"):
        run_demo(DemoOptions(tmp_path / "report", model="nothing"))
    assert list(tmp_path.iterdir()) == []
