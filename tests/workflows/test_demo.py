"""The whole demo, small: two modes of the shipped model at a quarter of its size."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.config import Precision, Preset, Size, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.worker import start_worker
from segpp_deploy.graph.exporting.export import describe_graph
from segpp_deploy.graph.exporting.plain import PLAIN, export_plain
from segpp_deploy.hardware.devices import this_cpu
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, choose_target
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.tasks.protocol.evaluation import Score
from segpp_deploy.tuning.measurement import Candidate, Measurement
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.compare.plain import open_plain
from segpp_deploy.workflows.demo.options import DemoOptions
from segpp_deploy.workflows.demo.report import describe_conditions
from segpp_deploy.workflows.demo.result import DemoResult, measurements_table
from segpp_deploy.workflows.demo.run import run_demo
from tests.support.exporting import PICTURE_TO_LABELS, SCENE_SIZE, request, smooth_pictures, to_bytes
from tests.support.sharing import make_once


@pytest.fixture(scope="module")
def result(shared_folder: Path) -> DemoResult:
    modes = (Preset.ORIGINAL, Preset.FAST)

    def run(folder: Path) -> DemoResult:
        return run_demo(DemoOptions(folder / "report", images=2, iterations=2, size=SCENE_SIZE, modes=modes))

    return make_once(shared_folder / "demo", run)


@pytest.mark.slow
class TestDemo:
    def test_rows(self, result: DemoResult) -> None:
        plain, original, fast = result.rows
        assert [row.candidate.mode for row in result.rows] == [PLAIN, "original", "fast"]
        assert plain.candidate == Candidate(PLAIN, TargetName.CPU, Precision.FP32)
        assert original.candidate.target is fast.candidate.target is choose_target((this_cpu(),)).target
        assert (plain.speedup, plain.delta) == (1.0, 0.0)
        assert plain.attention_pairs == original.attention_pairs == 1.0
        assert fast.attention_pairs < 1.0
        assert min(row.agreement.value for row in result.rows) > 0.99
        assert min(row.peak_memory_bytes for row in result.rows) > 2**20
        assert (result.images, result.torch_images) == (2, 2)

    def test_what_was_chosen_is_said(self, result: DemoResult) -> None:
        target, *precisions = result.notes
        assert target.startswith(f"Target {result.rows[1].candidate.target}: ")
        for mode in ("original", "fast"):
            assert any(note.startswith(f"{mode}: Precision ") for note in precisions)
        (table,) = result.tables()
        assert table.rows[0][:2] == (PLAIN, "ONNX Runtime, fp32")

    def test_report_files(self, result: DemoResult) -> None:
        folder = result.html.parent
        recorded = json.loads((folder / "report.json").read_text())
        assert [row["mode"] for row in recorded["rows"]] == [PLAIN, "original", "fast"]
        assert recorded["notes"] == list(result.notes)
        page = result.html.read_text()
        assert "data:image/webp;base64," in page
        assert "<svg" in page
        assert not re.search(r'(src|href)="(?!data:|#)', page)
        assert to_markdown(result.tables()[0]) in (folder / "report.md").read_text()
        assert cv2.imread(str(folder / "overlay.jpg")).shape[1] == 1286  # two cells and a gap
        assert {path.suffix for path in (folder / "engines").iterdir()} == {".onnx", ".engine", ".json"}
        assert len(list((folder / "scenes/images").iterdir())) == 2

    def test_conditions_name_machine_and_samples(self, result: DemoResult) -> None:
        text = describe_conditions(result)
        assert result.environment["cpu"] in text
        assert "256x512 pixels" in text
        assert "2 held-out scenes" in text
        runtimes = {TARGETS[row.candidate.target].runtime for row in result.rows}
        assert all(f"{runtime} " in text for runtime in runtimes)


def test_the_host_does_what_the_plain_export_leaves(tmp_path: Path) -> None:
    model, size = load_source(SeedSource(3, num_outputs=5)).model, Size(64, 96)
    exported = describe_graph(model.spec, model.plan, request(size, 5, seed=3, **PICTURE_TO_LABELS))
    export_plain(model, exported, tmp_path / "plain.onnx")
    run_build(tmp_path / "plain.onnx", tmp_path / "plain.engine", BuildOptions(TargetName.CPU))
    images = to_bytes(smooth_pictures(size))
    with closing(open_plain(tmp_path / "plain.engine", SessionOptions())) as session:
        found = session.run(images)
        with closing(open_reference(session.metadata, None, tmp_path)) as torch:
            expected = torch.run(images)
    assert (found.dtype, found.shape) == (np.uint8, (1, 64, 96))
    assert len(np.unique(expected)) > 1
    assert np.mean(found == expected) > 0.999
    with start_worker(tmp_path / "plain.engine", SessionOptions(), open_engine=open_plain) as worker:
        assert worker.run_ms() > 0


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
        "ONNX Runtime, fp32",
        "10 %",
        "79.25 %",
        "-0.75",
        "99.987 %",
        "10 ms",
        "1.92x",
        "3 MiB",
    )


def test_missing_library_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SegppError, match="needs jinja2"):
        run_demo(DemoOptions(tmp_path / "report"))
    assert list(tmp_path.iterdir()) == []


def test_missing_model_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="Unknown model 'nothing'"):
        run_demo(DemoOptions(tmp_path / "report", model="nothing"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_of_poses(tmp_path: Path) -> None:
    options = DemoOptions(
        tmp_path / "report",
        images=2,
        iterations=2,
        size=Size(64, 64),
        modes=(Preset.ORIGINAL,),
        task=TaskName.POSE,
    )
    result = run_demo(options)
    first, *others = [row.candidate for row in result.rows]
    assert (first.mode, first.precision) == ("original", Precision.FP32)
    assert all(row.mode == "original" and row.precision is not Precision.FP32 for row in others)  # what was faster
    assert result.rows[0].headline.name == "PCK@0.1"
    assert "2 held-out people" in describe_conditions(result)
    assert "plain export" not in (tmp_path / "report/report.md").read_text()
    assert cv2.imread(str(tmp_path / "report/overlay.jpg")).shape[1] == 1286
