"""The benchmark scripts' own logic: what is recorded and merged, what passes, and that the page shows the records."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import recording
from benchmarks.measure import camvid, parity, portability, rtx_engines
from benchmarks.pages import measurements
from benchmarks.section import Benchmark, Section, result_name, text_columns
from benchmarks.toolchain.rtx_builder import RtxRefusedError
from segpp_deploy.config import Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.target import RuntimeFacts
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.result import ReferenceComparison
from tests.support.requirements import require
from tests.support.tensorrt_graphs import write_graph

ROOT = recording.ROOT
ENVIRONMENT = {
    "cpu": "A CPU",
    "cpu_cores": 2,
    "cpu_features": ["avx2", "avx512_vnni"],
    "memory_bytes": 8 << 30,
    "os": "Linux",
    "python": "CPython 3.12.0",
    "packages": {"onnxruntime": "1.2.3"},
}
DOCUMENT = {"environment": ENVIRONMENT, "measured": "2026-01-02 03:04 UTC", "commit": "abc"}
MEMORY_ROW = {"arch": "b5", "head_channels": 768, "mode": "fast", "peak_bytes": 3 << 30, "most_bytes": None}
RTX_ROW = {
    "arch": "b0",
    "mode": "hq",
    "size": "480x640",
    "rtx_layers": 10,
    "rtx_engine_bytes": 2_000_000,
    "rtx_build_seconds": 1.5,
    "rtx_error": None,
    "openvino_agreement": 0.99999,
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of result files."""
    folder = tmp_path / "benchmarks/results"
    monkeypatch.setattr(recording, "RESULTS", folder)
    folder.mkdir(parents=True)
    return folder


def record_sizes(facts: dict[str, Any], **sizes: int) -> list[dict[str, Any]]:
    rows = [{"name": name, "size": size} for name, size in sizes.items()]
    path = recording.record_rows("sizes", rows, lambda row: row["name"], facts)
    return [{key: row[key] for key in ("name", "size")} for row in json.loads(path.read_text())["rows"]]


def test_parts_of_a_benchmark_are_merged(results: Path) -> None:
    record_sizes({"bar": 1}, b=2, c=3)
    assert record_sizes({"bar": 1}, a=1, b=4) == [
        {"name": "a", "size": 1},
        {"name": "b", "size": 4},
        {"name": "c", "size": 3},
    ]
    assert record_sizes({"bar": 2}, d=5) == [{"name": "d", "size": 5}]


