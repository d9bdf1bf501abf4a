"""Every preset of the host build configures and compiles without warning; the product exports what TensorRT calls."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.sources import LibraryKind, plugin_sources
from segpp_deploy.plugin_library.toolchain import find_toolchain

ENTRY_POINTS = {"getCreators", "setLoggerFinder"}


def exported_names(library: Path) -> set[str]:
    table = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in table.splitlines() if line.split()[-2] in "TW"}


@pytest.mark.slow
@pytest.mark.parametrize("standard", ["17", "20"])
def test_host_build(standard: str, tmp_path: Path) -> None:
    tools = find_toolchain(LibraryKind.HOST)
    settings = {
        "SEGPP_HOST": "ON",
        "CMAKE_CXX_STANDARD": standard,
        "CMAKE_CXX_FLAGS_RELEASE": "-O0",  # warnings and symbols are looked at here, not speed
        "CMAKE_MAKE_PROGRAM": tools.ninja.path,
        "SEGPP_CUDA_INCLUDE_DIR": ";".join(map(str, tools.cuda.include_dirs)),
        "SEGPP_TENSORRT_INCLUDE_DIR": tools.tensorrt.include_dir,
    }
    words = [f"-D{name}={value}" for name, value in settings.items()]
    cmake = str(tools.cmake.path)
    for command in (
        [cmake, "-G", "Ninja", "-S", str(plugin_sources()), "-B", str(tmp_path), *words],
        [cmake, "--build", str(tmp_path)],
    ):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
    assert exported_names(tmp_path / "libsegpp_plugins_host.so") >= ENTRY_POINTS
    assert (tmp_path / "libsegpp_host.so").is_file()


def test_presets_name_what_the_build_knows() -> None:
    folder = plugin_sources()
    presets = json.loads((folder / "CMakePresets.json").read_text())
    options = "".join(path.read_text() for path in [folder / "CMakeLists.txt", *(folder / "cmake").glob("*.cmake")])
    for preset in presets["configurePresets"]:
        assert all(name in options for name in preset.get("cacheVariables", {}))
    visible = {preset["name"] for preset in presets["configurePresets"] if not preset.get("hidden")}
    assert visible == {preset["name"] for preset in presets["buildPresets"]}


@pytest.mark.slow
def test_product(
    toolkit: CudaToolkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from segpp_deploy.cli.main import run_command

    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    monkeypatch.setenv("CUDACXX", str(toolkit.nvcc))
    assert run_command(["plugins", "build", "--arch", "8.7", "--json", "--quiet"]) == 0, capsys.readouterr().err
    answer = json.loads(capsys.readouterr().out)
    assert (answer["architectures"], answer["ptx"], answer["reused"]) == (["87"], "87", False)
    assert answer["cuda_version"] == toolkit.version
    library = Path(answer["path"])
    # Nothing of the static CUDA runtime may answer for the one that TensorRT uses.
    assert exported_names(library) == ENTRY_POINTS
    assert b"tmpxft" not in library.read_bytes(), "names that differ with every build"
    assert "cudart" not in subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    assert run_command(["plugins", "build", "--arch", "87", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["reused"]
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == [library.parent.name]
