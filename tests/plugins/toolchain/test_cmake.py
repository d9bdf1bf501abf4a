"""The host build compiles without warning in every way; tests/test_wheel.py builds the product."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.toolchain import jetson_library
from segpp_deploy.plugin_library.sources import plugin_sources
from tests.plugins.native import OTHER, PLAIN, SANITIZED, HostBuild, build_tree

ENTRY_POINTS = set(jetson_library.ENTRY_POINTS)


def exported_names(library: Path) -> set[str]:
    table = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in table.splitlines() if line.split()[-2] in "TW"}


@pytest.mark.parametrize("how", [PLAIN, SANITIZED, OTHER], ids=["plain", "sanitized", "other"])
def test_host_build(how: HostBuild) -> None:
    """Warnings are errors, in C++17 and in C++20."""
    folder = build_tree(how, "all")
    assert exported_names(folder / "libsegpp_plugins_host.so") >= ENTRY_POINTS
    assert (folder / "libsegpp_host.so").is_file()


def test_presets_name_what_the_build_knows() -> None:
    folder = plugin_sources()
    presets = json.loads((folder / "CMakePresets.json").read_text())
    options = "".join(path.read_text() for path in [folder / "CMakeLists.txt", *(folder / "cmake").glob("*.cmake")])
    for preset in presets["configurePresets"]:
        assert all(name in options for name in preset.get("cacheVariables", {}))
    visible = {preset["name"] for preset in presets["configurePresets"] if not preset.get("hidden")}
    assert visible == {preset["name"] for preset in presets["buildPresets"]}