def test_rows_of_another_machine_are_dropped(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_sizes({}, a=1)
    path = results / "sizes.json"
    path.write_text(path.read_text().replace('"cpu_cores": ', '"cpu_cores": 99'))
    assert record_sizes({}, b=2) == [{"name": "b", "size": 2}]


def add_sizes(results: Path, machines: recording.Machines, **sizes: int) -> dict[str, Any]:
    """Record and return the whole document."""
    rows = [{"name": name, "size": size} for name, size in sizes.items()]
    recording.record_rows("sizes", rows, lambda row: row["name"], {}, machines=machines)
    document: dict[str, Any] = json.loads((results / "sizes.json").read_text())
    return document


def record_elsewhere(results: Path, machines: recording.Machines) -> int:
    """Record a and b as if on another machine, and return how many cores this one has; the other has 99 before that."""
    cores: int = add_sizes(results, machines, a=1, b=2)["environment"]["cpu_cores"]
    path = results / "sizes.json"
    path.write_text(path.read_text().replace('"cpu_cores": ', '"cpu_cores": 99'))
    return cores


def sizes_of_machines(document: dict[str, Any]) -> dict[int, dict[str, int]]:
    machines = recording.machines_of(document)
    return {machine["cpu_cores"]: {row["name"]: row["size"] for row in rows} for machine, rows in machines}


def test_accuracies_of_another_machine_stay_and_name_it(results: Path) -> None:
    last = recording.Machines.LAST
    cores = record_elsewhere(results, last)
    document = add_sizes(results, last, b=3)
    assert sizes_of_machines(document) == {cores: {"b": 3}, int(f"99{cores}"): {"a": 1}}
    assert [row["size"] for row in recording.recorded_rows("sizes", {})] == [3]
    document = add_sizes(results, last, a=4)
    assert [row["size"] for row in document["rows"]] == [4, 3]
    assert "elsewhere" not in document


def test_times_of_another_machine_stand_apart(results: Path) -> None:
    each = recording.Machines.EACH
    cores = record_elsewhere(results, each)
    document = add_sizes(results, each, b=3)
    assert sizes_of_machines(document) == {cores: {"b": 3}, int(f"99{cores}"): {"a": 1, "b": 2}}
    document = add_sizes(results, each, b=4)
    assert [row["size"] for row in document["rows"]] == [1, 4, 2]
    benchmark = SimpleNamespace(
        __name__="benchmarks.measure.sizes",
        SECTION=Section(
            "Sizes",
            "Of all.",
            lambda rows: [Table("", text_columns("name"), tuple((row["name"],) for row in rows))],
            (),
            machines_apart=True,
        ),
    )
    page = "\n".join(measurements.render_section(benchmark, document))
    here, elsewhere = page.index(f", {cores} cores"), page.index(f", 99{cores} cores")
    assert page.count("| b |") == 2
    assert here < page.index("| b |") < elsewhere < page.index("| a |")


def test_rows_say_when_and_from_what(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", SimpleNamespace(name="benchmarks.measure.parity"))
    monkeypatch.setattr(sys, "argv", ["parity.py", "--mode", "fast"])
    path = recording.record_rows("x", [{"name": "a"}], lambda row: row["name"], {})
    document = json.loads(path.read_text())
    assert document["rows"][0].keys() == {"name", "measured", "commit"}
    assert document["command"] == "python -m benchmarks.measure.parity --mode fast"
    assert document["environment"]["packages"]["torch"]


def attempts_in_parity(monkeypatch: pytest.MonkeyPatch, mode: Preset, errors: list[float]) -> list[dict[str, Any]]:
    """Rows of one combination per batch, where every comparison gives the next of `errors`."""
    left: Iterator[float] = iter(errors)
    monkeypatch.setattr(parity, "export", lambda *_, **__: SimpleNamespace(path=None))
    monkeypatch.setattr(parity, "load_onnxruntime", lambda *_: None)
    monkeypatch.setattr(parity, "compare", lambda *_: {"max_abs_error": next(left), "logit_range": 1.0})
    monkeypatch.setattr(parity, "BATCHES", (1,))
    return list(parity.measure("b0", None, mode, Size(64, 64)))  # type: ignore[arg-type]


def test_ties_are_tried_again_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = attempts_in_parity(monkeypatch, Preset.FAST, [0.5, 1e-5])
    assert row["passed"]
    assert [attempt["max_abs_error"] for attempt in row["tries"]] == [0.5, 1e-5]
    assert row["max_abs_error"] == 1e-5


def test_three_pictures_that_miss_the_bar_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = attempts_in_parity(monkeypatch, Preset.HQ, [0.5, 0.4, 0.6])
    assert not row["passed"]
    assert row["max_abs_error"] == 0.4


@pytest.mark.parametrize("mode", [Preset.ORIGINAL, Preset.POOL_2X2, Preset.N1D, Preset.DOWNSAMPLE])
def test_modes_without_matching_get_one_try(mode: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = attempts_in_parity(monkeypatch, mode, [0.5])
    assert not row["passed"]


@pytest.mark.parametrize(
    ("mode", "agreement", "torch_miou", "passed"),
    [
        (Preset.ORIGINAL, 0.9995, 0.6004, True),
        (Preset.ORIGINAL, 0.9995, 0.6006, False),
        (Preset.ORIGINAL, 0.9985, 0.6, False),
        (Preset.FAST, 0.9955, 0.61, True),
        (Preset.FAST, 0.9945, 0.6, False),
        (Preset.FAST_PLUS, 0.9955, 0.6014, True),
        (Preset.FAST_PLUS, 0.9955, 0.6016, False),
    ],
)
def test_camvid_bars(
    mode: Preset, agreement: float, torch_miou: float, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validate(options: ValidateOptions) -> SimpleNamespace:
        headline, share = Score("mIoU", torch_miou), (Score("pixel agreement", agreement),)
        evaluation = Evaluation(Score("mIoU", 0.6), (Score("pixel accuracy", 0.9),), PerClass("IoU"), 1)
        return SimpleNamespace(evaluation=evaluation, reference=ReferenceComparison("torch", headline, share))

    monkeypatch.setattr(camvid, "run_validate", validate)
    monkeypatch.setattr(camvid, "make_engine", lambda mode, folder: folder)
    assert camvid.measure(mode, Path(), Path(), None)["passed"] is passed


WEIGHTED = ((Preset.HQ, Preset.HQ_PLUS), (Preset.FAST, Preset.FAST_PLUS))
MOST_LOST_REDUCED = 0.0025


def recorded_by(name: str, *axes: str) -> dict[tuple[str, ...], dict[str, Any]]:
    rows = json.loads((recording.RESULTS / f"{name}.json").read_text())["rows"]
    return {tuple(row[axis] for axis in axes): row for row in rows}


@pytest.mark.parametrize(("plain", "plus"), WEIGHTED)
def test_weighted_keys_label_as_original_does(plain: Preset, plus: Preset) -> None:
    rows = recorded_by("camvid", "mode")
    assert rows[plus,]["passed"]
    assert rows[plus,]["agreement_with_original"] > rows[plain,]["agreement_with_original"]


@pytest.mark.parametrize("plus", [plus for _, plus in WEIGHTED])
def test_weighted_keys_lose_little_in_reduced_precision(plus: Preset) -> None:
    rows = recorded_by("precision_accuracy", "data", "mode", "target", "precision")
    judged = [row for (_, mode, _, _), row in rows.items() if mode == plus]
    assert {row["data"] for row in judged} == {"camvid", "scenes"}
    for row in judged:
        original = rows[row["data"], str(Preset.ORIGINAL), row["target"], row["precision"]]["miou_fp32"]
        assert row["miou"] >= original - MOST_LOST_REDUCED, row


def test_a_refused_graph_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise RtxRefusedError("TopK")

    monkeypatch.setattr(portability, "export", lambda *_, **__: None)
    monkeypatch.setattr(portability, "build_with_rtx", refuse)
    monkeypatch.setattr(portability, "try_openvino", lambda *_: {"openvino_agreement": 1.0, "openvino_error": None})
    model = SimpleNamespace(spec=SimpleNamespace(arch="b0"))
    row = portability.measure(model, Preset.HQ, Size(64, 64), Path())  # type: ignore[arg-type]
    assert not row["passed"]
    assert row["rtx_error"] == "TopK"
    page = render("portability", row, least_agreement=0.999, compute_capability="8.9")
    assert "| B0 | hq | 64x64 | refused |" in page


def test_a_wrong_manifest_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trt = require("tensorrt_rtx")
    monkeypatch.setattr("segpp_deploy.hardware.nvidia_gpu.has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(rtx_engines, "export", lambda *_, **__: write_graph(tmp_path / "m.onnx"))
    model = SimpleNamespace(spec=SimpleNamespace(arch="b0"))
    needs = rtx_engines.expected_runtime()
    row = rtx_engines.measure(model, Preset.HQ, Size(64, 96), tmp_path, needs)  # type: ignore[arg-type]
    assert row["error"] == "output is (1, 3, 16, 24), not (1, 64, 96)"  # the tiny graph puts out logits
    assert not row["passed"]
    other = replace(needs, version="1.0")
    row = rtx_engines.measure(model, Preset.HQ, Size(64, 96), tmp_path, other)  # type: ignore[arg-type]
    assert f"version='{trt.__version__}'" in row["error"]


def test_an_engine_that_does_not_build_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SegppError("TensorRT-RTX cannot build it: TopK.")

    monkeypatch.setattr(rtx_engines, "export", lambda *_, **__: None)
    monkeypatch.setattr(rtx_engines, "run_build", refuse)
    model = SimpleNamespace(spec=SimpleNamespace(arch="b0"))
    row = rtx_engines.measure(model, Preset.HQ, Size(64, 96), tmp_path, RuntimeFacts("tensorrt_rtx", "1.7"))  # type: ignore[arg-type]
    assert not row["passed"]
    page = render("rtx_engines", row, compute_capabilities="8.9", precision="fp32")
    assert "| B0 | hq | 64x96 | refused |" in page
    assert "TensorRT-RTX cannot build it: TopK." in page


def render(name: str, row: dict[str, Any], **facts: Any) -> str:
    return measurements.render_page({name: {**DOCUMENT, **facts, "rows": [row]}})


def test_page_shows_figures_and_conditions() -> None:
    page = render("memory", MEMORY_ROW, target="cpu", runs=2, size="1024x2048")
    assert "| B5, 768-channel head | fast | 3.00 |" in page
    assert "commit abc: A CPU, 2 cores, 8 GiB, Linux, CPython 3.12.0, onnxruntime 1.2.3." in page
    assert "## Speed" not in page


def test_page_rounds_agreement_down() -> None:
    page = render("portability", RTX_ROW, least_agreement=0.999, compute_capability="8.9")
    assert "| B0 | hq | 480x640 | 10 | 2.0 | 1.5 | 99.999 % |" in page


ACCURACY_BARS = {"calibration_images": 64, "most_points": 1.0, "most_points_fp16": 0.1, "least_agreement_fp16": 0.998}


def test_page_shows_int8_and_the_instruction_sets() -> None:
    iou = {"per_class_iou": {"sky": [0.9, 0.89], "car": [0.5, 0.51]}}
    scores = {"images": 101, "miou_fp32": 0.7, "miou": 0.695, "agreement": 0.99456, "layers": 73, **iou}
    row = {"data": "camvid", "mode": "fast", "target": "cpu", "precision": "int8", **scores}
    page = render("precision_accuracy", row, **ACCURACY_BARS)
    assert "| camvid | fast | cpu | int8 | 101 | 70.00 % | 69.50 % | -0.50 | 99.456 % | 73 |" in page
    assert "### IoU of each class, camvid, target cpu" in page
    assert "| class | fast fp32 | fast int8 |" in page
    assert "| car | 50.00 % | 51.00 % |" in page
    assert "A CPU, 2 cores with avx2 avx512_vnni, 8 GiB" in page


def test_page_shows_what_a_runtime_reduces_as_a_whole() -> None:
    scores = {"images": 40, "miou_fp32": 0.7, "miou": 0.7, "agreement": 1.0, "layers": 0, "per_class_iou": {}}
    row = {"data": "scenes", "mode": "hq", "target": "openvino", "precision": "bf16", **scores}
    page = render("precision_accuracy", row, **ACCURACY_BARS)
    assert "| scenes | hq | openvino | bf16 | 40 | 70.00 % | 70.00 % | +0.00 | 100.000 % | all |" in page
    assert "IoU of each class" not in page


def test_page_says_that_an_engine_failed() -> None:
    row = {"data": "scenes", "mode": "hq", "target": "openvino", "precision": "int8", "error": "NaN"}
    assert "| scenes | hq | openvino | int8 | failed |" in render("precision_accuracy", row, **ACCURACY_BARS)


def test_page_shows_the_speed_of_int8() -> None:
    engine = {"arch": "b5", "mode": "fast", "target": "openvino", "precision": "bf16"}
    row = {**engine, "best_ms": 123.4, "ratio_best": 3.456, "ratio_median": 3.2, "over_own_fp32": 2.5}
    page = render("int8_speed", row, size="1024x1024", rounds=9)
    assert "| B5 | fast | openvino | bf16 | 123 | 3.46 | 3.20 | 2.50 |" in page


def test_page_is_what_the_results_say() -> None:
    written = measurements.PAGE.read_text()
    assert written == measurements.render_page(measurements.read_results()), (
        "run python -m benchmarks.pages.measurements"
    )


def test_recorded_results_hold_their_bars() -> None:
    recorded = measurements.read_results()
    rows = [row for document in recorded.values() for row in document["rows"] if "passed" in row]
    assert rows
    assert not [row for row in rows if not row["passed"]]


def imports_of(path: Path) -> set[str]:
    """Names of the modules that a file imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return names | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("segpp_deploy", r"(benchmarks|tests)\."),
        ("benchmarks", r"tests\.(?!support\.)"),
        ("tests/support", r"benchmarks\.|tests\.(?!support\.)"),
    ],
)
def test_imports_run_one_way(folder: str, forbidden: str) -> None:
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    found = {str(path.relative_to(ROOT)): imports_of(path) for path in sources}
    assert [(path, name) for path, names in found.items() for name in names if re.match(forbidden, name)] == []


@pytest.mark.parametrize("benchmark", measurements.BENCHMARKS, ids=result_name)
def test_every_section_is_of_what_its_module_records(benchmark: Benchmark) -> None:
    source = (ROOT / f"{benchmark.__name__.replace('.', '/')}.py").read_text()
    assert re.search(rf'\brecord(_rows)?\(\s*"{result_name(benchmark)}"', source)
    assert (recording.RESULTS / f"{result_name(benchmark)}.json").is_file()
