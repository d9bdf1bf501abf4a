"""The first hour with a GPU: steps in their own processes, what is written of them, and the page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu_hour import clocks
from benchmarks.gpu_hour.page import write_page
from benchmarks.gpu_hour.step import Outcome, Step, StepResult, find_documents, run_step
from benchmarks.gpu_hour.steps import emulated_steps, gpu_steps
from benchmarks.measure import gpu
from benchmarks.measure.gpu_torch import FROM_PYTHON, KERNELS, MODES, PUBLISHED
from benchmarks.recording import ROOT
from benchmarks.toolchain import sanitized_kernels
from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library import build
from segpp_deploy.plugin_library.build import PluginBuildOptions, build_plugin_library
from segpp_deploy.plugin_library.library import HOST_KERNELS_NAME, LIBRARY_NAMES
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.plugin_library.tensorrt_headers import pip_include_folders
from tests.plugins.native import PLAIN, build_tree
from tests.support.requirements import needs, skip_or_fail

FACTS: dict[str, Any] = {
    "commit": "abc",
    "emulated": False,
    "environment": {
        "gpus": [{"name": "A GPU", "driver_version": "600"}],
        "packages": {"torch": "2.13"},
        "cpu": "A CPU",
        "cpu_cores": 2,
        "os": "Linux",
        "python": "CPython 3.12",
    },
    "gpu": {"power.limit": "700.00 W"},
}


def step(code: str, name: str = "a step", **changes: Any) -> Step:
    """A step that runs Python code."""
    return replace(Step(name, (sys.executable, "-c", code), 60), **changes)


@pytest.mark.parametrize(
    ("code", "outcome", "why"),
    [
        ("print('Building'); print('{\"rows\": [1]}')", Outcome.PASSED, ""),
        ("print('{\"rows\": [1]}'); raise SystemExit(1)", Outcome.FAILED, '{"rows": [1]}'),
        ("print('TensorRT is not installed.'); raise SystemExit(2)", Outcome.MISSING, "TensorRT is not installed."),
        ("raise ValueError('broken')", Outcome.FAILED, "ValueError: broken"),
    ],
)
def test_how_a_step_ends(code: str, outcome: Outcome, why: str) -> None:
    found = run_step(step(code), 60)
    assert found.outcome is outcome
    assert found.why.endswith(why)
    assert found.found == ([{"rows": [1]}] if "rows" in code else [])
    assert StepResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_step_is_killed_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time; time.sleep(1); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    began = time.monotonic()
    assert run_step(step(code), 0.5).outcome is Outcome.TIMED_OUT
    assert time.monotonic() - began < 1
    time.sleep(1)
    assert not mark.exists()


def test_what_is_not_installed_is_named() -> None:
    wanted = step("", modules=("json", "no_such_module"), tools=("no-such-program",))
    found = run_step(wanted, 60)
    assert found.outcome is Outcome.MISSING
    assert found.why == "not installed: Python module no_such_module, program no-such-program"


def test_documents_in_an_output() -> None:
    text = 'Loading {"no": "line"}\n{"a": {"b": 1}}\n{\n  "c": [2]\n}\nset {x}\n'
    assert find_documents(text) == [{"a": {"b": 1}}, {"c": [2]}]


def counting(folder: Path) -> Step:
    """A step that counts its own runs in a file."""
    path = str(folder / "runs")
    return step(f"open({path!r}, 'a').write('x'); print('{{}}')")


def test_an_interrupted_measurement_goes_on(tmp_path: Path) -> None:
    first, second = counting(tmp_path), step("raise SystemExit(1)", "another")
    for _ in range(2):
        results = gpu.measure((first, second), (first, second), tmp_path, FACTS, 60)
    assert [one.outcome for one in results] == [Outcome.PASSED, Outcome.FAILED]
    assert (tmp_path / "runs").read_text() == "x"
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert [one["name"] for one in document["steps"]] == ["a step", "another"]
    gpu.measure((first,), (first,), tmp_path, {**FACTS, "commit": "def"}, 60)
    gpu.measure((first,), (first,), tmp_path, {**FACTS, "commit": "def"}, 60, fresh=True)
    assert (tmp_path / "runs").read_text() == "xxx"


def test_what_other_code_exported_is_removed(tmp_path: Path) -> None:
    kept = tmp_path / gpu.WORK / "fast.onnx"
    exports = step(f"import pathlib; pathlib.Path({str(kept)!r}).touch(exist_ok=False)")
    steps = (exports, step("", "another"))
    other = {**FACTS, "commit": "def"}
    for facts, fresh in ((FACTS, False), (other, False), (other, True)):
        results = gpu.measure(steps, steps[:1], tmp_path, facts, 60, fresh=fresh)
        assert results[0].outcome is Outcome.PASSED, results[0].why
        gpu.measure(steps, steps[1:], tmp_path, facts, 60)
        assert kept.exists()


def test_what_there_is_no_time_for_is_said(tmp_path: Path) -> None:
    slow, never = step("import time; time.sleep(60)"), counting(tmp_path)
    results = gpu.measure(
        (slow, replace(never, name="never")), (slow, replace(never, name="never")), tmp_path, FACTS, 0.3
    )
    assert [one.outcome for one in results] == [Outcome.TIMED_OUT, Outcome.LEFT_OUT]
    assert "| never | left out: no time was left |" in (tmp_path / "gpu.md").read_text()


def test_what_was_not_asked_for_keeps_what_is_known(tmp_path: Path) -> None:
    steps = (counting(tmp_path), step("print('{}')", "another"))
    gpu.measure(steps, steps[:1], tmp_path, FACTS, 60)
    results = gpu.measure(steps, steps[1:], tmp_path, FACTS, 60)
    assert [one.outcome for one in results] == [Outcome.PASSED, Outcome.PASSED]


def test_steps_have_names_of_their_own(tmp_path: Path) -> None:
    for steps in (gpu_steps(tmp_path), emulated_steps(tmp_path)):
        assert len({one.name for one in steps}) == len(steps)


def test_the_sanitizer_has_nothing_to_watch_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise SegppError("No NVIDIA GPU was found.")

    monkeypatch.setattr(sanitized_kernels, "DeviceKernels", refuse)
    assert sanitized_kernels.main() == 2
    assert "No NVIDIA GPU was found." in capsys.readouterr().out


@pytest.fixture
def host_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's cache with the host build, which the tests have compiled already."""
    if not pip_include_folders():
        skip_or_fail("conformance_wheels", "TensorRT's headers are not here.")
    compiled = build_tree(PLAIN, "segpp_host", "segpp_plugins_host")

    def take(command: list[str], *_: object) -> None:
        if "--build" in command:
            folder = Path(command[command.index("--build") + 1])
            folder.mkdir()
            for name in (LIBRARY_NAMES[LibraryKind.HOST], HOST_KERNELS_NAME):
                shutil.copy2(compiled / name, folder)

    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path / "cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "run_logged", take)
        build_plugin_library(PluginBuildOptions(LibraryKind.HOST))


