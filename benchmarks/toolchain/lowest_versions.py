"""The core of the suite with the lowest version of every dependency that pyproject.toml allows.

    python -m benchmarks.toolchain.lowest_versions             install, test, record
    python -m benchmarks.toolchain.lowest_versions --check     install and test; exit code 1 if a test fails

An environment of its own is made and removed again; pip fills it from the package indexes it is configured with. What
the dependencies themselves depend on is at its newest, as pip chooses it.

PyTorch is taken as constraints/cpu.txt names it: PyPI's builds of its lowest version bring several GB of CUDA along.
`--torch lowest` tries that one, where there is room or an index with builds for the CPU.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmarks.arguments import make_parser
from benchmarks.declared import declared
from benchmarks.recording import ROOT, Row, record
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.tool import run_tool
from segpp_deploy.report.tables import Table

EXTRAS = ("cpu", "openvino", "heic", "report")
CORE = (
    *(f"tests/{room}" for room in ("data", "engine", "evaluation", "hardware", "ops", "report", "tasks")),
    *(f"tests/graph/test_{part}.py" for part in ("contract", "graph_file")),
    *(f"tests/model/{part}" for part in ("test_dialects.py", "test_plan.py", "weights")),
    *(f"tests/cli/test_{part}.py" for part in ("console", "failures", "help")),
    "tests/runtimes/test_loaders.py",
    *(f"tests/workflows/test_{command}.py" for command in ("export", "inspect", "predict", "validate")),
    "tests/test_damaged_files.py",
)
"""What needs neither TensorRT nor compilers nor a checkout's tools."""

TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis")
_CONSTRAINTS = ROOT / "constraints/cpu.txt"
_OUTCOMES = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
_TIMEOUT_S = 3600.0


def floor_of(requirement: Requirement) -> Version:
    """Return the version that a requirement begins at.

    Example:
        >>> floor_of(Requirement("numpy>=1.26,!=2.0"))
        <Version('1.26')>
    """
    return next(Version(part.version) for part in requirement.specifier if part.operator == ">=")


def is_lowest(requirement: Requirement, version: str) -> bool:
    """Whether a version is the first release that a requirement allows, or a correction of it.

    Example:
        >>> opencv = Requirement("opencv-python>=4.10")
        >>> is_lowest(opencv, "4.10.0.84"), is_lowest(opencv, "4.11.0.86"), is_lowest(opencv, "4.9.0.80")
        (True, False, False)
    """
    floor = floor_of(requirement).release
    found = (*Version(version).release, *(0 for _ in floor))
    return found[: len(floor)] == floor and requirement.specifier.contains(version)


def resolve(python: str, *, lowest_torch: bool) -> dict[str, str]:
    """Return the lowest version of each dependency by its name, and PyTorch's."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps"]
    command += ["--resolution", "lowest-direct", "--python-version", python, "pyproject.toml"]
    command += [word for extra in EXTRAS for word in ("--extra", extra)]
    pins = dict(line.split("==") for line in run_tool(command).splitlines())
    return pins if lowest_torch else {**pins, "torch": developed("torch")}


def developed(name: str, machine: str | None = None) -> str:
    """Return the version that constraints/cpu.txt names for a processor; None = this machine's."""
    environment = {"platform_machine": machine or platform.machine()}
    lines = _CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.startswith(f"{name}==")]
    here = (pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment))
    return next(iter(next(here).specifier)).version


class Trial:
    """An environment with the given versions."""

    def __init__(self, folder: Path, python: str, pins: dict[str, str]) -> None:
        self._python = folder / "bin/python"
        constraints = folder / "constraints.txt"
        run_tool([python, "-m", "venv", folder])
        tools = [line for line in _CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith(TOOLS)]
        constraints.write_text("\n".join([*(f"{name}=={version}" for name, version in pins.items()), *tools]))
        wanted = f"{ROOT}[{','.join(EXTRAS)}]"
        run_tool([self._python, "-m", "pip", "install", "--quiet", "-c", constraints, wanted, *TOOLS])
        run_tool([self._python, "-m", "pip", "check"])

    def versions(self) -> dict[str, str]:
        """Return what is installed, by canonical name."""
        listed = json.loads(run_tool([self._python, "-m", "pip", "list", "--format", "json"]))
        return {canonicalize_name(entry["name"]): entry["version"] for entry in listed}

    def test(self) -> tuple[int, dict[str, int]]:
        """Run the core of the suite in this checkout; return pytest's exit code, and how many tests ended how."""
        command = [self._python, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "--tb=short", *CORE]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEGPP_REQUIRE": "openvino,matplotlib"}
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        *_, last = done.stdout.strip().splitlines() or [done.stderr]
        if done.returncode:
            print(done.stdout[-20_000:], done.stderr[-2000:], file=sys.stderr)
        return done.returncode, {outcome: int(count) for count, outcome in _OUTCOMES.findall(last)}


def main() -> int:
    """Install, test, print, record; 1 if a test fails."""
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="record nothing")
    parser.add_argument("--torch", choices=("developed", "lowest"), default="developed")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the environment")
    arguments = parser.parse_args()
    version = run_tool([arguments.python, "-c", "import platform; print(platform.python_version())"]).strip()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), arguments.python, resolve(version, lowest_torch=arguments.torch == "lowest"))
        code, outcomes = trial.test()
        rows = describe(trial.versions(), passed=code == 0)
    SECTION.show(rows)
    print(f"Python {version}: {outcomes}", file=sys.stderr)
    if not arguments.check:
        facts = {"python": version, "tests": outcomes, "seconds": round(time.perf_counter() - start)}
        record("lowest_versions", {**facts, "core": CORE, "rows": rows})
    return int(code != 0)


def describe(installed: dict[str, str], *, passed: bool) -> list[Row]:
    """Return a row for each dependency: what is declared and what was installed."""
    return [
        {
            "package": requirement.name,
            "declared": str(requirement.specifier),
            "version": installed[canonicalize_name(requirement.name)],
            "lowest": is_lowest(requirement, installed[canonicalize_name(requirement.name)]),
            "passed": passed,
        }
        for requirement in declared(EXTRAS)
    ]


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per dependency."""
    rows = [
        (row["package"], row["declared"], row["version"] if row["lowest"] else f"{row['version']} (not the lowest)")
        for row in recorded
    ]
    return [Table("", text_columns("package", "pyproject.toml") + number_columns("tested"), tuple(rows))]


SECTION = Section(
    "Lowest versions",
    "The core of the suite passes on Python {python} with the lowest version of every dependency that pyproject.toml "
    "allows: {tests[passed]} tests passed, {tests[skipped]} were skipped. PyTorch is the build for the CPU that "
    "constraints/cpu.txt names, for PyPI has its lowest version with CUDA only.",
    make_tables,
    (),
)


if __name__ == "__main__":
    raise SystemExit(main())
