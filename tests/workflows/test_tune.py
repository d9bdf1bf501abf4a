"""The whole search, small: a preset beside the original, on graphs of three nodes; Ctrl-C, and going on."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy import api
from segpp_deploy.cli.interrupts import MESSAGE
from segpp_deploy.cli.main import run_command
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.tuning.search import clock
from segpp_deploy.tuning.search import workbench as workbench_module
from segpp_deploy.tuning.search.clock import MeasuringClock
from segpp_deploy.tuning.search.workbench import Workbench
from segpp_deploy.workflows.tune.result import TuneResult
from tests.support import tiny_graphs
from tests.support.command_lines import parse
from tests.support.requirements import needs, skip_or_fail
from tests.support.small_scenes import write_scenes

pytestmark = needs("optuna")
MODEL = "segformer_b0_scenes"
SIZE = tiny_graphs.SIZE
PICTURES = 9
EVERYTHING = 60.0  # points: whatever is judged may be chosen


@pytest.fixture(autouse=True)
def quick_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs of a few nodes, which are timed no more often than real ones."""
    monkeypatch.setattr(workbench_module, "GraphAssembler", tiny_graphs.TinyAssembler)
    monkeypatch.setattr(clock, "MOST_ROUNDS", clock.LEAST_ROUNDS)


