"""The description names hardware and versions, and nobody."""

from __future__ import annotations

import dataclasses
import getpass
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from segpp_deploy.evaluation import environment
from segpp_deploy.evaluation.environment import describe_environment, parse_gpu_table


def test_describes_this_machine() -> None:
    described = describe_environment()
    assert described.cpu
    assert described.cpu_cores >= 1
    assert described.memory_bytes is None or described.memory_bytes > 1 << 28
    assert described.packages["numpy"] == metadata.version("numpy")
    assert platform.python_version() in described.python
    json.dumps(dataclasses.asdict(described))


def test_says_nothing_about_host_or_user() -> None:
    text = json.dumps(dataclasses.asdict(describe_environment()))
    private = [platform.node(), str(Path.home()), f"/{getpass.getuser()}"]
    assert [word for word in private if len(word) > 1 and word in text] == []


def test_imports_nothing_heavy() -> None:
    program = (
        "import sys; from segpp_deploy.evaluation.environment import describe_environment; describe_environment();"
        "print([m for m in ('torch','onnx','onnxruntime','openvino','numpy','cv2') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_reads_proc_files() -> None:
    info = "processor : 0\nmodel name\t: Imaginary CPU @ 9 GHz\nflags\t\t: fpu avx2 amx_bf16 sse\n"
    assert environment._cpu_model(info) == "Imaginary CPU @ 9 GHz"
    assert environment._cpu_features(info) == ("avx2", "amx_bf16")
    assert environment._memory_bytes("MemTotal:       1024 kB\nMemFree: 1 kB\n") == 1 << 20


def test_reads_arm_s_proc_files() -> None:
    """`bench --baseline` compares names: two boards of different CPUs must not have the same."""
    core = "processor\t: {}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nFeatures\t: fp asimd asimdhp asimddp lrcpc\n"
    core += "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {}\n\n"
    orin = core.format(0, "0xd42") + core.format(1, "0xd42")
    assert environment._cpu_model(orin) == "Cortex-A78AE"
    assert environment._cpu_features(orin) == ("asimd", "asimdhp", "asimddp")
    assert (
        environment._cpu_model(core.format(0, "0xd0b") + core.format(1, "0xd05")) == "Cortex-A76 + Arm CPU 0x41:0xd05"
    )


def test_systems_without_proc() -> None:
    assert environment._read("/no/such/file") == ""
    assert environment._cpu_model("")
    assert environment._cpu_features("") == ()
    assert environment._memory_bytes("") is None


def test_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "release", lambda: "6.1.44-our-site")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"PRETTY_NAME": "Debian 12"})
    assert environment._operating_system() == "Debian 12, Linux 6.1"
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {})
    assert environment._operating_system() == "Linux 6.1"


def test_gpu_table() -> None:
    desktop, jetson = parse_gpu_table("NVIDIA RTX, 580.1, 16376, 8.9\nOrin (nvgpu), 540.4.0, [N/A], 8.7\nodd line\n")
    assert (desktop.name, desktop.memory_mib, desktop.compute_capability) == ("NVIDIA RTX", 16376, "8.9")
    assert (jetson.name, jetson.memory_mib) == ("Orin (nvgpu)", 0)


def fake_nvidia_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_gpus_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_nvidia_smi(monkeypatch, tmp_path, "echo 'NVIDIA RTX, 580.1, 16376, 8.9'")
    assert [gpu.name for gpu in environment._query_gpus()] == ["NVIDIA RTX"]


def test_tool_without_a_driver_means_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_nvidia_smi(monkeypatch, tmp_path, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert environment._query_gpus() == ()
    monkeypatch.setenv("PATH", "")
    assert environment._query_gpus() == ()
