from __future__ import annotations

import json
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from segpp_deploy.config import Lowering
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, choose_target, contending_targets, open_target, resolve_auto
from segpp_deploy.runtimes.target import TargetInfo, import_runtime


def test_every_name_has_facts() -> None:
    assert list(TARGETS) == [name for name in TargetName if name is not TargetName.AUTO]
    for name, info in TARGETS.items():
        assert info.name is name
        assert info.description
        assert info.extra in info.install_command
        assert Lowering.PORTABLE in info.lowerings


@pytest.mark.parametrize("name", list(TARGETS))
def test_missing_runtime(monkeypatch: pytest.MonkeyPatch, name: TargetName) -> None:
    info = TARGETS[name]
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.has_nvidia_gpu", lambda: True)
    monkeypatch.setitem(sys.modules, info.module, None)  # what an import of a missing module meets
    with pytest.raises(SegppError) as caught:
        open_target(name)
    assert info.runtime in caught.value.what
    assert caught.value.fix == info.install_command


def test_broken_runtime_shows_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_import(name: str) -> Any:
        raise ImportError("libfoo.so: cannot open shared object file")

    monkeypatch.setattr("segpp_deploy.runtimes.target.importlib", SimpleNamespace(import_module=fail_import))
    with pytest.raises(SegppError, match=r"cannot be loaded: libfoo\.so"):
        import_runtime(TARGETS[TargetName.OPENVINO])


def test_cuda_needs_a_gpu_and_its_own_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.has_nvidia_gpu", lambda: False)
    with pytest.raises(SegppError, match="No NVIDIA GPU was found"):
        open_target(TargetName.CUDA)
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.has_nvidia_gpu", lambda: True)
    runtime = SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.import_runtime", lambda info: runtime)
    with pytest.raises(SegppError) as caught:
        open_target(TargetName.CUDA)
    assert "onnxruntime-gpu" in caught.value.expected
    assert "segpp-deploy[gpu]" in caught.value.fix


def test_a_name_is_its_value_and_no_more() -> None:
    assert [str(name) for name in TargetName] == [
        "auto",
        "cpu",
        "openvino",
        "cuda",
        "torch",
        "tensorrt",
        "tensorrt-rtx",
    ]
    for name in TargetName:
        assert TargetName(str(name)) is pickle.loads(pickle.dumps(name)) is name
        assert json.dumps(name) == f'"{name}"'
    assert TargetName.AUTO.declared_in is None


@pytest.mark.parametrize("info", TARGETS.values(), ids=str)
def test_stand_ins_measure_here(info: TargetInfo) -> None:
    if info.stand_in is not None:
        assert TARGETS[info.stand_in].stand_in is None


class UsableTarget:
    def require_device(self) -> None:
        pass


class TargetWithoutDevice:
    def require_device(self) -> None:
        raise SegppError("no GPU")


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", TargetName.OPENVINO), ("AMD64", TargetName.OPENVINO), ("arm64", TargetName.CPU)],
)
def test_auto_without_a_gpu(monkeypatch: pytest.MonkeyPatch, machine: str, expected: TargetName) -> None:
    monkeypatch.setattr("segpp_deploy.hardware.devices.has_nvidia_gpu", lambda: False)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert resolve_auto(TargetName.AUTO) is expected
    assert resolve_auto(TargetName.CPU) is TargetName.CPU
    choice = choose_target()
    assert (choice.target, choice.faster) == (expected, "")
    assert choice.note.startswith(f"Target {expected}: as a rule the fastest on an ")


def test_auto_without_openvino_says_what_an_install_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: (DeviceKind.X86_CPU,))
    monkeypatch.setitem(sys.modules, "openvino", None)
    choice = choose_target()
    assert choice.target is TargetName.CPU
    assert "openvino is faster as a rule, but: OpenVINO (Python module openvino) is not installed." in choice.note
    assert choice.note.endswith("pip install 'segpp-deploy[openvino]'")
    assert "\n" not in choice.note


@pytest.mark.parametrize("device", DeviceKind)
def test_ranks_are_an_order(device: DeviceKind) -> None:
    ranks = [info.auto_ranks[device] for info in TARGETS.values() if device in info.auto_ranks]
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
    assert ranks


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({"tensorrt": UsableTarget, "tensorrt-rtx": UsableTarget, "cuda": UsableTarget}, TargetName.TENSORRT),
        ({"tensorrt-rtx": UsableTarget, "cuda": UsableTarget}, TargetName.TENSORRT_RTX),
        ({"tensorrt-rtx": TargetWithoutDevice, "cuda": UsableTarget}, TargetName.CUDA),
        ({"tensorrt-rtx": TargetWithoutDevice, "torch": UsableTarget}, TargetName.TORCH),
        ({"tensorrt-rtx": TargetWithoutDevice, "torch": TargetWithoutDevice}, TargetName.CPU),
    ],
)
def test_auto_with_a_gpu(monkeypatch: pytest.MonkeyPatch, targets: dict[str, Any], expected: TargetName) -> None:
    def open_fake(name: TargetName) -> Any:
        if str(name) not in targets:
            raise SegppError("not installed")
        return targets[str(name)]()

    monkeypatch.setattr("segpp_deploy.hardware.devices.has_nvidia_gpu", lambda: True)
    monkeypatch.setattr("segpp_deploy.runtimes.registry.open_target", open_fake)
    assert resolve_auto(TargetName.AUTO) is expected


def test_what_is_tried_unnamed_is_what_auto_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: (DeviceKind.X86_CPU,))
    assert contending_targets() == (TargetName.CPU, TargetName.OPENVINO)
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: tuple(DeviceKind))
    assert contending_targets() == tuple(TARGETS)


def test_facts_of_installed_runtimes() -> None:
    import onnxruntime
    import openvino

    facts = open_target(TargetName.CPU).runtime_facts()
    assert (facts.name, facts.version, facts.cuda) == ("onnxruntime", onnxruntime.__version__, None)
    assert open_target(TargetName.OPENVINO).runtime_facts().version == openvino.__version__.split("-")[0]
