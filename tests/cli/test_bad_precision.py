"""What `build-engine` refuses of reduced precision: exit codes 2 and 1, three parts, no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.cli.failures import ExitCode
from segpp_deploy.cli.main import run_command
from segpp_deploy.data.images import write_image
from segpp_deploy.graph.precision.ranges import read_ranges, write_ranges
from tests.support.requirements import require

Failing = Callable[..., str]
GATE = ("--accuracy-gate", "1", "--gate-data", "pictures")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a model, its ranges and the pictures they were made with."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "pictures").mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        write_image(folder / "pictures" / f"{index}.png", pixels)
    model, ranges = str(folder / "model.onnx"), str(folder / "ranges.yaml")
    assert run_command(["export", "--random-weights", "0", "--size", "72x100", "-q", "-o", model]) == 0
    assert run_command(["calibrate", model, "--data", str(folder / "pictures"), "-q", "-o", ranges]) == 0
    return folder


@pytest.fixture
def failing(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Failing:
    """failing(arguments, code=2) -> the message of a build that must fail and leave nothing."""
    monkeypatch.chdir(exported)
    monkeypatch.delenv("SEGPP_DEBUG", raising=False)

    def run(*arguments: str | Path, target: str = "cpu", code: ExitCode = ExitCode.BAD_INPUT) -> str:
        engine = tmp_path / "out.engine"
        words = ["build-engine", "model.onnx", "--target", target, *map(str, arguments), "-q", "-o", str(engine)]
        assert run_command(words) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        assert "Internal error" not in captured.err
        assert "\n  Expected: " in captured.err
        assert "\n  Fix: " in captured.err
        assert not list(tmp_path.glob("*out.engine*"))
        return captured.err

    return run


@pytest.mark.parametrize(
    ("arguments", "target", "part"),
    [
        (("--precision", "int8"), "cpu", "segpp-deploy calibrate model.onnx"),
        (("--precision", "int8", "--calibration", "none.yaml"), "cpu", "none.yaml"),
        (("--precision", "int8", "--calibration", "model.onnx"), "cpu", "model.onnx"),
        (("--precision", "int8", "--calibration", "no/such/folder"), "cpu", "no/such/folder"),
        (("--precision", "int8", "--calibration", "ranges.yaml"), "cuda", "cuda does not compute in int8"),
        (("--precision", "fp16"), "cpu", "cpu does not compute in fp16"),
        (("--precision", "fp16"), "openvino", "openvino does not compute in fp16"),
        (("--precision", "bf16", *GATE), "cpu", "in bf16"),
        (("--precision", "bf16", "--calibration", "ranges.yaml", *GATE), "openvino", "--calibration has no use"),
        (("--precision", "fp8"), "cpu", "fp16"),
        (("--calibration", "ranges.yaml"), "cpu", "--calibration has no use"),
        (("--report", "report"), "cpu", "--report has no use"),
        (("--accuracy-gate", "1", "--precision", "int8"), "cpu", "needs pictures to judge on"),
        (("--accuracy-gate", "nan", *GATE[2:]), "cpu", "no number of points"),
        (("--gate-data", "pictures", "--precision", "int8"), "cpu", "no use without --accuracy-gate"),
        ((*GATE, "--gate-images", "0"), "cpu", "--gate-images 0"),
        (("--int8-layers", "best"), "cpu", "faster"),
    ],
)
def test_refused(arguments: tuple[str, ...], target: str, part: str, failing: Failing) -> None:
    assert part in failing(*arguments, target=target)


INT8 = ("--precision", "int8", "--calibration", "ranges.yaml", "--int8-layers", "all")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--accuracy-gate", "1", "--gate-data", "no/pictures"), "no/pictures"),
        (("--accuracy-gate", "1", "--gate-data", "camvid:no/frames"), "no/frames"),
        (("--report", "model.onnx/report"), "Cannot write"),
        (("--threads", "0"), "threads"),
        (("--max-batch", "4"), "--max-batch"),
    ],
)
def test_refused_before_the_work_begins(
    arguments: tuple[str, ...], part: str, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segpp_deploy.workflows.build_engine.run.choose_recipe", lambda *_: pytest.fail("work began"))
    assert part in failing(*INT8, *arguments)


def test_a_missing_report_library(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    assert "pip install 'segpp-deploy[report]'" in failing(*INT8, "--report", "report")


def test_edited_ranges(failing: Failing, exported: Path, tmp_path: Path) -> None:
    text = (exported / "ranges.yaml").read_text(encoding="utf-8")
    (tmp_path / "edited.yaml").write_text(text.replace("max_abs: 255.0", "max_abs: 254.0"), encoding="utf-8")
    message = failing("--precision", "int8", "--calibration", tmp_path / "edited.yaml")
    assert "was edited or cut short" in message


def test_ranges_of_other_weights(failing: Failing, exported: Path, tmp_path: Path) -> None:
    ranges = read_ranges(exported / "ranges.yaml")
    write_ranges(tmp_path / "foreign.yaml", ranges.model_copy(update={"model": "0" * 64}))
    assert "with other weights" in failing("--precision", "int8", "--calibration", tmp_path / "foreign.yaml")


def test_a_gate_that_fails_writes_nothing(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.engine.precision_record.GateOutcome.passed", False)
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.find_sensitivity", lambda *_: ())
    message = failing(*INT8, *GATE, code=ExitCode.CHECK_FAILED)
    assert "No engine passed the accuracy gate" in message
    assert "a loss of at most 1 points" in message


def test_bf16_passes_or_fails_the_gate(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    require("openvino")
    from segpp_deploy.runtimes.openvino.loader import supports_bf16

    if not supports_bf16():
        pytest.skip("this CPU has no bf16")
    monkeypatch.setattr("segpp_deploy.engine.precision_record.GateOutcome.passed", False)
    message = failing("--precision", "bf16", *GATE, target="openvino", code=ExitCode.CHECK_FAILED)
    assert "No engine passed the accuracy gate: it loses" in message
