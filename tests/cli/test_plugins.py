"""`plugins build` through the command line, up to the compilers; tests/plugins/toolchain goes on from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.plugin_library import build
from segpp_deploy.plugin_library.build import PluginBuildOptions, PluginBuildResult
from segpp_deploy.plugin_library.library import PluginLibrary
from segpp_deploy.plugin_library.machines import Machine
from segpp_deploy.plugin_library.record import PluginRecord
from segpp_deploy.plugin_library.sources import LibraryKind


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[PluginBuildOptions]:
    """What the command asked for; every build succeeds at once."""
    options: list[PluginBuildOptions] = []

    def pretend(wanted: PluginBuildOptions, progress: object) -> PluginBuildResult:
        options.append(wanted)
        record = PluginRecord(
            kind=wanted.kind,
            architectures=wanted.architectures,
            ptx=None,
            sha256="0" * 64,
            source_sha256="1" * 64,
            cuda_version="13.0.88",
            tensorrt_version="10.14.1",
            compiler="c++ 12.2.0",
            machine=wanted.machine.name,
            tool_version="0.1.0",
            build_seconds=1.0,
            created="2026-01-02T03:04:05+00:00",
        )
        return PluginBuildResult(PluginLibrary(Path("/cache/libsegpp_plugins.so"), record), reused=len(options) > 1)

    monkeypatch.setattr(build, "build_plugin_library", pretend)
    return options


def test_json(asked: list[PluginBuildOptions], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["plugins", "build", "--arch", "8.7", "--arch", "89,120", "--tensorrt-root", "/opt/TensorRT", "--json"]
    assert run_command(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["path"] == "/cache/libsegpp_plugins.so"
    assert answer["architectures"] == ["87", "89", "120"]
    assert asked == [PluginBuildOptions(LibraryKind.CUDA, ("87", "89", "120"), Path("/opt/TensorRT"))]


def test_people(asked: list[PluginBuildOptions], capsys: pytest.CaptureFixture[str]) -> None:
    for beginning in ("Built", "Already built:"):
        assert run_command(["plugins", "build", "--arch", "87", "-q"]) == 0
        assert capsys.readouterr().out == (
            f"{beginning} /cache/libsegpp_plugins.so (compute capability 8.7; CUDA 13.0.88, TensorRT 10.14.1)\n"
        )


def test_host(asked: list[PluginBuildOptions], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plugins", "build", "--host"]) == 0
    assert "for tests only" in capsys.readouterr().out
    assert asked == [PluginBuildOptions(LibraryKind.HOST)]


def test_machine(asked: list[PluginBuildOptions], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plugins", "build", "--arch", "110", "--machine", "aarch64", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"] == "aarch64"
    assert asked == [PluginBuildOptions(LibraryKind.CUDA, ("110",), machine=Machine("aarch64"))]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["build", "--arch", "53"], "'53' is no architecture"),
        (["build", "--host", "--arch", "87"], "--host takes no --arch"),
        (["build", "--tensorrt-root", "/no/such/folder", "--arch", "87"], "No NvInfer.h in /no/such/folder"),
        (["build", "--machine", "riscv64", "--arch", "87"], "'riscv64' is no processor"),
        (["buidl"], "Did you mean 'build'?"),
        (["build", "--architecture"], "No such option"),
    ],
)
def test_bad_input(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plugins", *words, *(["--quiet"] if words[0] == "build" else [])]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert "\n  Expected: " in captured.err
    assert "\n  Fix: " in captured.err


def test_the_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plugins"]) == 0
    assert "build" in capsys.readouterr().out


def test_build_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plugins", "build", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Example: segpp-deploy plugins build --arch 87" in text
    assert "--json" in text
    assert "--quiet" in text
