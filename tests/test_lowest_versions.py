"""What pyproject.toml declares is what was tried with the lowest versions; installing them is the benchmark's part."""

from __future__ import annotations

import json

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks.declared import declared
from benchmarks.recording import RESULTS, ROOT
from benchmarks.toolchain.lowest_versions import CORE, EXTRAS, floor_of, is_lowest

RECORD = json.loads((RESULTS / "lowest_versions.json").read_text())
AGAIN = "run python -m benchmarks.toolchain.lowest_versions"
NOT_THE_LOWEST = {"torch"}  # PyPI has its lowest version with CUDA only


def test_every_dependency_was_tried_as_it_is_declared() -> None:
    tried = {row["package"]: row["declared"] for row in RECORD["rows"]}
    assert tried == {requirement.name: str(requirement.specifier) for requirement in declared(EXTRAS)}, AGAIN


def test_the_lowest_version_was_tried() -> None:
    requirements = {requirement.name: requirement for requirement in declared(EXTRAS)}
    higher = {row["package"] for row in RECORD["rows"] if not is_lowest(requirements[row["package"]], row["version"])}
    assert higher <= NOT_THE_LOWEST, AGAIN


def test_the_whole_core_was_tried() -> None:
    assert RECORD["core"] == list(CORE), AGAIN
    assert [place for place in CORE if not (ROOT / place).exists()] == []
    assert RECORD["tests"]["passed"] > 300
    assert "failed" not in RECORD["tests"]


def test_the_versions_that_this_is_developed_with_are_allowed() -> None:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "constraints/cpu.txt").read_text().splitlines():
        if "==" in line and not line.startswith("#"):
            pin = Requirement(line)
            pins.setdefault(pin.name.lower(), []).append(next(iter(pin.specifier)).version)
    refused = [
        f"{requirement} {version}"
        for requirement in declared((*EXTRAS, "dev"))
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
