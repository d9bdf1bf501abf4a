from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from segpp_deploy.config import Precision, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, choose_target, open_target
from segpp_deploy.workflows.doctor import plugin_status
from segpp_deploy.workflows.doctor import run as doctor
from segpp_deploy.workflows.doctor.plugin_status import check_plugins
from segpp_deploy.workflows.doctor.run import DoctorResult, check_target, run_doctor
from tests.support.requirements import require


def table(result: DoctorResult, title: str) -> Table:
    """The table whose title begins like this."""
    (found,) = [one for one in result.tables() if one.title.startswith(title)]
    return found


def test_every_target_has_a_line() -> None:
    result = run_doctor()
    assert [status.target for status in result.targets] == list(TARGETS)
    cpu = result.targets[0]
    assert cpu.works
    assert cpu.precisions == (Precision.FP32, Precision.INT8)
    document = json.loads(to_json(result.to_dict()))
    assert document["works"] is True
    assert document["auto_target"] == choose_target().target
    assert document["auto_why"] == choose_target().why
    assert document["measured"] is None
    assert document["targets"][0]["version"] == document["environment"]["packages"]["onnxruntime"]


def test_what_does_not_work_has_a_reason_and_a_next_step() -> None:
    broken = [status for status in run_doctor().targets if not status.works]
    assert broken
    for status in broken:
        assert status.why_not
        assert status.fix
        assert (status.version is None) is not status.builds


def test_missing_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("onnxruntime", "openvino", "torch"):
        monkeypatch.setitem(sys.modules, module, None)
    result = run_doctor()
    assert not result.works
    missing = table(result, "What is missing")
    assert any("pip install 'segpp-deploy[openvino]'" in row for row in missing.rows)
    shown = {row[0]: row[-1] for row in result.tables()[1].rows}
    assert shown == {info.name: ", ".join(map(str, info.precisions)) for info in TARGETS.values()}


def test_bf16_only_where_the_cpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it in (True, False):
        monkeypatch.setattr("segpp_deploy.runtimes.openvino.target.supports_bf16", lambda has_it=has_it: has_it)
        assert (Precision.BF16 in check_target(TARGETS[TargetName.OPENVINO]).precisions) is has_it


def test_what_could_be_faster_is_said_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: (DeviceKind.X86_CPU,))
    monkeypatch.setitem(sys.modules, "openvino", None)
    rows = dict(table(run_doctor(), "What could be faster").rows)
    assert "pip install 'segpp-deploy[openvino]'" in rows["another target"]
    assert "--precision auto --data DATASET --calibration RANGES.yaml" in rows["int8"]
    assert rows["how much"].endswith("segpp-deploy doctor --measure")
    assert not any(character.isdigit() for character in "".join(rows.values()))


def test_nothing_missing_is_not_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    require("openvino")
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: (DeviceKind.X86_CPU,))
    for has_bf16, expected in ((True, "int8 or bf16"), (False, "int8")):
        monkeypatch.setattr("segpp_deploy.runtimes.openvino.target.supports_bf16", lambda has_it=has_bf16: has_it)
        assert [what for what, _ in run_doctor().faster] == [expected, "how much"]


def test_what_is_measured_is_every_precision_of_every_target_here(monkeypatch: pytest.MonkeyPatch) -> None:
    require("openvino")
    monkeypatch.setattr("segpp_deploy.workflows.doctor.measure.SIZE", Size(72, 100))
    monkeypatch.setattr("segpp_deploy.workflows.doctor.measure.CardSource", lambda name: SeedSource(0))
    result = run_doctor(measure=True)
    assert result.measured is not None
    found = {(row.target, row.precision) for row in result.measured.rows}
    expected = {
        (target, precision)
        for target in (TargetName.CPU, TargetName.OPENVINO)
        for precision in open_target(target).usable_precisions()
    }
    assert found == expected
    assert result.measured.rows[0].speedup == 1.0
    assert min(row.latency_ms for row in result.measured.rows) > 0
    rows = table(result, "Measured here: segformer_b0_scenes, original, 72x100").rows
    assert len(rows) == len(expected)
    document = json.loads(to_json(result.to_dict()))
    assert document["measured"]["rows"][0].keys() == {"target", "precision", "latency_ms", "speedup"}
    assert "how much" not in [one["what"] for one in document["faster"]]


def test_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SegppError, match="No target for a CPU works here") as caught:
        run_doctor(measure=True)
    assert "pip install" in caught.value.fix


def test_missing_report_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    result = run_doctor()
    assert not result.reports
    assert any("segpp-deploy[report]" in row[2] for row in table(result, "What is missing").rows)


def test_tables_name_the_machine() -> None:
    machine, targets, *_ = run_doctor().tables()
    assert dict(machine.rows)["CPU"]  # type: ignore[arg-type]
    assert any("(auto)" in row[0] for row in targets.rows)


def test_a_target_without_its_gpu_builds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    require("tensorrt_rtx")
    monkeypatch.setattr("segpp_deploy.hardware.nvidia_gpu.has_nvidia_gpu", lambda: False)
    status = check_target(TARGETS[TargetName.TENSORRT_RTX])
    assert (status.works, status.builds, status.verdict) == (False, True, "builds only")
    assert status.version
    assert status.why_not == "No NVIDIA GPU was found."


class TestPlugins:
    @pytest.fixture(autouse=True)
    def empty_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
        monkeypatch.delenv("SEGPP_PLUGIN_LIBRARY", raising=False)

    def test_a_library_that_is_not_built(self) -> None:
        status = run_doctor().plugins
        assert status.library is None
        assert status.problems[0].fix == "segpp-deploy plugins build"
        assert ("TensorRT plugins", "none") in status.rows()
        assert any("plugins build" in row[2] for row in table(run_doctor(), "What is missing").rows)

    def test_compilers_that_are_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        status = check_plugins([])
        assert status.toolchain is None
        assert ("their compilers", "not complete") in status.rows()
        assert "a C++ compiler" in status.problems[1].what
        assert status.to_dict()["toolchain"] is None

    def test_a_library_for_another_gpu(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        record = SimpleNamespace(architectures=("87",), describe=lambda: "8.7")
        library = SimpleNamespace(path=tmp_path, record=record, require_runs_on=asked.append)
        monkeypatch.setattr(plugin_status, "find_plugin_library", lambda: library)
        status = check_plugins(["7.5", "8.9"])
        assert asked == ["7.5", "8.9"]
        assert status.to_dict()["architectures"] == ["87"]
        assert status.problems == ()
