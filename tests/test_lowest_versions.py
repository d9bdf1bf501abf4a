"""What pyproject.toml declares is what was tried with the lowest versions; installing them is the benchmark's part."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks.recording import ROOT
from benchmarks.toolchain import lowest_versions
from benchmarks.toolchain.lowest_versions import CORE, declared, floor_of, is_lowest


def test_what_is_tried_is_here() -> None:
    assert [place for place in CORE if not (ROOT / place).exists()] == []


def test_the_versions_that_this_is_developed_with_are_allowed() -> None:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "constraints/cpu.txt").read_text().splitlines():
        if "==" in line and not line.startswith("#"):
            pin = Requirement(line)
            pins.setdefault(pin.name.lower(), []).append(next(iter(pin.specifier)).version)
    refused = [
        f"{requirement} {version}"
        for requirement in declared((*lowest_versions.EXTRAS, "dev"))
        for version in pins[requirement.name.lower()]
        if not requirement.specifier.contains(version)
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("version", "lowest"), [("4.10.0.84", True), ("4.10", True), ("4.11.0.86", False), ("5.0", False), ("4.9.0", False)]
)
def test_lowest(version: str, lowest: bool) -> None:
    requirement = Requirement("opencv-python>=4.10,!=4.11.*")
    assert floor_of(requirement) == Version("4.10")
    assert is_lowest(requirement, version) is lowest
