"""The core of the suite on aarch64, the processor of Jetsons, under QEMU.

    python -m benchmarks.toolchain.aarch64_suite                 make the root, test, record (a quarter of an hour)
    python -m benchmarks.toolchain.aarch64_suite --check         record nothing; exit code 1 if a test fails
    python -m benchmarks.toolchain.aarch64_suite --only tests/x  these tests instead; nothing is recorded

The root holds Debian's Python and the wheels that PyPI has for that processor. The kernels' host build is compiled here
by Debian's cross compiler and run there by `selftest --host`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.declared import declared
from benchmarks.recording import Row, record
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.aarch64_root import CACHE, CPU, Root, make_root, qemu_version
from benchmarks.toolchain.lowest_versions import TOOLS
from segpp_deploy.files import CACHE_VARIABLE
from segpp_deploy.plugin_library.build import PluginBuildOptions, build_plugin_library
from segpp_deploy.plugin_library.machines import AARCH64, Machine
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.report.tables import Table

EXTRAS = ("cpu", "report")  # OpenVINO compiles what crashes in QEMU 7.2
CORE = (
    "tests/cli/test_console.py",
    "tests/cli/test_help.py",
    "tests/cli/test_plugins.py",
    *(f"tests/engine/test_{part}.py" for part in ("build", "manifest", "open", "verify")),
    "tests/evaluation/test_environment.py",
    "tests/evaluation/test_evaluator.py",
    "tests/graph/exporting/test_export.py::test_portable_graph_equals_pytorch[fast]",
    "tests/graph/exporting/test_schemas.py",
    *(f"tests/graph/test_{part}.py" for part in ("contract", "graph_file")),
    "tests/hardware",
    *(f"tests/model/test_{part}.py" for part in ("merge_maps", "plan", "segformer")),
    *(f"tests/ops/test_{part}.py" for part in ("reference", "registry")),
    *(f"tests/plugin_library/test_{part}.py" for part in ("architectures", "build", "compile", "cross_runtime")),
    *(f"tests/plugin_library/test_{part}.py" for part in ("cuda_toolkit", "library", "tensorrt_headers", "toolchain")),
    *(f"tests/workflows/test_{command}.py" for command in ("inspect", "predict")),
    "tests/test_errors.py",
    "tests/test_files.py",
)
"""What needs neither compilers nor a checkout's tools, and ends in time where all takes fifteen times as long."""

TIMED = ("tests/cli/test_help.py::test_help_loads_nothing_heavy_and_is_quick",)
"""Seconds that an emulator does not keep to."""

SELFTEST = ("selftest", "--host")
_REPORT = "/tmp/report.xml"
_TIMEOUT_S = 1200  # of one test


def main() -> int:
    """Test, print, record; 1 if a test fails."""
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="record nothing")
    parser.add_argument("--only", nargs="+", metavar="TEST", help="what pytest takes")
    arguments = parser.parse_args()
    root = make_root([*map(str, declared(EXTRAS)), *TOOLS])
    root.copy_checkout()
    if arguments.only:
        rows = run_tests(root, arguments.only)
        SECTION.show(rows)
        return int(not all(row["passed"] for row in rows))
    start = time.perf_counter()
    answer = run_selftest(root)
    rows = [*run_tests(root, CORE), describe_selftest(answer)]
    SECTION.show(rows)
    if not arguments.check:
        emulator = {"qemu": qemu_version(), "emulated_cpu": CPU, "emulated": answer["environment"]}
        facts = {**emulator, "seconds": round(time.perf_counter() - start), "tests": sum_up(rows)}
        record("aarch64_suite", {**facts, "core": CORE, "rows": rows})
    return int(not all(row["passed"] for row in rows))


def run_tests(root: Root, tests: Iterable[str]) -> list[Row]:
    """Run tests in the root; a row for each of their files."""
    report = root.inside(_REPORT)
    report.unlink(missing_ok=True)
    words = ["-m", "pytest", "-n0", "-p", "no:cacheprovider", "--tb=short", "-k", "not openvino"]
    words += [f"--timeout={_TIMEOUT_S}", *(f"--deselect={name}" for name in TIMED)]
    root.python(*words, f"--junitxml={_REPORT}", *tests)
    if not report.is_file():
        raise SystemExit("pytest ended without a report")
    return read_report(report.read_text(encoding="utf-8"))


def run_selftest(root: Root) -> dict[str, Any]:
    """Compile the kernels' host build for the root, and return what `selftest --host --json` says there."""
    os.environ[CACHE_VARIABLE] = str(root.inside(CACHE))
    built = build_plugin_library(PluginBuildOptions(LibraryKind.HOST, machine=Machine(AARCH64)))
    folder = built.library.path.parent
    shutil.copytree(folder, root.inside(CACHE) / "plugins" / folder.name, dirs_exist_ok=True)
    done = root.python("-m", "segpp_deploy", *SELFTEST, "--json", stdout=subprocess.PIPE)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise SystemExit(f"selftest ended with code {done.returncode}: {done.stdout}") from error
    return answer


def describe_selftest(answer: dict[str, Any]) -> Row:
    """Return the row of a self-test, whose checks count as tests."""
    outcomes = Counter("passed" if check["passed"] else "failed" for check in answer["checks"])
    return _row(" ".join(SELFTEST), outcomes)


def read_report(text: str) -> list[Row]:
    """Read pytest's report: a row for each file, which passes if no test of it fails.

    Example:
        >>> read_report('<a><testcase classname="tests.x.test_y"/><testcase classname="tests.x.test_y"><skipped/>'
        ...             '</testcase></a>')
        [{'what': 'tests/x/test_y.py', 'tests': {'passed': 1, 'skipped': 1, 'failed': 0}, 'passed': True}]
    """
    files: dict[str, Counter[str]] = {}
    for case in ElementTree.fromstring(text).iter("testcase"):
        file = case.attrib["classname"].replace(".", "/") + ".py"
        outcome = next((element.tag for element in case if element.tag in ("skipped", "failure", "error")), "passed")
        counted = files.setdefault(file, Counter())
        counted[outcome if outcome in ("passed", "skipped") else "failed"] += 1
    return [_row(file, outcomes) for file, outcomes in files.items()]


def sum_up(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many tests ended how."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row["tests"])
    return dict(total)


def _row(what: str, outcomes: Counter[str]) -> Row:
    tests = {outcome: outcomes[outcome] for outcome in ("passed", "skipped", "failed")}
    return {"what": what, "tests": tests, "passed": not tests["failed"]}


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per file."""
    rows = tuple((row["what"], *map(str, row["tests"].values())) for row in recorded)
    return [Table("", text_columns("what") + number_columns("passed", "skipped", "failed"), rows)]


SECTION = Section(
    "On aarch64",
    "The core of the suite passes on aarch64, the processor of Jetsons, as QEMU {qemu} emulates it ({emulated_cpu}): "
    "{tests[passed]} tests passed, {tests[skipped]} were skipped. {emulated[python]} is Debian's; PyTorch "
    "{emulated[packages][torch]}, the last there that is a build for the CPU, and ONNX Runtime "
    "{emulated[packages][onnxruntime]} are PyPI's. There is no GPU; its kernels ran in their host build. OpenVINO is "
    "left out: what it compiles crashes in QEMU 7.2.",
    make_tables,
    (),
)


if __name__ == "__main__":
    sys.exit(main())
