"""The whole comparison, small: what is written, what goes on after an end, and what one row's failure leaves."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import read_image
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import parse_calibration
from segpp_deploy.tuning.recipe_choice import NothingFasterError
from segpp_deploy.tuning.search.workbench import Workbench
from segpp_deploy.workflows.compare import engines, race
from segpp_deploy.workflows.compare.engines import Engines
from segpp_deploy.workflows.compare.findings import Timed
from segpp_deploy.workflows.compare.judge import Judge
from segpp_deploy.workflows.compare.race import Race, Racer, TimedGroup
from segpp_deploy.workflows.compare.result import CompareResult, RowStatus
from segpp_deploy.workflows.compare.run import run_compare
from tests.workflows.compare.conftest import MODES, PICTURES, options


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No process is started; the keys of each group are noted."""
    groups: list[list[str]] = []

    def run(self: Race, racers: Sequence[Racer]) -> Iterator[TimedGroup]:
        keys = [racer.key for racer in racers]
        groups.append(keys)
        yield TimedGroup({key: Timed(2.0, 3.0, 4.0, 5.0, 1.5, 1 << 20, self.iterations) for key in keys}, {})

    monkeypatch.setattr(Race, "run", run)
    return groups


def judged_modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which the mode of each row that is judged will be added."""
    modes: list[str] = []
    plain = Judge.judge

    def judge(self: Judge, cell: Any, *arguments: Any) -> Any:
        modes.append(cell.candidate.plan.name)
        return plain(self, cell, *arguments)

    monkeypatch.setattr(Judge, "judge", judge)
    return modes


def done(result: CompareResult) -> list[str]:
    return [row.cell.candidate.plan.name for row in result.rows if row.timed]


def test_files_of_a_report(report: Path) -> None:
    document = json.loads((report / "compare.json").read_text())
    assert document["images"] == PICTURES
    rows = document["rows"]
    assert len(rows) == len(MODES) * 4
    known = [row for row in rows if row["status"] == RowStatus.DONE]
    assert [(row["mode"], row["target"], row["precision"]) for row in known] == [
        (mode, "cpu", "fp32") for mode in MODES
    ]
    first = known[0]
    assert (first["metric"], first["delta"], first["delta_fp32"], first["speedup"]) == ("mIoU", 0, 0, 1)
    assert first["attention_pairs"] == 1 > known[1]["attention_pairs"]
    for row in known:
        assert 0 < row["latency_ms"] <= row["latency_p95_ms"]
        assert 0 < row["end_to_end_ms"] <= row["end_to_end_p95_ms"]
        assert row["peak_memory_bytes"] > 20 << 20
        assert row["engine_bytes"] > 100
        assert len(row["commands"]) == 2
    other = [row for row in rows if row["status"] == RowStatus.IMPOSSIBLE]
    assert {row["target"] for row in other if row["reason"].startswith("The target")} == {"cpu", "cuda"}
    assert all(row["reason"] and row["value"] is None for row in other)
    with (report / "compare.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["mode"] for line in lines] == [row["mode"] for row in rows]
    assert float(lines[0]["latency_ms"]) == first["latency_ms"]
    assert "| original | cpu | fp32 |" in (report / "compare.md").read_text()
    assert not (report / "work").exists()


def test_what_is_known_is_not_measured_again(
    data: str, tmp_path: Path, timed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = judged_modes(monkeypatch)
    plain, left = Engines.make, [2]

    def make(self: Engines, *arguments: Any) -> Any:
        if not left[0]:
            signal.raise_signal(signal.SIGINT)
        left[0] -= 1
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Engines, "make", make)
        with pytest.raises(KeyboardInterrupt):
            run_compare(options(data, tmp_path))
    assert modes == list(MODES[:2])
    assert not (tmp_path / "compare.json").exists()

    result = run_compare(options(data, tmp_path))
    assert modes == list(MODES)
    assert done(result) == list(MODES)
    assert len(timed) == 1
    assert (result.reused, result.stale) == (2, 0)

    again = run_compare(options(data, tmp_path))
    assert (len(modes), len(timed)) == (len(MODES), 1)
    assert [again.row_to_dict(row) for row in again.rows] == [result.row_to_dict(row) for row in result.rows]

    fewer = run_compare(options(data, tmp_path, limit=PICTURES - 1, modes=("original",)))
    assert (len(modes), fewer.reused, fewer.stale) == (len(MODES) + 1, 0, 1)
    assert any("measured anew" in note for note in fewer.notes)

    run_compare(options(data, tmp_path, modes=("original",), fresh=True))
    assert len(modes) == len(MODES) + 2


def test_a_row_that_fails_keeps_its_reason_and_the_others_go_on(
    data: str, tmp_path: Path, timed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = engines.build_graph

    def build(graph: Any, *arguments: Any, **options: Any) -> Any:
        if graph.metadata.mode == "fast":
            raise RuntimeError("bad node")
        return plain(graph, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(engines, "build_graph", build)
        result = run_compare(options(data, tmp_path))
    (failed,) = [row for row in result.rows if row.status is RowStatus.FAILED]
    assert (failed.cell.candidate.plan.name, failed.reason) == ("fast", "RuntimeError: bad node")
    assert done(result) == ["original", "2x2"]
    figures, reasons = result.tables()
    assert [row[0] for row in figures.rows] == ["original", "2x2"]
    assert ("fast", "cpu", "fp32", "failed", "RuntimeError: bad node") in reasons.rows
    assert "failed: RuntimeError: bad node" in result.html.read_text()
    with pytest.raises(CheckFailedError, match="1 of 12 rows failed: seed-3, fast"):
        result.require_complete()
    again = run_compare(options(data, tmp_path))
    assert done(again) == list(MODES)
    again.require_complete()


def test_int8_that_pays_nowhere_is_measured_once(
    data: str, tmp_path: Path, timed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def choose(graph: Any, precision: Precision, *_: Any) -> Any:
        asked.append(precision)
        raise NothingFasterError("Nothing is faster.")

    monkeypatch.setattr(engines, "choose_recipe", choose)
    monkeypatch.setattr(Workbench, "graph", lambda *_: None)
    monkeypatch.setattr(Workbench, "bench", lambda *_: None)
    changes: dict[str, Any] = {"modes": ("original",), "targets": (TargetName.CPU,), "precisions": (Precision.INT8,)}
    for _ in range(2):
        result = run_compare(options(data, tmp_path, calibration=parse_calibration("scenes:2"), **changes))
        assert result.rows[-1].reason == "Nothing is faster."
        assert result.rows[-1].status is RowStatus.IMPOSSIBLE
    assert asked == [Precision.INT8]

    result = run_compare(options(data, tmp_path, calibration=parse_calibration("scenes:1"), **changes))
    assert asked == [Precision.INT8] * 2
    assert (result.reused, result.stale) == (1, 1)  # float32 needs no ranges


def test_data_of_other_classes_is_refused_before_the_work(tmp_path: Path) -> None:
    other = replace(options("scenes:2", tmp_path), sources=(SeedSource(0, num_outputs=4),))
    with pytest.raises(SegppError, match="The model has 4 classes"):
        run_compare(other)


def test_pictures_without_labels_are_judged_by_the_unmerged_model(
    data: str, tmp_path: Path, timed: list[list[str]]
) -> None:
    folder = data.removeprefix("folder:") + "/images"
    result = run_compare(options(folder, tmp_path, modes=("original",)))
    assert result.row_to_dict(result.rows[0])["value"] == 1.0
    assert any("no labels" in note for note in result.notes)
    assert "errors" not in result.html.read_text().split("Side by side")[1].split("</figure>")[0]


def test_pictures_that_cannot_be_read_are_left_out_of_all_rows(
    data: str, tmp_path: Path, timed: list[list[str]]
) -> None:
    dataset = parse_dataset(data)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    samples = (replace(dataset.samples[0], load_image=lambda: read_image(broken)), *dataset.samples[1:])
    result = run_compare(options(replace(dataset, samples=samples), tmp_path / "out", modes=("original",)))
    assert (result.images, len(result.failures)) == (PICTURES - 1, 1)
    with pytest.raises(SegppError, match=f"1 of {PICTURES} pictures"):
        result.require_complete()


class TestRace:
    def test_groups_are_bounded_by_memory_and_each_has_the_baseline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        race = make_race(tmp_path, monkeypatch, room_bytes=250)
        groups = list(race.run([Racer(key, tmp_path / key, None) for key in "bcde"]))  # type: ignore[arg-type]
        assert [sorted(group.timed) for group in groups] == [["a", "b"], ["a", "c"], ["a", "d"], ["a", "e"]]
        assert groups[0].timed["a"].speedup == 1.0
        assert groups[0].timed["b"].speedup == 0.5

    def test_one_that_dies_leaves_the_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        race = make_race(tmp_path, monkeypatch, room_bytes=1000, dying="c", refused="d")
        (group,) = race.run([Racer(key, tmp_path / key, None) for key in "bcd"])  # type: ignore[arg-type]
        assert sorted(group.timed) == ["a", "b"]
        assert group.failed == {"c": "It died.", "d": "It cannot be loaded."}

    def test_without_a_baseline_there_is_no_speedup(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        race = make_race(tmp_path, monkeypatch, room_bytes=1000, refused="a")
        (group,) = race.run([Racer("b", tmp_path / "b", None)])  # type: ignore[arg-type]
        assert group.timed["b"].speedup is None
        assert set(group.failed) == {"a"}


def make_race(
    folder: Path, monkeypatch: pytest.MonkeyPatch, room_bytes: float, dying: str = "", refused: str = ""
) -> Race:
    """A race of engines of 100 bytes, of which "a" is the baseline; each takes its letter's number of milliseconds."""

    class Worker:
        def __init__(self, key: str) -> None:
            self.key, self.calls = key, 0

        def run_ms(self) -> float:
            self.calls += 1
            if self.key == dying and self.calls > 2:
                raise SegppError("It died.")
            return float(ord(self.key) - ord("a") + 1)

        def predict_ms(self, picture: Path) -> float:
            return 10 * self.run_ms()

        def peak_memory_bytes(self) -> int:
            return 100

    @contextlib.contextmanager
    def start(engine: Path, *_: Any, **__: Any) -> Iterator[Worker]:
        if engine.name == refused:
            raise SegppError("It cannot be loaded.")
        yield Worker(engine.name)

    monkeypatch.setattr(race, "start_worker", start)
    baseline = Racer("a", folder / "a", None)  # type: ignore[arg-type]
    return Race(baseline, [folder / "picture.jpg"], 3, None, lambda *_: None, room_bytes)
