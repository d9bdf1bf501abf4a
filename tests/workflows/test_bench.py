from __future__ import annotations

import json
import os
import re
import signal
import sys
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import OutputKind
from segpp_deploy.data.images import write_image
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import worker
from segpp_deploy.evaluation.worker import profile_engine, start_worker
from segpp_deploy.graph.network_parts import NetworkPart
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import Profile, SessionOptions
from segpp_deploy.workflows.bench import run
from segpp_deploy.workflows.bench.batches import check_batch
from segpp_deploy.workflows.bench.run import BenchOptions, run_bench
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.tiny_graphs import tiny_metadata, write_tiny

NO_TIME = Profile((), {})


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[TargetName, Path]:
    folder = tmp_path_factory.mktemp("engines")
    source = write_tiny(folder / "tiny.onnx", tiny_metadata(batch=2))
    return {
        name: run_build(source, folder / f"{name}.engine", BuildOptions(name)).path
        for name in (TargetName.CPU, TargetName.OPENVINO)
    }


def test_two_engines_take_turns(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    options = BenchOptions(tuple(engines.values()), iterations=4, warmup=1, threads=1, report_dir=tmp_path / "report")
    result = run_bench(options, lambda *step: steps.append(step))
    document = result.to_dict()
    assert [entry["path"] for entry in document["engines"]] == [str(path) for path in engines.values()]
    for entry in document["engines"]:
        latency = entry["latency_ms"]
        assert 0 < latency["min"] <= latency["median"] <= latency["p90"] <= latency["p95"] <= latency["p99"]
        assert entry["throughput_ips"] == pytest.approx(2 * 1000 / latency["mean"])
        assert entry["samples"] == 4
        assert entry["batch"] == 2
        assert entry["threads"] == 1
        assert 20 * 2**20 < entry["peak_memory_bytes"] < 2**31
        assert "operations" not in entry
    assert document["engines"][0]["speedup"] == 1.0
    assert document["environment"]["packages"]["onnxruntime"]
    assert [step for step in steps if step[0] == "Timing"][-1] == ("Timing", 10, 10)
    assert json.loads((tmp_path / "report/bench.json").read_text()) == json.loads(json.dumps(document))
    assert to_markdown(result.tables()[0]) in (tmp_path / "report/bench.md").read_text()
    again = run_bench(BenchOptions(options.engines[:1], 3, 0, threads=1, baseline=tmp_path / "report/bench.json"))
    assert again.comparison is not None
    assert again.comparison.changes[0] is not None
    assert again.notes == ()
    assert len(document["engines"][0]["warmup_ms"]) == 1


def test_engines_of_different_batches_are_compared_by_image(dynamic_engine: Path, tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "4.onnx", tiny_metadata(batch=4))
    four = run_build(source, tmp_path / "4.engine", BuildOptions(TargetName.CPU)).path
    result = run_bench(BenchOptions((dynamic_engine, four), iterations=4, warmup=1, threads=1))
    assert result.speedup(0, 1) == pytest.approx(4 * result.latency.speedup("0", "1"))
    assert result.speedup(1, 0) == pytest.approx(result.latency.speedup("1", "0") / 4)
    assert [row[2] for row in result.tables()[0].rows] == ["1", "4"]  # a dynamic batch is one image unless asked for


@pytest.fixture(scope="module")
def dynamic_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dynamic")
    source = write_tiny(folder / "dynamic.onnx", tiny_metadata(batch=None))
    return run_build(source, folder / "dynamic.engine", BuildOptions(TargetName.CPU)).path


def test_a_dynamic_batch_is_timed_at_the_batch_that_was_asked_for(
    dynamic_engine: Path, engines: dict[TargetName, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    profiled: list[int] = []
    monkeypatch.setattr(run, "profile_engine", lambda *arguments: profiled.append(arguments[-1]) or NO_TIME)
    paths = (engines[TargetName.CPU], dynamic_engine)  # the first has a fixed batch of 2
    result = run_bench(BenchOptions(paths, iterations=2, warmup=1, profile=True, batch=2))
    fixed, dynamic = result.to_dict()["engines"]
    assert (fixed["batch"], fixed["dynamic_batch"]) == (2, False)
    assert (dynamic["batch"], dynamic["dynamic_batch"]) == (2, True)
    assert dynamic["throughput_ips"] == pytest.approx(2 * 1000 / dynamic["latency_ms"]["mean"])
    assert [row[2] for row in result.tables()[0].rows] == ["2", "2"]
    assert result.speedup(0, 1) == pytest.approx(result.latency.speedup("0", "1"))
    assert profiled == [2, 2]


def test_workers_run_the_batch_that_was_asked_for(dynamic_engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        metadata = tiny_metadata(batch=None)

        def close(self) -> None: ...

        def run(self, images: np.ndarray) -> None:
            shapes.append(images.shape)

        def profile(self, skip_runs: int) -> Profile:
            return NO_TIME

    class Pipe:
        def __init__(self, *requests: object) -> None:
            self._requests = iter(requests)

        def send(self, answer: object) -> None: ...

        def recv(self) -> object:
            return next(self._requests)

    shapes: list[tuple[int, ...]] = []
    monkeypatch.setattr(worker, "open_session", lambda *_: Session())
    with pytest.raises(StopIteration):
        worker._serve(Pipe((worker._Request.RUN, None)), dynamic_engine, SessionOptions(), 3, lambda *_: Session())
    worker._profile(Pipe(), dynamic_engine, SessionOptions(), 1, 0, 3)
    assert shapes == [(3, 64, 96, 3)] * 2


def test_a_fixed_batch_stays(engines: dict[TargetName, Path]) -> None:
    with pytest.raises(SegppError, match=r"at a batch of 3: its batch is fixed at 2") as caught:
        run_bench(BenchOptions((engines[TargetName.CPU],), batch=3))
    assert "--batch dynamic, then segpp-deploy build-engine" in caught.value.fix


def test_tensorrt_takes_what_it_was_built_for(dynamic_engine: Path) -> None:
    manifest = read_manifest(dynamic_engine)
    check_batch(dynamic_engine, manifest, 100)
    built = manifest.model_copy(update={"target": TargetName.TENSORRT, "builder": BuilderOptions(max_batch=4)})
    check_batch(dynamic_engine, built, 4)
    with pytest.raises(SegppError, match="at most 4") as caught:
        check_batch(dynamic_engine, built, 5)
    assert caught.value.fix.endswith(f"-o {dynamic_engine} --max-batch 5")


def test_profile(engines: dict[TargetName, Path]) -> None:
    result = run_bench(BenchOptions((engines[TargetName.CPU],), iterations=2, warmup=1, profile=True))
    (entry,) = result.to_dict()["engines"]
    assert "ReduceMax" in {operation["operation"] for operation in entry["operations"]}
    assert [part["part"] for part in entry["parts"]] == list(NetworkPart)
    total = sum(operation["milliseconds"] for operation in entry["operations"])
    assert sum(part["milliseconds"] for part in entry["parts"]) == pytest.approx(total)
    _, parts, operations = result.tables()
    assert [row[0] for row in parts.rows] == list(NetworkPart)
    assert parts.rows[-1][2] == "100.0 %"  # of a graph whose nodes have no paths
    assert "ReduceMax" in to_markdown(operations)


def test_from_end_to_end_on_pictures_of_the_user(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    for number in range(2):
        write_image(tmp_path / f"{number}.png", np.zeros((30, 40, 3), np.uint8))
    options = BenchOptions(tuple(engines.values()), iterations=3, warmup=1, threads=1, picture=tmp_path)
    result = run_bench(options)
    assert result.notes == (f"Timed from end to end: 2 pictures in {tmp_path}, in turns.",)
    document = result.to_dict()
    assert document["pictures"] in result.notes[0]
    for entry, row in zip(document["engines"], result.tables()[0].rows, strict=True):
        way = entry["end_to_end"]
        assert len(way["samples_ms"]) == way["samples"] == 3
        assert len(way["warmup_ms"]) == 1
        assert way["throughput_ips"] == pytest.approx(1000 / way["latency_ms"]["mean"]), "one picture at a time"
        headings = [column.heading for column in result.tables()[0].columns]
        assert row[headings.index("end to end ms")] == f"{way['latency_ms']['median']:.1f}"


def test_each_task_has_a_generated_picture(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "pose.onnx", tiny_metadata(OutputKind.HEATMAPS))
    pose = run_build(source, tmp_path / "pose.engine", BuildOptions(TargetName.CPU)).path
    result = run_bench(BenchOptions((engines[TargetName.CPU], pose), 1, 0, threads=1, end_to_end=True))
    assert all(timing.end_to_end is not None for timing in result.engines)
    assert "a generated picture of a street, 512x1024 and a generated picture of people, 384x512" in result.notes[0]


def test_pictures_that_are_not_there_or_cannot_be_read(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    options = BenchOptions((engines[TargetName.CPU],), 1, 0, end_to_end=True)
    with pytest.raises(SegppError, match="No such file"):
        run_bench(replace(options, picture=tmp_path / "none.png"))
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(SegppError, match=r"text\.png"):
        run_bench(replace(options, picture=tmp_path / "text.png"))


def test_engines_without_a_pause(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    options = BenchOptions(tuple(engines.values()), 1, 0, threads=1, report_dir=tmp_path, sustained_s=0.05)
    steps: list[str] = []
    result = run_bench(options, lambda step, done, total: steps.append(step))
    assert "Running without a pause" in steps
    for entry, table in zip(result.to_dict()["engines"], result.tables()[1:], strict=True):
        run = entry["sustained"]
        assert (run["seconds"], len(run["tenths"]), len(table.rows)) == (0.05, 10, 10)
        assert all(tenth["samples"] >= 1 for tenth in run["tenths"])
        assert run["slowdown"] == pytest.approx(run["last_ms"] / run["first_ms"])
        assert table.title.startswith(f"{entry['path']}, 0.05 s without a pause")
        assert escape(table.title) in (tmp_path / "bench.html").read_text()
    assert options.command.endswith("--sustained 0.05")


def test_the_page_needs_nothing_else(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    options = BenchOptions(tuple(engines.values()), 3, 2, threads=1, report_dir=tmp_path, end_to_end=True)
    result = run_bench(options)
    page = (tmp_path / "bench.html").read_text()
    assert page.count("<svg") == 3  # calls, from end to end, warm-up
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "2 of them, left of the line, are not in the figures" in page
    for text in (options.command, result.environment.cpu, *result.notes):
        assert escape(text) in page
    assert options.command.endswith("--end-to-end --iterations 3 --warmup 2 --threads 1")


def test_without_the_extra_there_is_no_page(
    engines: dict[TargetName, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run_bench(BenchOptions((engines[TargetName.CPU],), 1, 0, report_dir=tmp_path))
    assert result.notes[0].startswith("The report needs matplotlib")
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.md"}


def test_engines_that_cannot_be_opened(engines: dict[TargetName, Path], tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        run_bench(BenchOptions((engines[TargetName.CPU], tmp_path / "none.engine")))
    for work in (
        lambda: start_worker(tmp_path / "none.engine", SessionOptions()).__enter__(),
        lambda: profile_engine(tmp_path / "none.engine", SessionOptions(), 1, 0),
    ):
        with pytest.raises(SegppError, match="No such file") as caught:  # comes from the other process, whole
            work()
        assert "build-engine" in caught.value.fix


def test_a_process_that_dies_is_reported(engines: dict[TargetName, Path]) -> None:
    with start_worker(engines[TargetName.CPU], SessionOptions()) as started:
        assert started.run_ms() > 0
        started._process.kill()
        started._process.join()
        with pytest.raises(SegppError, match=r"died \(exit code -9\)") as caught:
            started.run_ms()
    assert "memory" in caught.value.expected


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupts_are_the_parents_business(engines: dict[TargetName, Path]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with start_worker(engines[TargetName.CPU], SessionOptions()) as started:
        os.kill(started._process.pid, signal.SIGINT)
        assert started.run_ms() > 0
        process = started._process
    assert not process.is_alive()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (BenchOptions(()), "No engine"),
        (BenchOptions((Path("a.engine"),), iterations=0), "0 timed"),
        (BenchOptions((Path("a.engine"),), warmup=-1), "-1 warm-up"),
        (BenchOptions((Path("a.engine"),), threads=0), "0 threads"),
        (BenchOptions((Path("a.engine"),), batch=0), "batch of 0 images"),
        (BenchOptions((Path("a.engine"),), sustained_s=0), "run for 0 seconds"),
        (BenchOptions((Path("a.engine"),), sustained_s=float("nan")), "run for nan seconds"),
    ],
)
def test_options_that_measure_nothing(options: BenchOptions, complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint):
        run_bench(options)