@pytest.fixture(scope="module", autouse=True)
def demo_model() -> None:
    try:
        resolve_card_checkpoint(load_card(MODEL))
    except SegppError as error:
        skip_or_fail("demo_model", f"the shipped model is not here: {error.what}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A few scenes, small, as a data set."""
    return write_scenes(tmp_path_factory.mktemp("scenes"), PICTURES, SIZE)


def command(data: str, out: Path, *options: str) -> list[str]:
    fixed = ["--size", str(SIZE), "--target", "cpu", "--precision", "fp32", "--trials", "2"]
    return ["tune", MODEL, "--data", data, "-o", str(out), *fixed, *options]


def tune(data: str | AnyDataset, out: Path, **changes: Any) -> TuneResult:
    options: dict[str, Any] = {"size": SIZE, "targets": ["cpu"], "precisions": ["fp32"], "trials": 2}
    return api.tune(MODEL, data, output=out, **{**options, **changes})


def state(folder: Path) -> list[dict[str, Any]]:
    trials: list[dict[str, Any]] = json.loads((folder / "trials.json").read_text())["trials"]
    return trials


def interrupt_after(opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C while a candidate is opened."""
    left = [opened]
    plain: Callable[..., Any] = Workbench.open

    def open_one(self: Workbench, *arguments: Any) -> Any:
        if not left[0]:
            signal.raise_signal(signal.SIGINT)
        left[0] -= 1
        return plain(self, *arguments)

    monkeypatch.setattr(Workbench, "open", open_one)


def test_ctrl_c_keeps_what_is_known_and_the_search_goes_on(data: str, tmp_path: Path, capsys: Any) -> None:
    line = command(data, tmp_path, "--loss", str(EVERYTHING))
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(2, patch)  # the original is timed, and is the reference; then comes a preset
        assert run_command([*line, "--json"]) == 2
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["interrupted"]
    assert found["chosen"]["mode"] == "original"
    assert found["chosen"]["confirmed_loss"] is None
    assert "Interrupted: this is what is known" in told.err
    assert "--resume" in told.err
    assert told.err.endswith(f"{MESSAGE}\n")
    assert [one["mode"] for one in state(tmp_path)] == ["original"]
    assert load_plan(str(tmp_path / "plan.yaml")).stages

    assert run_command(line) == 2
    assert "holds the trials of an earlier search" in capsys.readouterr().err
    assert run_command([*line, "--resume", "--seed", "1"]) == 2
    assert "another question: seed differ" in capsys.readouterr().err

    assert run_command([*line, "--resume", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["interrupted"]
    assert [one["mode"] for one in state(tmp_path)] == ["original", "fast"]
    assert found["chosen"]["confirmed_loss"] is not None
    assert all(one["judged_on_all"] for one in found["trials"])


def test_merging_that_gains_nothing_is_not_chosen(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on small inputs; and what a result consists of."""
    monkeypatch.setattr(MeasuringClock, "speedups", lambda _self, opened, _seconds: dict.fromkeys(opened, 1.01))
    result = tune(data, tmp_path, loss=EVERYTHING)
    chosen = result.choice.trial
    assert len(result.complete) == 2
    assert chosen.candidate.plan.name == "original"
    assert chosen.confirmed_loss == 0
    assert str(chosen.candidate) in result.summary()
    assert {path.name for path in tmp_path.iterdir()} >= {"plan.yaml", "tune.json", "tune.md", "tune.html"}
    for line in result.commands():
        program, *arguments = shlex.split(line)
        assert program == "segpp-deploy"
        parse(arguments)
    written = json.loads((tmp_path / "tune.json").read_text())
    assert written["commands"] == list(map(str, result.commands()))
    assert (written["images"], written["held_out_images"]) == (6, 3)
    assert load_plan(str(tmp_path / "plan.yaml")).stages == chosen.candidate.plan.stages
    assert "<svg" in (tmp_path / "tune.html").read_text()
    assert "Pareto front" in (tmp_path / "tune.md").read_text()


def test_a_latency_that_nothing_reaches_is_told_with_the_fastest(data: str, tmp_path: Path, capsys: Any) -> None:
    assert run_command(command(data, tmp_path, "--latency-ms", "0.001", "--json")) == 1
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert "Nothing was found that is the most accurate that takes at most 0.001 ms" in told.err
    assert not found["meets_goal"]
    judged = [one["latency_ms"] for one in found["trials"] if one["judged_on_all"]]  # others may be as fast
    assert found["chosen"]["latency_ms"] == min(judged)
    assert f"{found['chosen']['latency_ms']:.2f} ms" in told.err


def test_a_gpu_that_is_not_here_is_modelled_and_it_is_said(data: str, tmp_path: Path) -> None:
    result = tune(data, tmp_path, loss=EVERYTHING, gpu="RTX 4090", targets=(), precisions=())
    assert "Nothing was measured on RTX 4090" in result.notes[-1]
    assert not result.to_dict()["measured"]
    assert {one.candidate.engine.target for one in result.trials} == {"tensorrt"}
    assert "nothing was measured there" in (tmp_path / "tune.md").read_text()
    export, build = result.commands()
    assert "--lowering plugin" in export
    assert "--target tensorrt --precision fp16" in build


def test_data_sets_of_ones_own_and_no_library_for_pages(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    whole = parse_dataset(data)
    result = tune(whole.first(4), tmp_path, confirm=whole.first(2), latency_ms=0.001, trials=1)
    assert (result.reference.samples, result.held_out) == (4, 2)
    assert "There is no tune.html" in result.notes[0]
    with pytest.raises(CheckFailedError, match="Nothing was found"):  # the command's check, not the function's
        result.require_reached()


def test_without_the_extra_it_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SegppError, match="needs optuna") as caught:
        tune("scenes:3", tmp_path, loss=1)
    assert "segpp-deploy[tune]" in caught.value.fix


BAD = [
    ([], "Nothing says what to search for"),
    (["--loss", "1", "--latency-ms", "5"], "Two limits do not say what to search for"),
    (["--loss", "-1"], "--loss -1 is no loss"),
    (["--loss", "nan"], "--loss nan is no loss"),
    (["--latency-ms", "0"], "--latency-ms 0 is no latency"),
    (["--loss", "1", "--target", "npu"], "Unknown target 'npu'"),
    (["--loss", "1", "--target", "tensorrt", "--gpu", "RTX 4090"], "--gpu leaves no choice"),
    (["--loss", "1", "--gpu", "RTX 409"], "Unknown GPU 'RTX 409'"),
    (["--loss", "1", "--precision", "fp8"], "Unknown precision 'fp8'"),
    (["--loss", "1", "--minutes", "0"], "--minutes 0 leaves no time"),
    (["--loss", "1", "--trials", "0"], "--trials 0 tries nothing"),
    (["--loss", "1", "--images", "0"], "--images 0 leaves no picture"),
    (["--loss", "1", "--data", "scenes:2"], "scenes:2 has 2 pictures: too few to hold some out"),
    (["--loss", "1", "--data", "camvid:none"], "No such directory"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input(options: list[str], message: str, tmp_path: Path, capsys: Any) -> None:
    assert run_command(["tune", MODEL, "--data", "scenes:3", "-o", str(tmp_path / "out"), *options]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(message), told.err
    assert told.out == ""
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there(tmp_path: Path, capsys: Any) -> None:
    assert run_command(["tune", "none.pth", "--data", "scenes:3", "--loss", "1", "-o", str(tmp_path / "out")]) == 2
    assert "No such file: none.pth" in capsys.readouterr().err


def test_no_data(capsys: Any) -> None:
    assert run_command(["tune", MODEL, "--loss", "1"]) == 2
    assert "--data" in capsys.readouterr().err