@needs("tomesd")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_emulated_it_runs_to_its_end(tmp_path: Path, host_build: None) -> None:
    """Every step as on a GPU, in processes of their own; a second call knows all of it."""
    out = tmp_path / "report"
    names = [step.name for step in emulated_steps(out)]
    assert gpu.main(["--emulated", "--fresh", "--out", str(out)]) == 0
    document = json.loads((out / "gpu.json").read_text())
    ended = {step["name"]: (step["outcome"], step["why"]) for step in document["steps"]}
    *ours, sanitizer = names
    outcome, why = ended.pop(sanitizer)
    assert outcome == "missing"
    assert why  # the program or the GPU
    assert ended == dict.fromkeys(ours, ("passed", ""))

    environment, built, selftest, published, *engines = (step["found"][0] for step in document["steps"][:-1])
    assert environment["works"] is True
    assert built["reused"] is True
    assert selftest["passed"] is True
    assert {(row["form"], row["mode"]) for row in published["rows"]} == {
        (form, str(mode)) for form in (PUBLISHED, FROM_PYTHON, KERNELS) for mode in MODES
    }
    for row in (row for step in engines for row in step["rows"]):
        assert row["agreement"] > (0.9 if row["precision"] == Precision.INT8 else 0.999), row
    page = (out / "gpu.md").read_text()
    assert "no time below means anything" in page
    for line in (*(f"| {name} | passed |" for name in ours), f"| {sanitizer} | missing: {why.splitlines()[0]} |"):
        assert line in page
    for title in ("checks, 0 failed", "The published form and ours", "Engines of every runtime"):
        assert title in page

    again = subprocess.run(
        [sys.executable, "-m", gpu.__name__, "--emulated", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in again.stderr.splitlines() if line.endswith(" ..")] == [f"{sanitizer} .."]
    assert json.loads((out / "gpu.json").read_text())["steps"] == document["steps"]


def result(name: str, *found: dict[str, Any], outcome: Outcome = Outcome.PASSED) -> StepResult:
    seen = {"sm_mhz": [345, 1755, 1980], "power_w": [70, 650.4, 700], "temperature_c": [30, 50, 61]}
    why = "it broke" if outcome is Outcome.FAILED else ""
    return StepResult(name, ("x",), outcome, 12.3, why, list(found), seen)


def test_the_page_shows_what_was_found() -> None:
    kernel = {"op": "TokenMatch", "case": "64x64", "warm_us": 10.0, "cold_us": 20.0, "roofline_us": 5.0}
    failed = {"subject": "TokenMerge", "case": "odd", "dtype": "float16", "passed": False, "finding": "off by 1"}
    report = {"where": "A GPU", "checks": [failed], "timings": {"copy_gb_s": 2800.0, "kernels": [kernel]}}
    where = {"arch": "b0", "size": "512x512", "agreement": 0.9991}
    published = [
        {**where, "form": form, "mode": mode, "median_ms": ms, "best_ms": ms}
        for form, mode, ms in (("published", "original", 4.0), ("kernels", "fast", 1.0))
    ]
    engine = {"target": "torch", "lowering": "plugin", "precision": "fp16", "mode": "fast", "median_ms": 1.25}
    engine |= {"p99_ms": 1.5, "miou": 0.8, "miou_torch": 0.8001, "agreement": 0.99987, "build_seconds": 3.0}
    results = [
        result("kernels", report, outcome=Outcome.FAILED),
        result("table", {"rows": published}),
        result("engines", {"rows": [engine]}),
    ]
    page = write_page({**FACTS, "measured": "2026-01-02 03:04 UTC"}, results)
    for line in (
        "- GPU: A GPU, driver 600",
        "- power.limit: 700.00 W",
        "| kernels | failed | 12 | 1755 (345 to 1980) | 650 (70 to 700) | 61 |",
        "| TokenMerge | odd | float16 | off by 1 |",
        "| TokenMatch | 64x64 | 10.0 | 20.0 | 5.0 | 25% |",
        "| b0 | 512x512 | kernels | fast | 1.000 | 4.00x | 99.91% |",
        "| torch | plugin | fp16 | fast | 1.250 | 1.500 | 80.00 | 80.01 | 99.987% | 3.0 |",
        "## kernels: failed",
        "it broke",
    ):
        assert line in page
    assert "Emulated" not in page


def test_values_that_the_gpu_does_not_tell_are_left_out() -> None:
    assert clocks.summarize("1980, 2619, [N/A], 40, 0\n1755, 26") == {
        "sm_mhz": [1980, 1980, 1980],
        "memory_mhz": [2619, 2619, 2619],
        "temperature_c": [40, 40, 40],
        "utilization_percent": [0, 0, 0],
    }
